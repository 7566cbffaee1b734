"""Screens of a desk, a tablet and a phone: the answer first, and nothing cut off."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from browser import drawing, upload
from playwright.sync_api import expect
from visitor import Visitor, truth

from lafe import Switches
from lafe.render import palette

ALL, NONE = Switches.all(), Switches.none()
SIZES = [(1440, 900), (800, 900), (390, 844)]
PAGES = (
    "Compare", "Stages", "Ablation", "Attribution", "Look-alikes", "What if", "Studio", "Report",
    "About",
)  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_a_tile_is_a_result_in_one_click_and_nothing_is_cut_off(
    visitor: Visitor, size: tuple[int, int]
) -> None:
    visitor.opens()
    page = visitor.page
    tiles = page.locator(".st-key-examples").get_by_role("button")  # not those behind tooltips
    expect(tiles.nth(8)).to_be_visible()  # nine, or more
    tiles.first.click()
    heading = page.locator(".st-key-answer h1")
    expect(heading).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    visitor.waits()
    expect(heading).to_be_focused()
    image = page.get_by_role("img", name="The photo under the map Evidence, panel A")
    expect(image).to_be_visible()
    sides = [i.bounding_box() for i in (heading, image)]
    for box in sides:
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
        if size == (390, 844):  # on the first screen of a phone
            assert box["y"] + box["height"] <= size[1]
    if size == (1440, 900):
        assert all(
            page.get_by_role(
                "img", name=f"The photo under the map Evidence, panel {letter}"
            ).evaluate("e => e.getBoundingClientRect().width")
            >= 420
            for letter in "AB"
        )
    cut = page.evaluate(
        """() => [...document.querySelectorAll("h1, .answer, .bars span, .card b, .legend span")]
        .filter((e) => e.scrollWidth > e.clientWidth + 1)
        .filter((e) => getComputedStyle(e).display !== "inline")
        .map((e) => e.textContent)"""
    )
    assert cut == []
    assert not wider(visitor)


def wider(visitor: Visitor) -> bool:
    """True if the page has to be moved sideways to see all of it."""
    over = "() => document.documentElement.scrollWidth - window.innerWidth"
    return bool(visitor.page.evaluate(over) > 0)


@pytest.mark.parametrize("size", SIZES)
def test_a_wipe_between_a_and_b(visitor: Visitor, size: tuple[int, int]) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    page = visitor.page
    wipe = page.get_by_role("button", name="Wipe", exact=True)
    if size[0] > 600:
        wipe.click()  # a phone begins with it
    expect(wipe).to_have_attribute("aria-pressed", "true")
    slider = page.get_by_role("slider", name="Wipe: how much of the picture shows A")
    expect(slider).to_be_visible()
    over = page.locator(".over")
    slider.fill("80")
    clip = over.evaluate("e => getComputedStyle(e).clipPath")
    assert clip.replace("px", "") == "inset(0 0 0 80%)"
    page.get_by_role("button", name="Side by side").click()
    expect(slider).to_be_hidden()
    expect(over).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_back_undoes_a_switch_and_keeps_the_photo(visitor: Visitor, size: tuple[int, int]) -> None:
    visitor.arrives(1)
    visitor.sees(0, 1, ALL)
    one, two = ALL.without("r_con", stages=(5,)), ALL.without("r_con", stages=(4, 5))
    visitor.switch(0, "r_con", 5).click()
    visitor.sees(0, 1, one)
    visitor.switch(0, "r_con", 4).click()
    visitor.sees(0, 1, two)
    for setting in (one, ALL):
        visitor.page.go_back()
        visitor.sees(0, 1, setting)
    visitor.page.go_forward()
    visitor.sees(0, 1, one)
    visitor.sees(1, 1, NONE)


@pytest.mark.parametrize("size", SIZES)
def test_a_figure_of_six_photos_in_three_clicks(visitor: Visitor, size: tuple[int, int]) -> None:
    visitor.opens()
    seeds = range(1, 7)
    visitor.uploads(*seeds)  # one: the choice of files
    visitor.sees(0, 6, ALL)
    page = visitor.page
    page.get_by_role("button", name="Figure of all").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 12
    for seed, row in zip(seeds, rows[::2], strict=True):
        assert float(row["probability"]) == pytest.approx(truth(seed, ALL)[1], abs=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_a_photo_that_matches_nothing_is_said_so_on_every_page(
    visitor: Visitor, size: tuple[int, int]
) -> None:
    visitor.arrives(1)
    page = visitor.page
    for name in PAGES:
        visitor.goes_to(name)
        expect(page.get_by_text("No match; nearest:").first).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert not wider(visitor), name


@pytest.mark.parametrize("size", [(390, 844)])
def test_a_map_is_on_the_first_screen_of_attribution(
    visitor: Visitor, size: tuple[int, int]
) -> None:
    visitor.opens()
    visitor.goes_to("Attribution")
    expect(visitor.page.get_by_role("heading", name="Attribution", exact=True)).to_be_visible()
    visitor.waits()
    page = visitor.page
    page.locator(".st-key-examples").get_by_role("button").first.click()
    first = page.get_by_role("img", name="The photo under Evidence, discriminative").first
    expect(first).to_be_visible()
    visitor.waits()
    box = first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= size[1]


def test_figures_are_as_dark_as_the_page(visitor: Visitor) -> None:
    page = visitor.page
    page.emulate_media(color_scheme="dark")
    visitor.opens()
    visitor.goes_to("Ablation")
    expect(
        visitor.page.get_by_role("heading", name="What was each branch worth?", exact=True)
    ).to_be_visible()
    visitor.waits()
    page.locator(".st-key-examples").get_by_role("button").first.click()
    words = page.locator(".stPlotlyChart :is(.xtick text, .ytick text, .bartext-outside)")
    expect(words.first).to_be_visible()
    visitor.waits()
    read = {fill for fill in words.evaluate_all("all => all.map((e) => getComputedStyle(e).fill)")}
    assert read <= {rgb(palette.DARK["ink"]), rgb(palette.DARK["faint"])}
    behind = page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert behind == rgb(palette.DARK["paper"])


@pytest.mark.parametrize(
    ("system", "chosen", "colours"),
    [
        ("dark", "", palette.DARK),
        ("light", "dark", palette.DARK),
        ("dark", "light", palette.COLOURS),
    ],
)
def test_a_drawer_is_as_dark_as_the_page(
    visitor: Visitor, system: Literal["dark", "light"], chosen: str, colours: dict[str, str]
) -> None:
    page = visitor.page
    page.emulate_media(color_scheme=system)
    visitor.arrives(1, f"embed=true&embed_options={chosen}_theme" if chosen else "")
    page.get_by_role("button", name="Gates one by one").first.click()
    side = page.get_by_test_id("stPopoverBody").locator(".side.dis").first
    expect(side).to_be_visible()
    expect(side).to_have_css("color", rgb(colours["dis"]))
    behind = page.get_by_test_id("stPopoverBody")
    expect(behind).to_have_css("background-color", rgb(colours["paper"]))


def rgb(colour: str) -> str:
    """#rrggbb as browsers write it."""
    return f"rgb{tuple(bytes.fromhex(colour[1:]))}"


