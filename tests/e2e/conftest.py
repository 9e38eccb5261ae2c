"""One running service for the whole folder, and a browser for every module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser import SHOTS, Service, Visit, launch, visiting
from tests.programs import Up, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the screenshots are."""
    if SHOTS.is_dir():
        terminalreporter.write_line(f"screenshots of the page: {SHOTS}")


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One service for the session."""
    with serving(tmp_path_factory.mktemp("page"), "--workers", "2") as running:
        yield running


@pytest.fixture(scope="session")
def service(up: Up) -> Service:
    """The running service and its models."""
    return Service.at(up.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the session: while it lives, an event loop runs in this thread, and other tests start their own."""
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser, service: Service) -> Iterator[Visit]:
    """A reader at a desk, in the dark."""
    with visiting(browser, service) as one:
        yield one


@pytest.fixture
def small(browser: Browser, service: Service) -> Iterator[Visit]:
    """A reader with a phone."""
    with visiting(browser, service, small=True) as one:
        yield one
