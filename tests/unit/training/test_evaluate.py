"""Evaluation writes figures into the card, reuses what it did, and refuses what it cannot judge."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from models.store import publish
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.data.archive import read
from training.evaluate import EvaluateOptions, evaluate
from training.export import ExportOptions, export
from training.loop import train
from training.metrics.inception import find_network, load_network

pytestmark = pytest.mark.slow  # the exporter and the FID network take seconds


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    train(replace(tiny_config("stylegan2"), kimg=0.008), read(archives[16]), folder / "run")
    export(
        checkpoints.list_checkpoints(folder / "run")[-1],
        folder / "out",
        ExportOptions("tiny", "1", "T", "t", "MIT"),
        lambda s: None,
    )
    return folder / "out"


def quiet(what: str, done: int, total: int) -> None:
    """A progress callback that says nothing."""


def options(cache: Path) -> EvaluateOptions:
    return EvaluateOptions(count=20, cache=cache, network=find_network())


def test_figures_land_in_the_card_and_are_reused(exported: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    model, archive = tmp_path / "model", read(archives[16])
    shutil.copytree(exported, model)
    metrics = evaluate(model, archive, options(tmp_path / "cache"), quiet)
    assert metrics["fid20_train"]["n_generated"] == 20
    assert metrics["fid20_train"]["n_reference"] == len(archive.training())
    assert metrics["fid20_train"]["value"] > metrics["floor"]["fid"] > 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert evaluate(model, archive, options(tmp_path / "cache"), quiet) == metrics
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    published = publish(model, tmp_path / "store")
    assert published.card.metrics == json.loads(json.dumps(metrics))
    assert published.path("samples").read_bytes().startswith(b"\x89PNG")


def test_another_data_set_is_refused(exported: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    before = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    with pytest.raises(BadInput, match="give the archive of its training"):
        evaluate(exported, read(archives[64]), options(tmp_path), quiet)
    assert ModelCard.model_validate_json((exported / "card.json").read_bytes()) == before


def test_a_foreign_network_is_never_run(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "network.pt"
    path.write_bytes(b"torchscript of somebody else")
    with pytest.raises(BadInput, match="no known copy of the FID network"):
        load_network(path, torch.device("cpu"))
