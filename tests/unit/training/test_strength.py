"""What steers the strength of augmentation: signs of logits, or held-out images where they are looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training.config import TrainConfig
from training.data.archive import read
from training.strength import HELD_OUT_EVERY, Strength
from training.trainer import Trainer


def config(signal: str, target: float) -> TrainConfig:
    changes = {"augment": "galaxy", "augment_signal": signal, "augment_target": target, "augment_interval": 2}
    return replace(tiny_config("stylegan2"), **changes, augment_speed_kimg=1.0)


def logs(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def test_signs_raise_the_strength_once_an_interval() -> None:
    strength = Strength(config("r_t", 0.6))
    strength.note(logs(r_t=0.9))
    assert strength.p == 0
    strength.note(logs(r_t=0.9))
    assert strength.p == pytest.approx(2 * 4 / 1000)
    for _ in range(2):
        strength.note(logs(r_t=0.1))
    assert strength.p == 0


def test_held_out_images_steer_only_where_they_were_looked_at() -> None:
    strength = Strength(config("r_v", 0.5))
    strength.note(logs(r_t=1.0, logit_real=1.0, logit_fake=-1.0))
    assert strength.p == 0
    strength.note(logs(r_t=1.0, logit_real=1.0, logit_fake=-1.0, logit_held_out=-0.8))
    assert strength.p == pytest.approx(HELD_OUT_EVERY * 4 / 1000), "0.9 of the way to complete overfitting"
    strength.note(logs(r_t=1.0, logit_real=1.0, logit_fake=-1.0, logit_held_out=0.9))
    assert strength.p == 0


@pytest.mark.parametrize("signal", ["r_t", "r_v"])
def test_a_strength_goes_on_where_it_stood(signal: str) -> None:
    told = logs(r_t=0.9, logit_real=1.0, logit_fake=-1.0, logit_held_out=-0.9)
    whole, first, second = (Strength(config(signal, 0.3)) for _ in range(3))
    first.note(told)
    second.restore(first.state())
    second.note(told)
    for _ in range(2):
        whole.note(told)
    assert second.state() == whole.state()
    assert second.p == whole.p > 0


def test_signs_of_older_checkpoints_are_understood() -> None:
    strength = Strength(config("r_t", 0.6))
    strength.restore(strength.state() | {"pending": [0.9]})
    strength.note(logs(r_t=0.9))
    assert strength.p > 0


def test_without_held_out_images_they_cannot_steer(archives: dict[int, Path], tmp_path: Path) -> None:
    archive = read(archives[16])
    whole = replace(archive, held_out=np.zeros_like(archive.held_out))
    with pytest.raises(BadInput, match="augment_signal r_v needs held-out images"):
        Trainer(config("r_v", 0.5), whole, tmp_path, 0, torch.device("cpu"))
    with pytest.raises(ValueError, match="augment_signal 'r_x': one of r_t, r_v is allowed"):
        config("r_x", 0.5)
