"""The brush of "What if" in a real browser, under a mouse and under keys, at three widths."""

from __future__ import annotations

import re

import pytest

from lafe.checkpoints import store

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from playwright.sync_api import expect
from visitor import Visitor

MODEL = "partbirds"


@pytest.mark.parametrize("size", [(1440, 900), (800, 900), (390, 844)])
def test_a_stroke_asks_what_it_is_without_that_region(
    visitor: Visitor, size: tuple[int, int]
) -> None:
    if MODEL not in store.available():
        pytest.skip(f"This test needs the checkpoint {MODEL!r}.")
    page = visitor.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visitor.opens()
    visitor.waits()
    page.locator(".st-key-examples").get_by_role("button").first.click()
    expect(page.locator(".st-key-answer")).to_be_visible()
    visitor.goes_to("What if")
    hint = page.get_by_text("Paint over what you want to ask about")
    expect(hint).to_be_visible()
    visitor.waits()

    photo = page.get_by_role("application")
    photo.scroll_into_view_if_needed()
    box = photo.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= size[0]
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + 40, at[1] + 10, steps=4)
    page.mouse.up()
    said = page.get_by_text(re.compile(r"The painted \d+\.\d% of the picture adds"))
    expect(said).to_be_visible()
    before = said.inner_text()
    expect(page.get_by_role("img", name="with the region blurred")).to_be_visible()

    visitor.waits()
    photo.focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    expect(said).not_to_have_text(before)

    visitor.waits()
    page.get_by_role("button", name="Clear").click()
    expect(hint).to_be_visible()
