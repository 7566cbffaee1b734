"""Write docs/app.png: the Compare page of the running app, with a picture drawn here.

No photo is shown, so the file may be published.  Needs the checkpoint `aircraft`, a Chromium on the
PATH and Playwright:

    pip install playwright
    python scripts/screenshot.py
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "app.png"
SIZE = {"width": 1440, "height": 760}
ADDRESS = "checkpoint=aircraft&map=final&a=all&b=none"
PATIENCE_SECONDS = 600


def picture() -> bytes:
    """A drawing of an airliner in the sky, as PNG."""
    width, height, fine = 640, 440, 3  # drawn larger and scaled down, for smooth edges
    sky = Image.linear_gradient("L").resize((width * fine, height * fine))
    image = Image.composite(
        Image.new("RGB", sky.size, "#dbe9f4"), Image.new("RGB", sky.size, "#5d93c7"), sky
    )

    draw = ImageDraw.Draw(image)

    def polygon(colour: str, *points: tuple[float, float]) -> None:
        draw.polygon([(x * fine, y * fine) for x, y in points], fill=colour)

    def ellipse(colour: str, *box: float) -> None:
        draw.ellipse([edge * fine for edge in box], fill=colour)

    for box in ((40, 330, 220, 380), (120, 310, 300, 372), (430, 60, 560, 96), (500, 46, 620, 90)):
        ellipse("#f3f7fb", *box)
    image = image.filter(ImageFilter.GaussianBlur(6 * fine))
    draw = ImageDraw.Draw(image)

    polygon("#b9c3cc", (300, 205), (385, 205), (455, 120), (430, 118))  # far wing
    polygon("#d3dbe2", (92, 196), (150, 196), (196, 150), (172, 148))  # far tailplane
    ellipse("#eef2f5", 60, 184, 560, 244)  # fuselage
    polygon("#eef2f5", (60, 214), (110, 192), (300, 186), (300, 242), (180, 240))
    polygon("#c3362b", (78, 204), (150, 194), (110, 104), (74, 104))  # fin
    polygon("#dfe5ea", (86, 220), (152, 224), (84, 262), (58, 262))  # near tailplane
    polygon("#2f3b46", (520, 200), (541, 206), (536, 211), (514, 208))  # cockpit
    for x in range(150, 505, 13):
        ellipse("#40505e", x, 203, x + 6, 212)  # windows
    polygon("#ccd5dc", (275, 226), (395, 226), (300, 330), (250, 334))  # near wing
    ellipse("#8f9ba6", 318, 262, 388, 290)  # engine
    ellipse("#3a4650", 376, 264, 390, 288)

    file = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(file, "PNG")
    return file.getvalue()


@contextmanager
def running_app() -> Iterator[str]:
    """The app on a free port of this machine; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    with subprocess.Popen([*command, *options], cwd=ROOT, stdin=subprocess.DEVNULL) as app:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/_stcore/health", app)
            yield address
        finally:
            app.terminate()


def _wait_for(address: str, app: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if app.poll() is not None:
            raise SystemExit(f"The app ended with status {app.returncode}.")
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"The app did not answer within {PATIENCE_SECONDS} seconds.")


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("There is no chromium on the PATH: apt-get install chromium.")
    file = {"name": "drawing.png", "mimeType": "image/png", "buffer": picture()}
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with running_app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.goto(f"{address}/?{ADDRESS}")
        page.locator("input[type=file]").first.set_input_files(file)  # type: ignore[arg-type]
        page.locator(".js-plotly-plot").nth(1).wait_for()  # the bars of panel B
        before, now = b"", page.screenshot()
        while now != before:  # until nothing moves any more
            page.wait_for_timeout(5000)
            before, now = now, page.screenshot()
        OUT.write_bytes(now)
        browser.close()
    print(OUT.relative_to(ROOT))


if __name__ == "__main__":
    main()
