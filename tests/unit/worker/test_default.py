from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.generator import Device
from models.store import ModelStore
from tests.tiny_models import publish_style, publish_z
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
    store = ModelStore([tmp_path], "tiny-style")
    found = DefaultModel(store, models)
    found.warm(store.get())
    return found


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
    (version.folder / "mapping.onnx").write_bytes(b"")
    with capture_logs() as lines:
        for _ in range(3):
            watched.look()
    assert len([line for line in lines if line["log_level"] == "error"]) == 1
    assert models.references() == ["tiny-style@1"]
    for i in range(3):
        models.get(publish_z(tmp_path, f"other{i}"))
    assert models.references()[0] == "tiny-style@1"


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
