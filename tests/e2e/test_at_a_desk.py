"""The app as `lafe app` starts it at somebody's desk: not headless, on a developer's machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from browser import running_process
from playwright.sync_api import Browser, expect
from visitor import PATIENCE, Visitor

from lafe import Switches

OPENERS = ("xdg-open", "open")  # with which Streamlit opens a browser
WIDTH = 800  # px: where little room is left beside a menu

COVERED = """(elements) => elements.filter((element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [0.05, 0.5, 0.95].some((x) => [0.2, 0.5, 0.8].some((y) => {
        const above = document.elementFromPoint(left + x * width, top + y * height);
        return !(element.contains(above) || above?.contains(element));
    }));
}).map((element) => element.textContent)"""
"""Words of the elements of which something else lies over a part."""


def test_nothing_of_streamlits_lies_over_the_answer(browser: Browser, tmp_path: Path) -> None:
    """It has advice for developers, which headless servers and other machines do not show."""
    for name in OPENERS:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".cursor").mkdir()  # of a tool that Streamlit has advice about
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "HOME": str(tmp_path)}
    with running_process(headless=False, environment=environment) as (address, _):
        context = browser.new_context(viewport={"width": WIDTH, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        visitor = Visitor(page, address)
        visitor.arrives(1)
        visitor.sees(0, 1, Switches.all())
        visitor.waits()
        page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        for shown in (".st-key-answer .card", "[data-testid=stHeader] button"):
            expect(page.locator(shown).first).to_be_visible()
            assert page.locator(shown).evaluate_all(COVERED) == []
        visitor.goes_to("About")
        expect(page.get_by_role("heading", name="About", exact=True)).to_be_visible()
        context.close()
