"""The app as `lafe app` starts it where the package is installed, without a checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="These tests need Playwright: pip install playwright.")
from browser import free_port, listening
from playwright.sync_api import Browser, expect
from visitor import PATIENCE


def test_an_address_of_a_page_shows_it_at_once_and_after_a_reload(
    site: Path, tmp_path: Path, browser: Browser
) -> None:
    """A folder `pages` beside the script would be Streamlit's to show, and to run."""
    port = free_port()
    command = ["-m", "lafe.cli.main", "app", "--no-browser", f"--port={port}"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    with listening(command, port, tmp_path, environment) as (address, _):
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        for path, title in (("studio", "Studio"), ("report", "What was measured")):
            page.goto(f"{address}/{path}?b=r_dis345.c_con5&map=dis")
            for _ in range(2):
                expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
                expect(page.get_by_role("dialog")).to_have_count(0)  # "Page not found"
                assert page.url.startswith(f"{address}/{path}?")
                page.reload()
        context.close()
