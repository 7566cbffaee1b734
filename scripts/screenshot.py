"""Write docs/app.png: the Compare page of the running app, with a picture drawn here.

No photo is shown, so the file may be published.  Needs the checkpoint `partbirds`, a Chromium on
the PATH and Playwright:

    pip install playwright
    python scripts/screenshot.py
"""

from __future__ import annotations

import io

from browser import PATIENCE_SECONDS, ROOT, launch, running_app, upload
from PIL import Image
from playwright.sync_api import sync_playwright

from lafe.data.partbirds import examples

OUT = ROOT / "docs" / "app.png"
SIZE = {"width": 1440, "height": 900}
ADDRESS = "checkpoint=partbirds"


def picture() -> bytes:
    """The first example of PartBirds, as PNG."""
    file = io.BytesIO()
    Image.fromarray(examples()[0].draw(640).image).save(file, "PNG")
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
