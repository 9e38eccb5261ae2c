"""The whole service for tests, and the mark that keeps this folder out of `make test-fast`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import Up, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One service for the session; it must stop cleanly and leave no process behind."""
    with serving(tmp_path_factory.mktemp("service"), "--workers", "2") as running:
        yield running


@pytest.fixture(scope="session")
def service(up: Up) -> str:
    """Base address of the session's service."""
    return up.url
