"""Debian's chromium without a window, as the page is tested, measured and photographed with it."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Page, Playwright, expect

from galaxies.errors import BadInput

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
GALAXIES = "main .well img"
"""The pictures of galaxies in a view."""
WAITING = ".loading, .busy, .job progress"
"""What stands where something is still to come."""
THEME = "galsynth-theme"
"""Where the browser keeps the choice of ``dark``, ``light`` or ``auto``."""


def launch(playwright: Playwright) -> Browser:
    """Start it.

    Raises
    ------
    BadInput : it is not installed.
    """
    if shutil.which(CHROMIUM) is None:
        raise BadInput(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


def settle(page: Page, seconds: float) -> None:
    """Wait until the page has a heading and nothing is loading."""
    expect(page.locator("main h1")).to_be_visible(timeout=1000 * seconds)
    expect(page.locator(WAITING)).to_have_count(0, timeout=1000 * seconds)
