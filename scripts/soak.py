"""Many visitors at once: is every result the visitor's own, and how long does a click take?

Each visitor has a context of one browser, and a drawing, a checkpoint and switches of their own,
and looks at each answer for a while, 15 seconds on average, before the next click.  After a click
on a switch, panel A must show what the model gives, computed here, without the app.  Meanwhile
somebody sends files that nobody should send; each must be refused in a sentence.  Then ten photos a
visitor are uploaded and looked at, to see whether memory grows.  In the end the server is killed
and started anew under an open page, which must say so, and give a new result.  It ends when the
seconds of clicking are over and all uploads are in, however long these take.

    python scripts/soak.py --visitors 50 --seconds 120 --uploads 500 --out soak.json
    python scripts/soak.py --visitors 1 --think 1 --uploads 0 --no-hostile  # a click, alone
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import random
import re
import signal
import statistics
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from browser import drawing, free_port, launch_async, running_process, upload
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from lafe import Switches, load, open_photo, prepare
from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import available
from lafe.explain.prepare import Prepared
from lafe.measure import records
from lafe.measure.visits import Spread, Visits
from lafe.render.names import spelled
from lafe.render.text import percent

PATIENCE = 300  # seconds
WARM_UPLOADS = 50  # after so many, caches are full
AT_ONCE = 10  # uploads of one visitor
AT_THE_DOOR = 2  # visitors who open the page at the same time: the browser's work, not the app's
UPLOAD_TO = "birds"
RESULT = '[aria-label^="Five likeliest classes"]'
DRAWN = "[data-testid=stApp][data-test-script-state=notRunning]"
MOST_GROWTH = 0.02  # of memory, from 50 uploads to all
ROUNDING = 4e-4  # two machines' sums may round to neighbouring shares

# Clicks; the milliseconds until the frame in which panel A says one of the wanted sentences.
CLICK = """([branch, stage, wanted, patience]) => new Promise((done) => {
    const start = performance.now();
    const look = () => {
        const figure = document.querySelector('[aria-label^="Five likeliest classes"]');
        if (wanted.includes(figure?.getAttribute("aria-label"))) end(true);
    };
    const end = (found) => {
        changes.disconnect();
        clearTimeout(late);
        requestAnimationFrame(() => done(found ? performance.now() - start : null));
    };
    const late = setTimeout(() => end(false), 1000 * patience);
    const changes = new MutationObserver(look);
    const what = { subtree: true, childList: true, attributeFilter: ["aria-label"] };
    changes.observe(document.body, what);
    const row = document.querySelector(`.st-key-switch-0-${branch}`);
    row.querySelectorAll("button")[stage - 3].click();
    look();
})"""


@dataclass
class Tally:
    """Counts over all visitors."""

    checked: int = 0
    wrong: list[str] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)  # ms
    first: list[float] = field(default_factory=list)  # s from opening the page to a prediction
    hostile: int = 0
    restarts: int = 0


def sentences(photo: Prepared, switches: Switches) -> set[str]:
    """Sentences that panel A may show."""
    p = photo.probabilities(switches)
    name, likeliest = spelled(photo.card.classes[int(p.argmax())]), float(p.max())
    shares = {percent(likeliest + off) for off in (-ROUNDING, 0, ROUNDING)}
    return {f"Five likeliest classes; first {name} with {share}" for share in shares}


async def arrive(page: Page, address: str, checkpoint: str, *seeds: int) -> float:
    """Open the app, upload drawings, wait for a prediction; returns the seconds it took."""
    start = time.monotonic()
    await page.goto(f"{address}/?checkpoint={checkpoint}")
    files = [upload(drawing(seed), f"{seed}.png") for seed in seeds]
    await page.locator("input[type=file]").first.set_input_files(files)
    await page.locator(RESULT).first.wait_for()
    return time.monotonic() - start


@dataclass
class Visitor:
    """Somebody with a drawing, a checkpoint and a window of their own."""

    seed: int
    photo: Prepared
    page: Page
    tally: Tally

    @property
    def checkpoint(self) -> str:
        return self.photo.card.name

    async def come(self, address: str, door: asyncio.Semaphore) -> None:
        async with door:
            took = await arrive(self.page, address, self.checkpoint, self.seed)
        self.tally.first.append(took)
        say(f"{len(self.tally.first)} visitors have come")

    async def click(self, seconds: float, think: float) -> None:
        """Click switches until the time is over; panel A must show what the model gives.

        Before each click the visitor looks at what is there, for ``think`` seconds on average.
        """
        await self.page.locator(".st-key-switches-0 summary").click()
        await self.page.locator(".st-key-switch-0-c_con button").first.wait_for()
        rng, switches = random.Random(self.seed), Switches.all()
        end = time.monotonic() + seconds
        while True:
            await asyncio.sleep(rng.expovariate(1 / think) if think else 0)
            if time.monotonic() > end:
                return
            branch = rng.choice(EVERY_BRANCH)
            before, switches = sentences(self.photo, switches), switches.toggled(branch)
            wanted = sentences(self.photo, switches)
            click = [branch.name, branch.stage, sorted(wanted), PATIENCE]
            took = await self.page.evaluate(CLICK, click)
            self.tally.checked += 1
            if took is None:
                self.tally.wrong.append(f"{self.seed}, {self.checkpoint}: {switches} never came")
                return
            if not wanted & before:  # else it was there before the click
                self.tally.clicks.append(took)


def hostile_files() -> list[bytes]:
    """Half a photo, pixels for 50 MB from 34 bytes, no photo, thousands of broken tags."""
    photo = drawing(0)
    bits = 7069 | 7069 << 14
    huge = b"RIFF" + struct.pack("<I", 26) + b"WEBPVP8L" + struct.pack("<IBI", 13, 0x2F, bits)
    tags = b"".join(struct.pack(">HHII", tag, 1, 10**9, 8) for tag in range(5_000))
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 5_000) + tags + bytes(4)
    flood = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(flood, "JPEG", exif=exif)
    half = flood.getvalue()[: (len(exif) + len(flood.getvalue())) // 2]
    return [photo[: len(photo) // 2], huge + bytes(9), b"<svg onload=alert(1)>", half]


async def attack(browser: Browser, address: str, seconds: float, tally: Tally) -> None:
    """Send files that nobody should send; each is refused in a sentence that names it."""
    context = await browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    page = await context.new_page()
    await page.goto(address)
    end = time.monotonic() + seconds
    for i, data in enumerate(hostile_files() * 10_000):
        chooser = page.locator(".st-key-first-upload input[type=file]").first
        await chooser.set_input_files(upload(data, f"hostile{i}.png"))
        await page.get_by_role("alert").filter(has_text=f"hostile{i}.png").first.wait_for()
        if await page.locator(RESULT).count():
            tally.wrong.append(f"hostile file {i} got a result")
        tally.hostile += 1
        if time.monotonic() > end:
            break
    await context.close()


async def after_a_restart(
    browser: Browser, servers: ExitStack, address: str, pid: int, tally: Tally
) -> int:
    """Kill the server under an open page, start another; the page says so, and goes on.

    Returns:
        The number of the new server's process.
    """
    context = await browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    page = await context.new_page()
    await arrive(page, address, UPLOAD_TO, 1)
    os.kill(pid, signal.SIGKILL)
    _, new = servers.enter_context(running_process(int(address.rpartition(":")[2])))
    await page.get_by_text("The server forgot your photo").wait_for()
    await page.locator(DRAWN).wait_for()  # an uploader that is about to go takes no file
    if await page.locator(RESULT).count():
        tally.wrong.append("a result of a server that is gone is still there")
    said = sentences(prepare(load(UPLOAD_TO), open_photo(drawing(2))), Switches.all())
    pattern = "|".join(map(re.escape, said))
    result = page.get_by_role("figure", name=re.compile(f"^({pattern})$")).first
    lost = page.get_by_text("did not arrive").first
    chooser = page.locator(".st-key-first-upload input[type=file]").first
    await chooser.set_input_files(upload(drawing(2)))
    await result.or_(lost).first.wait_for()
    if not await result.count():  # it went to the old server, and the page says so
        await chooser.set_input_files(upload(drawing(2)))
    await result.wait_for()
    tally.checked += 1
    tally.restarts += 1
    await context.close()
    return new


async def visits(
    browser: Browser,
    address: str,
    photos: list[Prepared],
    seconds: float,
    think: float,
    hostile: bool,
) -> Tally:
    """Let all visitors come, a few at a time; when all are there, let them click."""
    tally = Tally()
    visitors: list[Visitor] = []
    for seed, photo in enumerate(photos):
        context = await browser.new_context()
        context.set_default_timeout(1000 * PATIENCE)
        page = await context.new_page()
        page.on("pageerror", lambda error: tally.wrong.append(str(error)))
        visitors.append(Visitor(seed, photo, page, tally))
    door = asyncio.Semaphore(AT_THE_DOOR)
    attacks = [attack(browser, address, seconds, tally)] if hostile else []
    for steps in (
        [each.come(address, door) for each in visitors],
        [*(each.click(seconds, think) for each in visitors), *attacks],
    ):
        done = await asyncio.gather(*steps, return_exceptions=True)
        tally.wrong += [str(error) for error in done if error is not None]
    for visitor in visitors:
        await visitor.page.context.close()
    return tally


async def memory_of(
    browser: Browser, address: str, pid: int, uploads: int, tally: Tally
) -> dict[str, int]:
    """Resident memory of the app in kB after some uploads and after all; each gets its result.

    What is freed is not given back to the system at once, so single readings swing by some percent:
    each figure is the median of five, one after every ten uploads, the last five for all.
    """
    model = load(UPLOAD_TO)
    found: list[int] = []
    done = 0
    while done < uploads:
        seeds = [10_000 + done + i for i in range(min(AT_ONCE, uploads - done))]
        context = await browser.new_context()
        context.set_default_timeout(1000 * PATIENCE)
        page = await context.new_page()
        await arrive(page, address, UPLOAD_TO, *seeds)
        for place, seed in enumerate(seeds, 1):
            photo = prepare(model, open_photo(drawing(seed)))
            await page.get_by_role("button", name=re.compile(rf"^Photo {place}(, shown)?$")).click()
            said = "|".join(map(re.escape, sentences(photo, Switches.all())))
            await page.get_by_role("figure", name=re.compile(f"^({said})$")).first.wait_for()
            tally.checked += 1
            done += 1
        found.append(resident(pid))
        await context.close()
        say(f"{done} uploads, {found[-1] / 1000:,.0f} MB")
    return {
        f"after {mark} uploads": round(statistics.median(around(found, mark // AT_ONCE)))
        for mark in sorted({min(WARM_UPLOADS, uploads), uploads} - {0})
    }


def around(readings: Sequence[int], place: int) -> Sequence[int]:
    """The five readings around one, counted from 1; the first or last five at an end."""
    last = min(max(place + 2, 5), len(readings))
    return readings[max(last - 5, 0) : last]


def say(text: str) -> None:
    """Print progress."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def resident(pid: int) -> int:
    """Memory of a process in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def summary(values: list[float]) -> Spread | None:
    """Median and 95th percentile."""
    if not values:
        return None
    p95 = statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
    return Spread(round(statistics.median(values), 3), round(p95, 3), len(values))


async def soak(
    visitors: int, seconds: float, think: float, uploads: int, restarts: int, hostile: bool
) -> Visits:
    """Run it all; returns what was measured."""
    others = round(os.getloadavg()[0], 2)
    models = [load(name) for name in available()]
    photos = []
    for seed in range(visitors):
        model = models[seed % len(models)]
        photos.append(prepare(model, open_photo(drawing(seed))))
    with ExitStack() as servers:
        address, pid = servers.enter_context(running_process(free_port()))
        async with async_playwright() as playwright:
            browser = await launch_async(playwright)
            tally = await visits(browser, address, photos, seconds, think, hostile)
            say(
                f"{tally.checked} results of {visitors} visitors are checked: {tally.wrong or 'ok'}"
            )
            memory = await memory_of(browser, address, pid, uploads, tally)
            for _ in range(restarts):
                pid = await after_a_restart(browser, servers, address, pid, tally)
                say(f"restarted; {tally.wrong or 'ok'}")
            await browser.close()
    return Visits(
        visitors=visitors,
        seconds=seconds,
        think=think,
        results_checked=tally.checked,
        wrong=tuple(tally.wrong),
        click_to_prediction_ms=summary(tally.clicks),
        page_to_first_prediction_s=summary(tally.first),
        app_memory_kb=memory,
        hostile=tally.hostile,
        restarts=tally.restarts,
        cores=os.cpu_count(),
        load=others,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--think", type=float, default=15, help="seconds of a look, on average")
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--hostile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, help="a JSON file, beside the output")
    args = parser.parse_args()
    report = asyncio.run(
        soak(args.visitors, args.seconds, args.think, args.uploads, args.restarts, args.hostile)
    )
    print(records.to_text(report))
    if args.out is not None:
        records.write(args.out, report)
    return 1 if report.wrong or report.growth > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
