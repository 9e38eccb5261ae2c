from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from galaxies.errors import BadInput, BadModel
from models.generator import Device
from models.store import ModelStore
from models.versions import Version
from tests.tiny_models import publish_style, publish_unusable, publish_z
from tests.worker_fakes import wait_until
from worker import default
from worker.default import DefaultModel
from worker.loaded import LoadedModels

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def models() -> LoadedModels:
    return LoadedModels(Device(), 4, 2**30)


@pytest.fixture
def watched(tmp_path: Path, models: LoadedModels) -> DefaultModel:
    publish_style(tmp_path)
    found = DefaultModel(ModelStore([tmp_path], "tiny-style"), models)
    found.begin()
    return found


def damage(version: Version) -> None:
    (version.folder / "mapping.onnx").write_bytes(b"")


def test_a_new_version_is_warm_before_anybody_asks(
    watched: DefaultModel, models: LoadedModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default, "PERIOD_SECONDS", 0.01)
    watched.start()
    publish_style(tmp_path, version="2", seed=1, created=LATER)
    wait_until(lambda: "tiny-style@2" in models.references())
    watched.stop()


def test_a_bad_version_is_refused_with_one_line_and_the_old_stays(
    watched: DefaultModel, models: LoadedModels, tmp_path: Path
) -> None:
    version = publish_style(tmp_path, version="2", seed=1, created=LATER)
    damage(version)
    with capture_logs() as lines:
        for _ in range(3):
            watched.look()
    assert len([line for line in lines if line["log_level"] == "error"]) == 1
    assert models.references() == ["tiny-style@1"]
    for i in range(3):
        models.get(publish_z(tmp_path, f"other{i}"))
    assert models.references()[0] == "tiny-style@1"


def test_a_version_whose_card_cannot_be_read_is_refused_with_one_line_too(
    models: LoadedModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_style(tmp_path)
    card = publish_style(tmp_path, version="2", seed=1, created=LATER).folder / "card.json"
    card.write_text("{")
    (publish_style(tmp_path, "another").folder / "card.json").write_text("{")
    refused: list[None] = []
    watched = DefaultModel(ModelStore([tmp_path], "tiny-style"), models, lambda: refused.append(None))
    with capture_logs() as lines:
        watched.begin()
        watched.look()
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["model"]) == ("model version refused", "tiny-style")
    assert str(card) in line["message"]
    assert (len(refused), watched.reference) == (1, "tiny-style@1")
    monkeypatch.setattr(default, "RETRY_SECONDS", 0.0)
    watched._refused.clear()
    watched.look()
    watched.look()
    assert len(refused) == 3, "the alert stays as long as the card is damaged"


def test_the_default_is_never_put_out(tmp_path: Path) -> None:
    models = LoadedModels(Device(), 4, memory=1)
    first: Any = models.pin(publish_style(tmp_path))
    others = [publish_z(tmp_path, f"m{i}") for i in range(3)]
    for version in others:
        assert models.get(version).card == version.card
        assert first.card.reference in models.references()
        assert len(models.references()) <= 2
    models.pin(others[0])
    assert others[0].card.reference in models.references()
    assert len(models.references()) <= 2


def test_an_emptied_store_is_one_line(watched: DefaultModel, models: LoadedModels, tmp_path: Path) -> None:
    (tmp_path / "tiny-style" / "1" / "card.json").unlink()
    with capture_logs() as lines:
        for _ in range(3):
            watched.look()
    assert len(lines) == 1
    assert models.references() == ["tiny-style@1"]


def test_a_worker_starts_with_the_newest_version_that_works_and_says_what_it_refused(
    models: LoadedModels, tmp_path: Path
) -> None:
    publish_style(tmp_path)
    publish_style(tmp_path, version="2", seed=1, created=datetime(2099, 1, 1, tzinfo=UTC))
    publish_unusable(tmp_path, version="3", created=LATER)
    damage(publish_style(tmp_path, version="4", seed=2, created=datetime(2101, 1, 1, tzinfo=UTC)))
    refusals: list[int] = []
    found = DefaultModel(ModelStore([tmp_path], "tiny-style"), models, lambda: refusals.append(1))
    with capture_logs() as lines:
        loaded = found.begin()
        found.look()
    assert (loaded.card.reference, found.reference, models.references()) == ("tiny-style@2", "tiny-style@2", ["tiny-style@2"])
    assert [line["model"] for line in lines if line["log_level"] == "error"] == ["tiny-style@4", "tiny-style@3"]
    assert len(refusals) == 2


def test_where_no_version_of_the_default_works_another_model_serves_until_one_does(models: LoadedModels, tmp_path: Path) -> None:
    damage(publish_style(tmp_path))
    publish_z(tmp_path)
    found = DefaultModel(ModelStore([tmp_path], "tiny-style"), models)
    with capture_logs() as lines:
        assert found.begin().card.name == found.reference.partition("@")[0] == "tiny-z"
    assert lines[-1] == {
        "event": "no version of the default model works; another model serves",
        "default": "tiny-style",
        "model": "tiny-z@1",
        "log_level": "error",
    }
    publish_style(tmp_path, version="2", created=LATER)
    found.look()
    assert found.reference == "tiny-style@2"


def test_where_no_model_works_the_reason_is_that_of_the_newest_default(models: LoadedModels, tmp_path: Path) -> None:
    damage(publish_style(tmp_path))
    publish_unusable(tmp_path, version="2", created=LATER)
    with pytest.raises(BadModel, match="tiny-style@2"):
        DefaultModel(ModelStore([tmp_path], "tiny-style"), models).begin()


def test_a_device_that_does_not_work_is_no_fault_of_a_version(tmp_path: Path) -> None:
    publish_style(tmp_path)
    broken = LoadedModels(Device(("NoSuchProvider", "CPUExecutionProvider"), strict=True), 4, 2**30)
    with pytest.raises(BadInput, match="fell back"):
        DefaultModel(ModelStore([tmp_path], "tiny-style"), broken).begin()


def test_a_version_whose_files_are_restored_is_tried_again(
    watched: DefaultModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish_style(tmp_path, version="2", seed=1, created=LATER)
    whole = (version.folder / "mapping.onnx").read_bytes()
    damage(version)
    watched.look()
    (version.folder / "mapping.onnx").write_bytes(whole)
    watched.look()
    assert watched.reference == "tiny-style@1"
    monkeypatch.setattr("worker.default.time.monotonic", lambda: float("inf"))
    watched.look()
    assert watched.reference == "tiny-style@2"


def test_a_version_that_is_taken_back_gives_way_to_the_one_before(
    watched: DefaultModel, models: LoadedModels, tmp_path: Path
) -> None:
    version = publish_style(tmp_path, version="2", seed=1, created=LATER)
    watched.look()
    assert watched.reference == "tiny-style@2"
    shutil.rmtree(version.folder)
    watched.look()
    assert watched.reference == "tiny-style@1"
