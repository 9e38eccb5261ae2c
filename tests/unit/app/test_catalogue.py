"""Which version of the default model the API takes for the newest, by what workers say; and that nobody waits while it looks."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from app.catalogue import RETRY_SECONDS, Catalogue
from app.settings import Settings
from galaxies.errors import BadModel
from models.store import ModelStore
from tests.strategies import style_card, z_card
from tests.tiny_models import publish_style
from tests.unit.app.conftest import FakeWorker, publish_card, served
from tests.worker_fakes import wait_until

NET_SECONDS = 60
"""For what would never come; no test that passes comes near it."""


@pytest.fixture
def warmed() -> set[str]:
    """What workers take for the default model."""
    return set()


@pytest.fixture
def catalogue(tmp_path: Path, warmed: set[str]) -> Catalogue:
    """Versions 1, 2 and 3 of the default model, the last the newest, and two of another one."""
    for year in (1, 2, 3):
        publish_card(tmp_path, style_card(version=str(year), created=datetime(2000 + year, 1, 1, tzinfo=UTC)))
    for year in (1, 2):
        publish_card(tmp_path, z_card(version=str(year), created=datetime(2000 + year, 1, 1, tzinfo=UTC)))
    return Catalogue(ModelStore([tmp_path], "test-style"), 0, lambda: warmed)


def default(catalogue: Catalogue) -> str:
    """The default version, which must be that of the name alone, and the first of the list, once the store is read anew."""
    catalogue.renew()
    version = catalogue.get()
    assert catalogue.get("test-style") == version
    assert next(v for v in catalogue.versions() if v.card.name == "test-style") == version
    return version.card.version


def test_before_a_worker_has_come_the_newest_whole_version_serves(catalogue: Catalogue) -> None:
    assert default(catalogue) == "3"


def test_a_version_serves_once_every_worker_has_it_or_a_newer_one(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@1"}
    assert default(catalogue) == "1"
    warmed |= {"test-style@3"}
    assert default(catalogue) == "1"
    warmed ^= {"test-style@1", "test-style@2"}
    assert default(catalogue) == "2"
    warmed -= {"test-style@2"}
    assert default(catalogue) == "3"


def test_what_is_asked_for_by_its_version_is_there_all_the_same(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@1"}
    assert catalogue.get("test-style@3").card.version == "3"


def test_while_no_worker_is_there_the_version_stays(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@2"}
    assert default(catalogue) == "2"
    warmed.clear()
    assert default(catalogue) == "2"


def test_a_version_that_is_taken_back_serves_no_more(catalogue: Catalogue, warmed: set[str], tmp_path: Path) -> None:
    warmed |= {"test-style@3"}
    assert default(catalogue) == "3"
    shutil.rmtree(tmp_path / "test-style" / "3")
    assert default(catalogue) == "2"


def test_a_damaged_version_serves_once_it_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for year in (1, 2):
        publish_style(tmp_path, "tiny", str(year), created=datetime(2000 + year, 1, 1, tzinfo=UTC))
    graph = tmp_path / "tiny" / "2" / "synthesis.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    catalogue = Catalogue(ModelStore([tmp_path], "tiny"), 0)
    assert catalogue.get().card.version == "1"
    with pytest.raises(BadModel, match=r"synthesis\.onnx"):
        catalogue.get("tiny@2")
    graph.write_bytes(whole)
    catalogue.renew()
    assert catalogue.get().card.version == "1", "its files are not read again with every request"
    later = time.monotonic() + RETRY_SECONDS
    monkeypatch.setattr("app.catalogue.time.monotonic", lambda: later)
    catalogue.renew()
    assert catalogue.get().card.version == "2"


def test_a_bundled_version_serves_without_its_weights_but_not_without_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.catalogue.BUNDLED", tmp_path / "zoo")
    for root in ("zoo", "own"):
        folder = publish_style(tmp_path / root, root).folder
        for graph in (*folder.glob("*.onnx"), *folder.glob("*.safetensors")):
            graph.rename(tmp_path / graph.name)
    catalogue = Catalogue(ModelStore([tmp_path / "zoo", tmp_path / "own"]), 0)
    assert [version.card.name for version in catalogue.versions()] == ["zoo"]
    (tmp_path / "synthesis.onnx").rename(tmp_path / "zoo" / "zoo" / "1" / "synthesis.onnx")
    with pytest.raises(BadModel, match=r"mapping\.onnx cannot be read"):
        Catalogue(catalogue._store, 0).get("zoo")


def test_other_models_and_what_workers_without_the_default_say_change_nothing(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"", "test-z@1", "elsewhere@1"}
    assert default(catalogue) == "3"
    assert catalogue.get(z_card().name).card.version == "2"


class Slow:
    """Readings of a store, each of which takes until ``over``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.over = threading.Event(), threading.Event()
        read = Catalogue._read

        def slow(catalogue: Catalogue) -> Any:
            self.begun.set()
            assert self.over.wait(NET_SECONDS)
            return read(catalogue)

        monkeypatch.setattr(Catalogue, "_read", slow)


