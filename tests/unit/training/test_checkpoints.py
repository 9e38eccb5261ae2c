"""A checkpoint that is damaged or of another network is one clear error, whoever reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import build
from training.checkpoints import STATE
from training.export import DATASET, ExportOptions, export

OPTIONS = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    config = tiny_config("dcgan")
    state: dict[str, Any] = {
        "images_seen": 8,
        "seconds": 1.0,
        "config": config.to_json(),
        "dataset": {"digest": "sha256:0", **dict.fromkeys(DATASET)},
        "software": {},
        "device": "cpu",
    }
    return checkpoints.save(tmp_path / "run", 8, {"ema": build(config.network)[0].state_dict()}, state)


@pytest.mark.parametrize("key", STATE)
def test_a_state_without_one_of_its_keys_is_named(saved: Path, key: str) -> None:
    assert checkpoints.read_state(saved)["images_seen"] == 8
    state = json.loads((saved / "state.json").read_text())
    for damaged in ({k: v for k, v in state.items() if k != key}, {**state, key: None}):
        (saved / "state.json").write_text(json.dumps(damaged))
        with pytest.raises(BadInput, match=f"{saved} does not say its {key}: state.json is damaged"):
            checkpoints.read_state(saved)


def test_a_data_set_without_a_digest_is_refused(saved: Path) -> None:
    state = json.loads((saved / "state.json").read_text())
    del state["dataset"]["digest"]
    (saved / "state.json").write_text(json.dumps(state))
    with pytest.raises(BadInput, match="does not say its dataset's digest"):
        checkpoints.read_state(saved)


def test_a_state_that_is_no_object_is_refused(saved: Path) -> None:
    (saved / "state.json").write_text("[]")
    with pytest.raises(BadInput, match="does not say its images_seen, seconds, config"):
        checkpoints.read_state(saved)


def test_weights_of_another_network_are_not_exported(saved: Path, tmp_path: Path) -> None:
    tensors = checkpoints.load(saved, "ema")
    del tensors["layers.0.weight"]
    save_file(tensors, saved / "ema.safetensors")
    with pytest.raises(BadInput, match=f"checkpoint {saved} does not fit this network: .*layers.0.weight"):
        export(saved, tmp_path / "out", OPTIONS, lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_data_set_of_which_too_little_is_known_is_not_exported(saved: Path, tmp_path: Path) -> None:
    state = json.loads((saved / "state.json").read_text())
    del state["dataset"]["credits"]
    (saved / "state.json").write_text(json.dumps(state))
    with pytest.raises(BadInput, match="does not say credits of its data set"):
        export(saved, tmp_path / "out", OPTIONS, lambda text: None)
