"""A server that is killed and started anew, under a page that stays open."""

from __future__ import annotations

import os
import re
import signal

import pytest

from lafe import Switches

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from browser import free_port, running_process
from playwright.sync_api import Browser, Page, expect
from visitor import CHECKPOINT, PATIENCE, Visitor

ALL = Switches.all()
SETTING = ALL.without("c_con", stages=(5,))


def windows_of(browser: Browser, address: str, count: int) -> list[Visitor]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    return [Visitor(context.new_page(), address) for _ in range(count)]


def is_told(page: Page) -> None:
    """The visitor is told, sees no answer, and no switch that would not answer."""
    forgot = page.get_by_role("alert").filter(has_text="The server forgot your photo")
    expect(forgot).to_be_visible()
    expect(page.get_by_role("figure", name="Five likeliest classes")).to_have_count(0)
    expect(page.locator("[class*=st-key-switch-]")).to_have_count(0)


def test_a_restarted_server_never_answers_for_a_lost_one(browser: Browser) -> None:
    """Kill, restart, click: on a page whose last run was whole, and on one that redrew a part."""
    port = free_port()
    with running_process(port) as (address, pid):
        whole, part, elsewhere = windows_of(browser, address, 3)
        for seed, each in enumerate((whole, part, elsewhere), 1):
            each.arrives(seed, f"checkpoint={CHECKPOINT}")
            each.sees(0, seed, ALL)
        part.switch(0, "c_con", 5).click()
        part.sees(0, 2, SETTING)
        elsewhere.goes_to("Ablation")
        heading = elsewhere.page.get_by_role("heading", name="All 4,096 settings")
        expect(heading).to_be_visible()
        os.kill(pid, signal.SIGKILL)
    for each in (whole, part, elsewhere):
        state = each.page.get_by_test_id("stApp")
        expect(state).not_to_have_attribute("data-test-connection-state", "CONNECTED")
    with running_process(port):
        for each in (whole, part):
            is_told(each.page)
        expect(part.page).to_have_url(re.compile(r"c_con34"))  # the setting is not lost
        expect(heading).to_have_count(0)
        forgot = elsewhere.page.get_by_text("The server forgot your photo")
        expect(forgot).to_be_visible()
        part.uploads(2)
        part.sees(0, 2, SETTING)
        part.switch(0, "c_con", 5).click()
        part.sees(0, 2, ALL)
        expect(part.page.get_by_text("The server forgot your photo")).to_have_count(0)
        whole.page.reload()  # one's own doing
        expect(whole.page.locator(".st-key-first-upload")).to_be_visible()
        expect(whole.page.get_by_text("The server forgot your photo")).to_have_count(0)
