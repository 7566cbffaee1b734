"""The running app and a browser, for whatever looks at it: tests, screenshots, measurements."""

from __future__ import annotations

import io
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from playwright.async_api import Browser as AsyncBrowser, Playwright as AsyncPlaywright
from playwright.sync_api import Browser, FilePayload, Playwright

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 600
NO_CHROMIUM = "There is no chromium on the PATH: apt-get install chromium."

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium."""
    return playwright.chromium.launch(executable_path=_chromium(), args=_QUIET)


async def launch_async(playwright: AsyncPlaywright) -> AsyncBrowser:
    """The same for many visitors at once."""
    return await playwright.chromium.launch(executable_path=_chromium(), args=_QUIET)


def _chromium() -> str:
    path = chromium()
    if path is None:
        raise SystemExit(NO_CHROMIUM)
    return path


@contextmanager
def running_app() -> Iterator[str]:
    """The app on a free port of this machine; its address."""
    with running_process() as (address, _):
        yield address


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_process(
    port: int | None = None,
    *,
    headless: bool = True,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[tuple[str, int]]:
    """The same, with the number of its process; on a free port unless one is given.

    An app that is not headless opens itself in the browser of the machine, if there is one.
    """
    port = port or free_port()
    command = ["-m", "streamlit", "run", "streamlit_app.py"]
    options = [
        f"--server.headless={str(headless).lower()}",
        "--server.address=127.0.0.1",
        f"--server.port={port}",
    ]
    with listening([*command, *options], port, ROOT, environment) as found:
        yield found


@contextmanager
def listening(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, int]]:
    """The same of what Python is told to run somewhere, which listens on this port."""
    with subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL
    ) as app:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/_stcore/health", app)
            yield address, app.pid
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


def drawing(seed: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """Soft spots of colour, as PNG: another picture for every seed."""
    rng = random.Random(seed)
    width, height = size
    image = Image.new("RGB", size, _colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = rng.randrange(width), rng.randrange(height), rng.randrange(15, 90)
        draw.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=_colour(rng))
    out = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(2)).save(out, "PNG")
    return out.getvalue()


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def upload(data: bytes, name: str = "drawing.png") -> FilePayload:
    """A file for a file chooser."""
    return {"name": name, "mimeType": "image/png", "buffer": data}
