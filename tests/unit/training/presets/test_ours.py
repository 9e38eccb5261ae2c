from __future__ import annotations

import inspect

import pytest

from training.cli.train import train
from training.presets import find
from training.presets.ours import PRESETS


@pytest.mark.parametrize("name", [name for name in PRESETS if "-sim" not in name])
def test_ours_adapt_an_augmentation_that_is_safe_for_galaxies(name: str) -> None:
    config = find(name).config
    assert config.augment == "galaxy"
    assert config.augment_p is None


def test_one_of_ours_is_what_train_takes_by_default() -> None:
    assert inspect.signature(train, eval_str=True).parameters["preset"].default in PRESETS
