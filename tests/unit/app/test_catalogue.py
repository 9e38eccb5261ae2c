"""Which version of the default model the API takes for the newest, by what workers say."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.catalogue import RETRY_SECONDS, Catalogue
from galaxies.errors import BadModel
from models.store import ModelStore
from tests.strategies import style_card, z_card
from tests.tiny_models import publish_style
from tests.unit.app.conftest import publish_card


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


def served(catalogue: Catalogue) -> str:
    """The default version, which must be that of the name alone, and the first of the list."""
    version = catalogue.get()
    assert catalogue.get("test-style") == version
    assert next(v for v in catalogue.versions() if v.card.name == "test-style") == version
    return version.card.version


def test_before_a_worker_has_come_the_newest_whole_version_serves(catalogue: Catalogue) -> None:
    assert served(catalogue) == "3"


def test_a_version_serves_once_every_worker_has_it_or_a_newer_one(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@1"}
    assert served(catalogue) == "1"
    warmed |= {"test-style@3"}
    assert served(catalogue) == "1"
    warmed ^= {"test-style@1", "test-style@2"}
    assert served(catalogue) == "2"
    warmed -= {"test-style@2"}
    assert served(catalogue) == "3"


def test_what_is_asked_for_by_its_version_is_there_all_the_same(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@1"}
    assert catalogue.get("test-style@3").card.version == "3"


def test_while_no_worker_is_there_the_version_stays(catalogue: Catalogue, warmed: set[str]) -> None:
    warmed |= {"test-style@2"}
    assert served(catalogue) == "2"
    warmed.clear()
    assert served(catalogue) == "2"


def test_a_version_that_is_taken_back_serves_no_more(catalogue: Catalogue, warmed: set[str], tmp_path: Path) -> None:
    warmed |= {"test-style@3"}
    assert served(catalogue) == "3"
    shutil.rmtree(tmp_path / "test-style" / "3")
    assert served(catalogue) == "2"


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
    assert catalogue.get().card.version == "1", "its files are not read again with every request"
    later = time.monotonic() + RETRY_SECONDS
    monkeypatch.setattr("app.catalogue.time.monotonic", lambda: later)
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
    assert served(catalogue) == "3"
    assert catalogue.get(z_card().name).card.version == "2"


def test_while_one_caller_reads_the_store_anew_the_others_are_told_what_was_known(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = catalogue.versions()
    begun, over = threading.Event(), threading.Event()
    read = catalogue._read

    def slow() -> object:
        begun.set()
        assert over.wait(60)
        return read()

    monkeypatch.setattr(catalogue, "_read", slow)
    reader = threading.Thread(target=catalogue.versions, daemon=True)
    reader.start()
    assert begun.wait(60)
    others = threading.Thread(target=catalogue.versions, daemon=True)
    others.start()
    others.join(20)
    told = not others.is_alive()
    over.set()
    reader.join()
    assert told
    assert catalogue.versions() == before
