"""StyleGAN2 at every size and precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.training import GroupedConv, GroupedToBands
from tests.unit.training.conftest import tiny_config
from training.architectures import build
from training.architectures.stylegan2 import ModulatedConv, StyleGAN2Config, ToBands, stretched, unstretched
from training.data.archive import read
from training.export import layer_groups
from training.regularisers import path_lengths
from training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize("resolution", [8, 10, 12, 14, 16, 24, 28, 40, 96])
def test_sides_of_four_to_seven_times_a_power_of_two(resolution: int) -> None:
    network = replace(tiny_config("stylegan2").network, resolution=resolution, bands=2)
    generator, discriminator = build(network)
    assert discriminator is not None
    draw = generator.draw(4, torch.Generator().manual_seed(0))
    images = generator.training_images(draw, torch.eye(6)[:4], torch.float32)
    assert images.shape == (4, 2, resolution, resolution)
    assert discriminator(images, torch.eye(6)[:4]).shape == (4,)
    assert isinstance(network, StyleGAN2Config)
    assert 4 <= network.first_side <= 7
    assert sorted(layer for group in layer_groups(network).values() for layer in group) == list(range(network.num_ws))
    assert layer_groups(network)["coarse"][:3] == [0, 1, 2]


@pytest.mark.parametrize("resolution", [4, 7, 9, 50, 36])
def test_other_sides_are_refused(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"resolution {resolution}: 4, 5, 6 or 7 times"):
        StyleGAN2Config(resolution=resolution)


def test_float16_trains_and_stays_within_its_clamp(tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(replace(tiny_config("stylegan2"), precision="float16"), read(archives[16]), tmp_path, 0, CPU)
    for _ in range(3):
        logs = trainer.one_step()
    assert all(torch.isfinite(value) for value in logs.values())
    layer = ModulatedConv(6, 5, 4)
    loud = layer((torch.full((2, 6, 8, 8), 2e4)).half(), torch.randn(2, 4) * 1e3, torch.zeros(2, 1, 8, 8))
    assert torch.isfinite(loud).all()
    assert loud.abs().max() <= 256


def test_float16_layers_agree_with_float32() -> None:
    torch.manual_seed(0)
    layer, x, w, noise = ModulatedConv(6, 5, 4, up=True), torch.randn(3, 6, 8, 8), torch.randn(3, 4), torch.zeros(3, 1, 16, 16)
    torch.testing.assert_close(layer(x.half(), w, noise).float(), layer(x, w, noise), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("up", [False, True])
def test_the_benchmark_s_peer_is_the_same_function(up: bool) -> None:
    torch.manual_seed(0)
    side = 16 if up else 8
    layer, x, w, noise = ModulatedConv(6, 5, 4, up=up), torch.randn(3, 6, 8, 8), torch.randn(3, 4), torch.randn(3, 1, side, side)
    torch.nn.init.ones_(layer.noise_strength)
    ours = layer(x, w, noise)
    layer.__class__ = GroupedConv
    torch.testing.assert_close(layer(x, w, noise), ours, atol=1e-5, rtol=1e-4)
    bands = ToBands(6, 3, 4)
    ours = bands(x, w)
    bands.__class__ = GroupedToBands
    torch.testing.assert_close(bands(x, w), ours, atol=1e-5, rtol=1e-4)


def test_path_lengths_of_a_linear_generator_are_its_singular_scale() -> None:
    ws = torch.randn(5, 2, 3, requires_grad=True)
    matrix = torch.randn(6, 1 * 4 * 4)
    images = (ws.flatten(1) @ matrix).reshape(5, 1, 4, 4)
    directions = torch.randn(5, 1, 4, 4)
    expected = (F.linear(directions.flatten(1), matrix) / 4).reshape(5, 2, 3).square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(path_lengths(images, ws, directions), expected)


@settings(deadline=None)
@given(st.floats(0.004, 1.0), st.lists(st.floats(-1.0, 1.0, width=32), min_size=1, max_size=20))
def test_stretching_is_undone(softening: float, values: list[float]) -> None:
    images = torch.tensor(values)
    seen = stretched(images, softening)
    assert seen.min() >= -1.0001
    assert seen.max() <= 5.0001
    torch.testing.assert_close(unstretched(seen, softening), images, atol=1e-5, rtol=0)


def test_training_sees_stretched_pixels_and_users_plain_ones() -> None:
    network = replace(tiny_config("stylegan2").network, softening=0.03)
    generator, discriminator = build(network)
    assert discriminator is not None
    draw = generator.draw(4, torch.Generator().manual_seed(0)) | {"crossover": torch.full((4,), network.num_ws)}
    seen = generator.training_images(draw, torch.eye(6)[:4], torch.float32)
    plain = generator.sample(draw["z"], torch.eye(6)[:4], draw["noise"])
    torch.testing.assert_close(seen, stretched(plain, 0.03), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(discriminator.real_images(plain), stretched(plain, 0.03))
