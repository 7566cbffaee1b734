"""A server, a browser and windows for all tests in here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the modules of tests are left out where there is no Playwright
    from playwright.sync_api import Browser, BrowserContext
    from visitor import Visitor


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of the running app."""
    from browser import NO_CHROMIUM, chromium, running_app
    from visitor import CHECKPOINT

    from lafe.checkpoints import store

    if chromium() is None:
        pytest.skip(NO_CHROMIUM)
    if CHECKPOINT not in store.available():
        pytest.skip(f"These tests need the checkpoint {CHECKPOINT!r}.")
    with running_app() as address:
        yield address


@pytest.fixture(scope="session")
def browser(address: str) -> Iterator[Browser]:
    from browser import launch
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def windows(browser: Browser) -> BrowserContext:
    """What windows are opened in; they share the cache of the app's code, and nothing else."""
    from visitor import PATIENCE

    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    return context


@pytest.fixture(scope="session")
def phones(browser: Browser) -> BrowserContext:
    """The same on phones, which have fingers: what is for them is larger."""
    from visitor import PATIENCE

    context = browser.new_context(has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE)
    return context


@pytest.fixture
def size() -> tuple[int, int]:
    """Of the window, in px."""
    return 1440, 900


@pytest.fixture
def visitor(
    windows: BrowserContext, phones: BrowserContext, address: str, size: tuple[int, int]
) -> Iterator[Visitor]:
    """A new visitor.  In the end, nothing went wrong in the browser, and nothing left it."""
    from visitor import NARROW, Visitor

    wrong: list[str] = []
    page = (phones if size[0] < NARROW else windows).new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else wrong.append(r.url))
    yield Visitor(page, address)
    page.close()
    assert wrong == []


@pytest.fixture
def second_window(windows: BrowserContext, address: str) -> Iterator[Visitor]:
    """Somebody else, who is sent an address."""
    from visitor import Visitor

    page = windows.new_page()
    yield Visitor(page, address)
    page.close()
