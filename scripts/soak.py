"""Many visitors at once: is every result the visitor's own, and how long does a click take?

Each visitor has a context of one browser, and a drawing, a checkpoint and switches of their own.
After each click on a switch, panel A must show what the model gives, computed here, without the
app.  Then one photo after the other is uploaded, to see whether memory grows.

    python scripts/soak.py --visitors 50 --seconds 120 --uploads 500 --out soak.json
    python scripts/soak.py --visitors 1 --uploads 0      # the latency of a click, alone
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser import drawing, launch_async, running_process, upload
from playwright.async_api import Browser, Page, async_playwright

from lafe import Switches, load, open_photo, prepare
from lafe.branches import EVERY_BRANCH
from lafe.checkpoint import available
from lafe.numbers import percent
from lafe.prepare import Prepared

PATIENCE = 300  # seconds
WARM_UPLOADS = 50  # after so many, caches are full
ROUNDING = 4e-4  # two machines' sums may round to neighbouring shares

# Clicks, and looks at every frame until panel A says one of the wanted sentences.
CLICK = """([branch, stage, wanted, patience]) => new Promise((done) => {
    const row = document.querySelector(`.st-key-switch-0-${branch}`);
    const start = performance.now();
    row.querySelectorAll("button")[stage - 3].click();
    const look = () => {
        const figure = document.querySelector('[aria-label^="Five likeliest classes"]');
        const passed = performance.now() - start;
        if (wanted.includes(figure?.getAttribute("aria-label"))) return done(passed);
        if (passed > 1000 * patience) return done(null);
        requestAnimationFrame(look);
    };
    look();
})"""


@dataclass
class Tally:
    """What all visitors saw."""

    checked: int = 0
    wrong: list[str] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)  # ms
    first: list[float] = field(default_factory=list)  # s from opening the page to a prediction


def sentences(photo: Prepared, switches: Switches) -> set[str]:
    """What panel A may say."""
    p = photo.logits(switches).softmax(0)
    name, likeliest = photo.model.card.classes[int(p.argmax())], float(p.max())
    shares = {percent(likeliest + off) for off in (-ROUNDING, 0, ROUNDING)}
    return {f"Five likeliest classes; first {name} with {share}" for share in shares}


async def arrive(page: Page, address: str, checkpoint: str, seed: int) -> float:
    """Open the app, upload a drawing, wait for a prediction; returns the seconds it took."""
    start = time.monotonic()
    await page.goto(f"{address}/?checkpoint={checkpoint}")
    await page.locator("input[type=file]").first.set_input_files(upload(drawing(seed)))
    await page.locator('[aria-label^="Five likeliest classes"]').first.wait_for()
    return time.monotonic() - start


async def visit(
    browser: Browser, address: str, checkpoint: str, photo: Prepared, seed: int, seconds: float,
    tally: Tally,
) -> None:  # fmt: skip
    """One visitor: arrive, then click switches until the time is over."""
    context = await browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    page = await context.new_page()
    page.on("pageerror", lambda error: tally.wrong.append(f"visitor {seed}: {error}"))
    rng, switches = random.Random(seed), Switches.all()
    try:
        tally.first.append(await arrive(page, address, checkpoint, seed))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            stage, branch = rng.choice(EVERY_BRANCH)
            before, switches = sentences(photo, switches), switches.toggled(stage, branch)
            wanted = sentences(photo, switches)
            took = await page.evaluate(CLICK, [branch, stage, sorted(wanted), PATIENCE])
            tally.checked += 1
            if took is None:
                tally.wrong.append(f"visitor {seed}, {checkpoint}: {switches} never came")
                return
            if not wanted & before:  # else it was there before the click
                tally.clicks.append(took)
    except Exception as error:
        tally.wrong.append(f"visitor {seed}: {error}")
    finally:
        await context.close()


async def memory_of(browser: Browser, address: str, pid: int, uploads: int) -> dict[str, int]:
    """Resident memory of the app in kB, after some uploads and after all."""
    found: dict[str, int] = {}
    context = await browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    page = await context.new_page()
    for count in range(1, uploads + 1):
        await arrive(page, address, "", 10_000 + count)
        if count in (WARM_UPLOADS, uploads):
            found[f"after {count} uploads"] = resident(pid)
    await context.close()
    return found


def resident(pid: int) -> int:
    """Memory of a process in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def summary(values: list[float]) -> dict[str, float] | None:
    """Median and 95th percentile."""
    if not values:
        return None
    p95 = statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
    return {
        "median": round(statistics.median(values), 3),
        "p95": round(p95, 3),
        "count": len(values),
    }


async def soak(visitors: int, seconds: float, uploads: int) -> dict[str, Any]:
    """Run it all; returns what was measured."""
    models = [load(name) for name in available()]
    photos = []
    for seed in range(visitors):
        model = models[seed % len(models)]
        photos.append(prepare(model, model.preprocess(open_photo(drawing(seed)))))
    tally = Tally()
    with running_process() as (address, pid):
        async with async_playwright() as playwright:
            browser = await launch_async(playwright)
            names = [photo.model.card.name for photo in photos]
            await asyncio.gather(
                *(
                    visit(browser, address, name, photo, seed, seconds, tally)
                    for seed, (name, photo) in enumerate(zip(names, photos, strict=True))
                )
            )
            memory = await memory_of(browser, address, pid, uploads)
            await browser.close()
    return {
        "visitors": visitors,
        "seconds": seconds,
        "results checked": tally.checked,
        "wrong": tally.wrong,
        "click to prediction, ms": summary(tally.clicks),
        "page to first prediction, s": summary(tally.first),
        "memory of the app, kB": memory,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--out", type=Path, help="a JSON file, beside the output")
    args = parser.parse_args()
    report = asyncio.run(soak(args.visitors, args.seconds, args.uploads))
    text = json.dumps(report, indent=1, ensure_ascii=False)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
