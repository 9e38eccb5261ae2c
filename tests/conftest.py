"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from galaxies.errors import BadInput
from galsynth.children import Child
from galsynth.server import EmbeddedServer, embedded_server
from galsynth.settings import Settings
from tests.programs import missing


@pytest.fixture(scope="session", autouse=True)
def _no_outside_services() -> None:
    """Tests never touch a server or a store of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("GALSYNTH_")] + ["REDIS_URL", "PORT"]:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real Redis-protocol server for the whole session, ended with it."""
    try:
        server = embedded_server(Settings.read(), tmp_path_factory.mktemp("queue"))
    except BadInput as error:
        missing(error.message)
    child = Child(server.program(), print, lambda _: None)
    deadline = time.monotonic() + 20
    while not server.answers():
        assert child.exit_status is None, "\n".join(child.last_lines)
        assert time.monotonic() < deadline, "the embedded server does not answer"
        time.sleep(0.02)
    yield server
    child.ask_to_stop()
    child.drain(10)
    child.kill()


@pytest.fixture(scope="session")
def valkey_url(valkey_server: EmbeddedServer) -> str:
    """Address of the session's server; with `empty_valkey` it holds nothing when the test begins."""
    return valkey_server.url


@pytest.fixture
def empty_valkey(valkey_url: str) -> str:
    """Address of the session's server, emptied."""
    import redis

    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest.fixture
def server_setting(empty_valkey: str) -> Iterator[Callable[[str, object], None]]:
    """Sets the session's server otherwise until the test ends."""
    import redis

    with redis.Redis.from_url(empty_valkey, decode_responses=True) as client:
        before: dict[str, Any] = {}

        def set_to(name: str, value: object) -> None:
            before.setdefault(name, client.config_get(name)[name])
            client.config_set(name, value)

        yield set_to
        for name, value in before.items():
            client.config_set(name, value)


@pytest.fixture(scope="session")
def fitsverify() -> str:
    """Path of the ``fitsverify`` program (Debian package of that name)."""
    path = shutil.which("fitsverify")
    if path is None:
        missing("fitsverify (apt-get install fitsverify)")
    return path
