"""Write docs/app.png: the Compare page of the running app, with a picture drawn here.

No photo is shown, so the file may be published.  Needs the checkpoint `aircraft`, a Chromium on the
PATH and Playwright:

    pip install playwright
    python scripts/screenshot.py
"""

from __future__ import annotations

import io

from browser import PATIENCE_SECONDS, ROOT, launch, running_app, upload
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import sync_playwright

OUT = ROOT / "docs" / "app.png"
SIZE = {"width": 1440, "height": 900}
ADDRESS = "checkpoint=aircraft"


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


def main() -> None:
    with running_app() as address, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.goto(f"{address}/?{ADDRESS}")
        page.locator("input[type=file]").first.set_input_files(upload(picture()))
        page.locator(".bars").nth(1).wait_for()  # of panel B
        before, now = b"", page.screenshot()
        while now != before:  # until nothing moves any more
            page.wait_for_timeout(5000)
            before, now = now, page.screenshot()
        OUT.write_bytes(now)
        browser.close()
    print(OUT.relative_to(ROOT))


if __name__ == "__main__":
    main()