def test_names_of_photos_are_shown_as_they_are(visitor: Visitor) -> None:
    visitor.opens()
    visitor.uploads(1, 2)
    visitor.sees(0, 2, ALL)
    page = visitor.page
    page.get_by_role("button", name="Figure of all").click()
    expect(page.get_by_text("1. drawing-1.png", exact=True)).to_be_visible()


def test_an_example_is_shown_on_the_page_where_it_was_chosen(visitor: Visitor) -> None:
    visitor.opens()
    visitor.goes_to("Look-alikes")
    page = visitor.page
    expect(page.get_by_role("heading", name="Look-alikes", exact=True)).to_be_visible()
    visitor.waits()  # what is clicked before belongs to the page that was left
    page.locator(".st-key-examples").get_by_role("button").first.click()
    expect(page.locator(".headline")).to_contain_text("Reedling")
    expect(page.get_by_role("img", name="Where the photo speaks for")).to_be_visible()


def test_a_picture_from_the_clipboard_is_a_photo(visitor: Visitor) -> None:
    visitor.opens()
    visitor.waits()
    visitor.page.wait_for_function("() => window.lafe?.listens")
    file = upload(drawing(3))
    visitor.page.evaluate(
        """(bytes) => {
            const clipboard = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "image.png", { type: "image/png" });
            clipboard.items.add(file);
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: clipboard }));
        }""",
        list(file["buffer"]),
    )
    visitor.sees(0, 3, ALL)
