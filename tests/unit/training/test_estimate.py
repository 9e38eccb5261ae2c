"""A dry run says what the run will cost: every kind of step in its share, and a network that grows at its full size."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.training.conftest import tiny_config
from training import estimate as module
from training.architectures import build
from training.architectures.stylegan import StyleGANConfig
from training.config import TrainConfig
from training.estimate import estimate, parameters
from training.presets import resolve

Cost = Callable[[TrainConfig, int], float]
"""Seconds of a step."""
TICK = 3
"""A line of the log after so many steps, as a run writes one every 20 seconds."""


def lazily(config: TrainConfig, step: int) -> float:
    """A step takes 1 s, R1 0.7 s and path lengths 4 s more, an update of the generator 2 s."""
    r1 = 0.7 * (config.loss == "logistic" and config.r1_gamma > 0 and step % config.r1_interval == 0)
    paths = 4.0 * (config.pl_weight > 0 and step % config.pl_interval == 0)
    return 1 + r1 + paths + 2 * ((step + 1) % config.critic_steps == 0)


def by_side(config: TrainConfig, step: int) -> float:
    """As many seconds as the images at this step have pixels."""
    assert isinstance(config.network, StyleGANConfig)
    return 4.0 ** config.network.level(step * config.batch / 1000)


def running(monkeypatch: pytest.MonkeyPatch, cost: Cost) -> None:
    """Runs write the log that a run of these costs writes, and take no time. The first half is twice as slow."""

    def launch(config: TrainConfig, data: Path, run: Path) -> None:
        seconds, rows = 0.0, []
        steps = math.ceil(config.kimg * 1000 / config.batch)
        for step in range(steps):
            seconds += cost(config, step) * (2 if step < steps // 2 else 1)
            kimg = (step + 1) * config.batch / 1000
            if step % TICK == TICK - 1 or step + 1 in (steps // 2, steps):
                rows.append({"kimg": kimg, "seconds": seconds, "images_per_second": 1.0, "memory_gb": 1.5})
        (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    monkeypatch.setattr(module, "launch", launch)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("stylegan2-n1", []),  # R1 every 4 steps, path lengths every 32
        ("stylegan2-ada-n2", []),  # every 16 and every 4
        ("stylegan2-64-cpu", []),  # R1 alone
        ("stylegan2-64-cpu", ["r1_interval=6", "pl_weight=2", "pl_interval=4"]),
        ("fussell-moews-f1", []),  # no regulariser at all
        ("stylegan-c1", ["loss=wgan-gp", "critic_steps=5"]),
    ],
)
def test_every_regulariser_is_measured_in_its_share(monkeypatch: pytest.MonkeyPatch, preset: str, settings: list[str]) -> None:
    config = resolve(preset, settings, bands=3, resolution=64, classes=0)
    running(monkeypatch, lazily)
    steps = 4 * 6 * 16 * 5  # a multiple of every interval
    whole = sum(lazily(config, step) for step in range(steps)) / steps * config.kimg * 1000 / config.batch
    assert estimate(config, Path()).seconds == pytest.approx(whole)


@pytest.mark.parametrize("preset", ["stylegan-c1", "stylegan-c1-cpu", "stylegan-c2-sdss-jpg"])
def test_a_network_that_grows_is_measured_at_its_full_size(monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    config = resolve(preset, [], bands=3, resolution=256, classes=0)
    running(monkeypatch, by_side)
    assert estimate(config, Path()).seconds == pytest.approx(256**2 * config.kimg * 1000 / config.batch)


@pytest.mark.slow
def test_a_dry_run_measures_and_leaves_nothing(
    archives: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = estimate(tiny_config("stylegan2"), archives[16])
    assert 0.1 < found.images_per_second < 1e5
    assert 0.05 < found.memory_gb < 4
    assert list(tmp_path.iterdir()) == []


def test_parameters_are_counted_without_making_them() -> None:
    config = tiny_config("stylegan2")
    generator, discriminator = build(config.network)
    assert discriminator is not None
    expected = {
        "generator": sum(p.numel() for p in generator.parameters()),
        "discriminator": sum(p.numel() for p in discriminator.parameters()),
    }
    assert parameters(config) == expected