@pytest.fixture
def started(catalogue: Catalogue) -> Iterator[Catalogue]:
    """The catalogue, which has read its store once and goes on by itself."""
    catalogue.renew()
    catalogue.start()
    yield catalogue
    catalogue.stop()


def test_while_the_store_is_read_anew_everybody_is_told_what_was_known(
    started: Catalogue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = started.versions()
    slow = Slow(monkeypatch)
    assert slow.begun.wait(NET_SECONDS)
    publish_card(tmp_path, style_card(version="4", created=datetime(2004, 1, 1, tzinfo=UTC)))
    with ThreadPoolExecutor(1) as others:
        told = [others.submit(call) for call in (started.versions, started.get, lambda: started.get("test-z").card.version)]
        try:
            assert [each.result(NET_SECONDS / 2) for each in told] == [before, before[0], "2"]
        finally:
            slow.over.set()
    wait_until(lambda: started.get().card.version == "4", NET_SECONDS)


def test_the_store_is_read_anew_although_nobody_asks(started: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    assert slow.begun.wait(NET_SECONDS)
    slow.over.set()


def test_who_comes_before_the_first_reading_waits_for_it(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    with ThreadPoolExecutor(2) as callers:
        told = [callers.submit(lambda: catalogue.get().card.version) for _ in range(2)]
        assert slow.begun.wait(NET_SECONDS)
        assert not any(each.done() for each in told)
        slow.over.set()
        assert [each.result(NET_SECONDS) for each in told] == ["3", "3"]


def test_a_store_that_cannot_be_read_is_told_of_once_and_what_was_known_stays(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, tries = Mock(), threading.Semaphore(0)
    monkeypatch.setattr("app.catalogue.log", log)
    before = catalogue.versions()

    def lost(_: Catalogue) -> Any:
        tries.release()
        raise OSError("the disk is gone")

    with monkeypatch.context() as outage:
        outage.setattr(Catalogue, "_read", lost)
        catalogue.start()
        for _ in range(3):
            assert tries.acquire(timeout=NET_SECONDS)
        assert catalogue.versions() == before
    wait_until(lambda: log.info.called, NET_SECONDS)
    catalogue.stop()
    log.warning.assert_called_once_with("model store not read; what was known of it stays", reason="the disk is gone")
    log.info.assert_called_once_with("model store read again")


def test_before_the_first_reading_an_error_goes_to_who_asks(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as outage:
        outage.setattr(Catalogue, "_read", Mock(side_effect=OSError("the disk is gone")))
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is gone"):
                catalogue.versions()
    assert catalogue.get().card.version == "3"


def test_an_end_does_not_wait_for_what_is_being_read(started: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    assert slow.begun.wait(NET_SECONDS)
    with ThreadPoolExecutor(1) as other:
        stopped = other.submit(started.stop)
        try:
            stopped.result(NET_SECONDS / 2)
        finally:
            slow.over.set()
    assert started._thread.daemon, "nor does the process"
    started._thread.join(NET_SECONDS)
    assert not started._thread.is_alive()


def test_orders_are_taken_while_a_new_version_is_digested(
    settings: Settings, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(seed: int) -> str:
        return str(client.post("/v1/generate", json={"seeds": [seed]}).json()["model"]["version"])

    def newest() -> str:
        return str(client.get("/v1/models/test-style").json()["version"])

    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "catalogue"}

    others = threads()
    with served(settings) as client:
        first = post(1)
        slow = Slow(monkeypatch)
        publish_card(settings.models_dirs[0], style_card(version="9", created=datetime.now(UTC)))
        with ThreadPoolExecutor(3) as callers:
            on_demand = callers.submit(post, 2)
            try:
                assert slow.begun.wait(NET_SECONDS)
                told = [callers.submit(call, *seed) for call, *seed in ((post, 3), (post, 4), (newest,))]
                assert [each.result(NET_SECONDS / 3) for each in (on_demand, *told)] == [first] * 4
            finally:
                slow.over.set()
        wait_until(lambda: newest() == "9", NET_SECONDS)
        assert post(5) == "9"
    wait_until(lambda: threads() <= others, NET_SECONDS)
