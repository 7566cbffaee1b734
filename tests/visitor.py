"""Somebody at the app in a browser: what they do, and what they see."""

from __future__ import annotations

import re
from functools import cache

import torch
from browser import drawing, upload
from playwright.sync_api import Locator, Page, TimeoutError as NotThere, expect

from lafe import Switches, load, open_photo
from lafe.checkpoints.trained import Trained
from lafe.render.names import spelled

PATIENCE = 300_000  # ms: a busy machine is slow; what is waited for is what is seen
TRIES = 20
CHECKPOINT = "birds"
NARROW = 640  # px

expect.set_options(timeout=PATIENCE)


@cache
def truth(seed: int, switches: Switches) -> tuple[str, float]:
    """The likeliest class of a drawing and its probability, computed without the app."""
    model = _model()
    with torch.no_grad():
        logits = model(model.preprocess(open_photo(drawing(seed))), switches)[0]
    if model.temperatures is not None:
        logits = logits / model.temperatures[switches.index]
    p = logits.softmax(0)
    return spelled(model.card.classes[int(p.argmax())]), float(p.max())


@cache
def _model() -> Trained:
    return load(CHECKPOINT)


class Visitor:
    """Somebody at the app: what they do, and what they see."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address

    def opens(self, query: str = "") -> None:
        self.page.goto(f"{self.address}/?{query}")
        expect(self.page.locator(".st-key-first-upload")).to_be_visible()

    def arrives(self, seed: int, query: str = "") -> None:
        """Open the app and give it a drawing."""
        self.opens(query)
        self.uploads(seed)

    def uploads(self, *seeds: int) -> None:
        """Give drawings to the uploader in the middle of the first page."""
        files = [upload(drawing(seed), f"drawing-{seed}.png") for seed in seeds]
        self.waits()
        self.page.locator(".st-key-first-upload input[type=file]").first.set_input_files(files)

    def waits(self) -> None:
        """Until all is drawn: an uploader that is about to go takes no file."""
        app = self.page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")

    def figure(self, place: int) -> Locator:
        """A panel's five likeliest classes."""
        return self.page.get_by_role("figure", name="Five likeliest classes").nth(place)

    def switch(self, place: int, branch: str, stage: int) -> Locator:
        self.unfolds(place)
        row = self.page.locator(f".st-key-switch-{place}-{branch}")
        return row.get_by_role("button", name=f"Stage {stage}")

    def unfolds(self, place: int) -> None:
        """Open the drawer with a panel's switches, if it is closed."""
        drawer = self.page.locator(f".st-key-switches-{place} details")
        expect(drawer).to_be_visible()
        if drawer.get_attribute("open") is None:
            drawer.locator("summary").click()
        expect(drawer.get_by_role("button", name="All on")).to_be_visible()

    def setting(self, place: int) -> Locator:
        letter = "ABCD"[place]
        return self.page.get_by_role("combobox", name=f"Setting of panel {letter}", exact=True)

    def presses(self, button: Locator, for_: Locator) -> None:
        """Press until something is there: a page that is being drawn swallows a click."""
        for _ in range(TRIES):
            button.click()
            try:
                for_.wait_for(timeout=PATIENCE / TRIES)
                return
            except NotThere:
                continue
        expect(for_).to_be_visible()

    def chooses(self, box: Locator, option: str) -> None:
        found = self.page.get_by_role("option", name=option, exact=True)
        self.presses(box, found)
        found.click()

    def goes_to(self, page: str) -> None:
        """Choose a page in the menu, which a phone shows when it is asked for."""
        self.waits()
        size = self.page.viewport_size
        narrow = size is not None and size["width"] < NARROW
        link = self.page.get_by_role("link", name=page, exact=True)
        more = self.page.get_by_role("button", name=re.compile(r"^\d+ more"))
        if narrow:
            self._chooses_in_the_menu(link)
        else:
            expect(link.or_(more).first).to_be_visible()
            if not link.is_visible():  # there is no room for all
                link = self.page.get_by_role("menuitem", name=page, exact=True)
                self.presses(more, link)
            link.click()
        if narrow:  # and it does not lie over the page then
            expect(self.page.get_by_test_id("stExpandSidebarButton")).to_be_visible()

    def _chooses_in_the_menu(self, link: Locator) -> None:
        """Open the menu of a phone and choose; one who is quicker than the menu closes, again."""
        for _ in range(TRIES):
            self.presses(self.page.get_by_test_id("stExpandSidebarButton"), link)
            try:
                link.click(timeout=PATIENCE / TRIES)
                return
            except NotThere:
                continue
        link.click()

    def sees(self, place: int, seed: int, switches: Switches) -> None:
        """A panel shows what the model says of a drawing under a setting, and its switches."""
        name, p = truth(seed, switches)
        shares = "|".join(re.escape(f"{100 * p + off:.1f}%") for off in (-0.04, 0, 0.04))
        said = re.compile(f"; first {re.escape(name)} with ({shares})$")
        expect(self.figure(place)).to_have_accessible_name(said)
        expect(self.figure(place)).to_contain_text(name)
        expect(self.page.locator(".answer").nth(place)).to_have_text(name)
        for branch in ("r_dis", "r_con", "c_dis", "c_con"):
            for stage in (3, 4, 5):
                pressed = str(switches[stage, branch]).lower()
                button = self.switch(place, branch, stage)
                expect(button).to_have_attribute("aria-pressed", pressed)
