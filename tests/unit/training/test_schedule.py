"""Learning rates follow the images seen, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.training.conftest import tiny_config
from training.schedule import rates

CONFIG = replace(tiny_config("stylegan2"), kimg=100.0, lr_generator=1.0, lr_discriminator=2.0)


def test_rates_are_constant_by_default() -> None:
    assert {rates(CONFIG, images) for images in (0, 50_000, 99_999)} == {(1.0, 2.0)}


def test_both_rates_fall_linearly_to_two_per_cent() -> None:
    config = replace(CONFIG, lr_decay_kimg=40.0)
    assert rates(config, 60_000) == (1.0, 2.0)
    assert rates(config, 80_000) == pytest.approx((0.5, 1.0))
    assert rates(config, 100_000) == pytest.approx((0.02, 0.04))


def test_the_generator_waits_and_then_rises_over_ten_kimg() -> None:
    config = replace(CONFIG, generator_from_kimg=20.0)
    assert [rates(config, kimg * 1000).generator for kimg in (0, 19.99, 20, 25, 30, 90)] == pytest.approx(
        [0.0, 0.0, 0.05, 0.5, 1.0, 1.0]
    )
    assert rates(config, 0).discriminator == 2.0
