"""What visitors see, in a real browser.  Every photo is drawn here.

One server and one browser serve all of them; each visitor has a window, and so a session.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from tiny import photos, tiny_model

from lafe import BRANCHES, PRESETS, STAGES, Switches
from lafe.explain.ablation import factorial
from lafe.explain.prepare import prepare

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from browser import drawing, upload
from playwright.sync_api import (
    Browser,
    FileChooser,
    Locator,
    TimeoutError,
    expect,
)
from visitor import Visitor, truth

ALL, NONE = Switches.all(), Switches.none()


def test_first_visit_asks_for_a_photo(visitor: Visitor) -> None:
    visitor.opens()
    page = visitor.page
    expect(page.get_by_role("heading", level=1)).to_contain_text("What did the model look at")
    expect(page.get_by_role("figure")).to_have_count(0)
    expect(page.get_by_role("radio")).to_have_count(0)  # no choice of model up front


def test_a_click_on_the_diagram_is_a_setting_of_a(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    page = visitor.page
    page.locator(".st-key-built summary").click()
    expect(page.get_by_role("switch")).to_have_count(len(STAGES) * len(BRANCHES))
    page.get_by_role("switch", name="region attention, confusable, stage 5").click()
    expect(page.get_by_role("switch", checked=False)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"a=r_dis345\.r_con34\.c_dis345\.c_con345"))
    visitor.sees(0, 1, ALL.without("r_con", stages=(5,)))


def test_upload_compares_full_with_plain_backbone(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.sees(1, 1, NONE)
    pictures = visitor.page.get_by_role("img", name="The photo under the map Evidence")
    expect(pictures).to_have_count(2)
    for place in range(2):
        width = pictures.nth(place).evaluate("e => e.decode().then(() => e.naturalWidth)")
        assert width > 100


def test_presets(visitor: Visitor) -> None:
    visitor.arrives(2)
    visitor.sees(0, 2, ALL)
    visitor.waits()  # a list that is open closes when the page is drawn anew
    for name in ("no confusable", "stage 5 only", "no discriminative"):
        visitor.chooses(visitor.setting(0), name.capitalize())
        visitor.sees(0, 2, PRESETS[name])
        visitor.waits()
    visitor.sees(1, 2, NONE)


def test_a_single_switch_changes_its_panel_only(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.switch(0, "r_con", 5).click()
    setting = ALL.without("r_con", stages=(5,))
    visitor.sees(0, 1, setting)
    expect(visitor.setting(0)).to_have_value("All but r_con5")
    visitor.switch(1, "c_dis", 4).click()
    visitor.sees(1, 1, Switches.only("c_dis", stages=(4,)))
    visitor.sees(0, 1, setting)


def test_equal_switches_are_said_to_be_identical(visitor: Visitor) -> None:
    visitor.arrives(1, "a=r_dis345.c_con5")
    visitor.sees(1, 1, NONE)
    for branch, stage in (("r_dis", 3), ("r_dis", 4), ("r_dis", 5), ("c_con", 5)):
        visitor.switch(1, branch, stage).click()
        expect(visitor.switch(1, branch, stage)).to_have_attribute("aria-pressed", "true")
    expect(visitor.page.get_by_text("Identical to A, to the bit.")).to_be_visible()


def test_a_second_photo_and_back(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    page = visitor.page
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator("[data-testid=stPopoverBody] input[type=file]").set_input_files(
        upload(drawing(2), "second.png")
    )
    visitor.sees(0, 2, ALL)
    visitor.sees(1, 2, NONE)
    expect(page.get_by_role("button", name="Photo 2, shown")).to_be_visible()
    page.get_by_role("button", name="Photo 1", exact=True).click()
    visitor.sees(0, 1, ALL)


def test_a_third_panel(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(1, 1, NONE)
    page = visitor.page
    page.get_by_role("button", name="Add a panel").click()
    visitor.sees(2, 1, NONE)
    visitor.chooses(visitor.setting(2), "No region")
    visitor.sees(2, 1, PRESETS["no region"])
    visitor.sees(0, 1, ALL)
    page.get_by_role("button", name="Remove panel C").click()
    expect(page.get_by_role("figure", name="Five likeliest classes")).to_have_count(2)


def test_a_click_in_the_picture_of_all_settings_opens_that_setting(visitor: Visitor) -> None:
    setting = Switches.parse("r_dis45.c_dis5.r_con5.c_con34")
    row = factorial(prepare(tiny_model(), photos(1))).to_frame().loc[setting.index]
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.goes_to("Ablation")
    area = visitor.page.locator(".st-key-every-setting .nsewdrag")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    x, y = ((row[side] + 1) / 65 for side in ("dis", "con"))  # both axes run from -1 to 64
    area.click(position={"x": x * box["width"], "y": (1 - y) * box["height"]})
    visitor.sees(1, 1, setting)
    visitor.sees(0, 1, ALL)


def test_attribution_computes_what_is_slow_when_asked(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.goes_to("Attribution")
    page = visitor.page
    expect(page.get_by_role("img", name="The photo under Grad-CAM at stage 5")).to_have_count(2)
    methods = page.get_by_role("combobox", name="Methods")
    methods.click()
    methods.fill("Integrated")  # the list is long: only what can be seen of it is in the page
    page.get_by_role("option", name="Integrated Gradients (slow)", exact=True).click()
    expect(page.get_by_text("Not computed yet.")).to_have_count(2)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile(r"^Compute what is missing \(2;")).click()
    slow = page.get_by_role("img", name="The photo under Integrated Gradients")
    expect(slow).to_have_count(2)
    expect(page.get_by_text("Not computed yet.")).to_have_count(0)
    for place in range(2):
        assert slow.nth(place).evaluate("e => e.decode().then(() => e.naturalWidth)") > 100


def test_downloads_hold_what_is_seen(visitor: Visitor, browser: Browser, tmp_path: Path) -> None:
    visitor.arrives(1, "b=r_dis345.c_dis5")
    settings = (ALL, Switches.parse("r_dis345.c_dis5"))
    for place, setting in enumerate(settings):
        visitor.sees(place, 1, setting)
    page = visitor.page
    with page.expect_download() as download:
        page.get_by_role("button", name="Download this comparison").click()
    assert download.value.suggested_filename == "comparison.zip"
    packed = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    panels = json.loads(packed.read("comparison/comparison.json"))["panels"]
    for panel, setting in zip(panels, settings, strict=True):
        name, p = truth(1, setting)
        assert panel["classes"][0]["class"] == name
        assert panel["classes"][0]["probability"] == pytest.approx(p, abs=1e-4)

    with page.expect_download() as download:
        page.get_by_role("button", name="Report to print").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    offline = browser.new_context(offline=True)
    report = offline.new_page()
    report.goto(file.as_uri())
    for setting in settings:
        expect(report.get_by_role("heading", name=truth(1, setting)[0]).first).to_be_visible()
    images = report.get_by_role("img")
    assert images.count() > 4
    assert images.evaluate_all("all => all.every(e => e.complete && e.naturalWidth > 0)")
    offline.close()


def test_another_page_and_back(visitor: Visitor) -> None:
    visitor.arrives(2)
    visitor.sees(0, 2, ALL)
    visitor.switch(0, "c_con", 5).click()
    setting = ALL.without("c_con", stages=(5,))
    visitor.sees(0, 2, setting)
    page = visitor.page
    visitor.goes_to("Stages")
    expect(page.get_by_role("heading", name="Stages", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^The photo under "))).to_have_count(
        # Branches, sums, the one that is off, the fused maps, and the gates of regions.
        12 + 6 - 1 + 4 + 6
    )
    visitor.goes_to("About")
    expect(page.get_by_role("heading", name="About", exact=True)).to_be_visible()
    visitor.goes_to("Compare")
    visitor.sees(0, 2, setting)
    visitor.sees(1, 2, NONE)


def test_an_address_shows_the_same_to_somebody_else(
    visitor: Visitor, second_window: Visitor
) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.switch(0, "c_con", 3).click()
    setting = ALL.without("c_con", stages=(3,))
    visitor.sees(0, 1, setting)
    visitor.page.get_by_role("radio", name="Why not the runner-up").click()
    expect(visitor.page).to_have_url(re.compile(r"map=why"))
    seen = visitor.page.url
    for window in (second_window, visitor):  # a reload forgets the photo, not the settings
        window.page.goto(seen)
        expect(window.page.locator(".st-key-first-upload")).to_be_visible()
        window.uploads(1)
        window.sees(0, 1, setting)
        window.sees(1, 1, NONE)
        expect(window.page.get_by_role("radio", name="Why not the runner-up")).to_be_checked()
        assert window.page.url == seen


@pytest.mark.parametrize("size", [(800, 900)])
def test_a_narrow_screen_shows_everything(visitor: Visitor) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    visitor.sees(1, 1, NONE)
    page = visitor.page
    for each in (*(visitor.figure(i) for i in range(2)), visitor.switch(1, "c_con", 5)):
        each.scroll_into_view_if_needed()
        box = each.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 800
    wider = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
    visitor.switch(1, "c_con", 5).click()
    visitor.sees(1, 1, Switches.only("c_con", stages=(5,)))


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    visitor.opens()
    page = visitor.page

    def tab_to(wanted: Locator) -> None:
        for _ in range(160):
            if wanted.evaluate("e => e === e.getRootNode().activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"The tabulator key does not lead to {wanted}")

    def files() -> FileChooser:
        for _ in range(20):  # a key that is pressed while the page is being drawn is pressed again
            tab_to(page.get_by_role("button", name="Upload", exact=True))
            with suppress(TimeoutError):
                with page.expect_file_chooser(timeout=5_000) as chooser:
                    page.keyboard.press("Enter")
                return chooser.value
        raise AssertionError("The Enter key does not open the choice of files")

    visitor.waits()
    files().set_files(upload(drawing(1)))
    expect(visitor.figure(0)).to_be_visible()
    tab_to(page.locator(".st-key-switches-0 summary"))
    page.keyboard.press("Enter")
    visitor.sees(0, 1, ALL)
    tab_to(visitor.switch(0, "r_con", 3))  # the row of switches is one stop
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    setting = ALL.without("r_con", stages=(4,))
    visitor.sees(0, 1, setting)
    visitor.waits()
    tab_to(visitor.setting(1))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    visitor.sees(1, 1, ALL)
    visitor.sees(0, 1, setting)


def test_every_control_has_a_name(visitor: Visitor) -> None:
    """As a screen reader gets them; ``- button`` without quotes is one that says nothing."""
    nameless = re.compile(
        r"^\s*- (button|checkbox|combobox|link|radio|slider|spinbutton|switch|textbox)\b(?! \")",
        re.MULTILINE,
    )
    visitor.opens()
    body = visitor.page.locator("body")
    assert not nameless.findall(body.aria_snapshot())
    visitor.uploads(1)
    visitor.sees(1, 1, NONE)
    assert not nameless.findall(body.aria_snapshot())
    for name, heading in (("Stages", "Stages"), ("Ablation", "All 4,096 settings")):
        visitor.goes_to(name)
        expect(visitor.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        assert not nameless.findall(body.aria_snapshot())


def test_a_wrong_file_is_one_sentence_and_one_can_go_on(visitor: Visitor) -> None:
    visitor.opens()
    page = visitor.page
    page.locator(".st-key-first-upload input[type=file]").first.set_input_files(
        upload(b"a shopping list", "<b>list</b>.png")
    )
    warning = page.get_by_role("alert").filter(has_text="not a JPEG, PNG or WebP photo")
    expect(warning).to_be_visible()
    expect(warning).to_contain_text("<b>list</b>.png")
    expect(page.get_by_role("figure")).to_have_count(0)
    visitor.uploads(2)
    visitor.sees(0, 2, ALL)
    expect(warning).to_have_count(0)
