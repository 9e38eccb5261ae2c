"""A network for larger images begins where the one for smaller images ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import build
from training.architectures.stylegan2 import Discriminator, Generator, StyleGAN2Config
from training.data.archive import read
from training.loop import train
from training.transfer import transfer

SMALL = StyleGAN2Config(resolution=16, bands=3, z_dim=8, w_dim=8, classes=6, channel_base=512, channel_max=32, softening=0.03)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    folder = tmp_path_factory.mktemp("small")
    train(replace(tiny_config("stylegan2"), network=SMALL, kimg=0.016), read(archives[16]), folder)
    return folder


def _grown(run: Path, config: StyleGAN2Config) -> tuple[Generator, Discriminator, list[str]]:
    generator, discriminator = build(config)
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    return generator, discriminator, transfer(run, generator, generator, discriminator)


def _before(run: Path) -> tuple[Generator, Discriminator]:
    generator, discriminator = build(SMALL)
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    networks = checkpoints.load_networks(checkpoints.newest(run))
    generator.load_state_dict(checkpoints.load(checkpoints.newest(run), "ema"))
    discriminator.load_state_dict(networks["discriminator"])
    return generator, discriminator


def _smooth(n: int, bands: int, side: int) -> Tensor:
    """Planes of other slopes in every image and band: halving and blurring leave them as they are."""
    rng = torch.Generator().manual_seed(1)
    a, b, c = (torch.randn(n, bands, 1, 1, generator=rng) for _ in range(3))
    x = (torch.arange(side) - (side - 1) / 2) / side
    return a * x[:, None] + b * x[None, :] + c


@pytest.mark.parametrize("resolution", [32, 64])
def test_the_larger_generator_shows_the_smaller_ones_image(run: Path, resolution: int) -> None:
    small, _ = _before(run)
    large, _, lines = _grown(run, replace(SMALL, resolution=resolution))
    assert f"grown from 16 to {resolution} px" in lines[1]
    z, onehot = torch.randn(4, 8), torch.eye(6)[:4]
    w = small.mapping(z, onehot)[:, None]
    noise = torch.randn(4, large.config.noise_size)
    expected = small.synthesis.as_seen(w.expand(-1, small.config.num_ws, -1), noise[:, : small.config.noise_size])
    while expected.shape[-1] < resolution:
        expected = F.interpolate(expected, scale_factor=2.0, mode="bilinear")
    made = large.synthesis.as_seen(w.expand(-1, large.config.num_ws, -1), noise)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("times", [1, 2])
def test_the_larger_discriminator_sees_what_the_smaller_one_saw(run: Path, times: int) -> None:
    _, small = _before(run)
    _, large, _ = _grown(run, replace(SMALL, resolution=16 * 2**times))
    x = large.from_bands(_smooth(4, 3, 16 * 2**times))
    x = F.leaky_relu(x, 0.2) * 2**0.5
    for block in large.blocks[:times]:
        x = block(x)
    halved = F.avg_pool2d(_smooth(4, 3, 16 * 2**times), 2**times)
    expected = F.leaky_relu(small.from_bands(halved), 0.2) * 2**0.5
    inner = slice(2, -2)  # the blur sees zeros beyond the border
    torch.testing.assert_close(x[:, :, inner, inner], expected[:, :, inner, inner], atol=1e-4, rtol=1e-4)


def test_bands_may_change_while_it_grows(run: Path) -> None:
    large, _, lines = _grown(run, replace(SMALL, resolution=32, bands=2))
    assert "grown from 16 to 32 px" in lines[1]
    assert "synthesis.to_bands.0.weight" in lines[1]
    assert large.sample(torch.randn(2, 8), torch.eye(6)[:2]).shape == (2, 2, 32, 32)


def test_every_parameter_of_a_grown_network_can_learn(run: Path) -> None:
    generator, discriminator, _ = _grown(run, replace(SMALL, resolution=32))
    parameters = {id(p): name for network in (generator, discriminator) for name, p in network.named_parameters()}
    optimiser = torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], 1e-3)
    rng, onehot = torch.Generator().manual_seed(0), torch.eye(6)[:4]
    moved = set()
    for _ in range(4):  # what is silent learns at the second step, what lies behind it at the third
        images = generator.training_images(generator.draw(4, rng), onehot, torch.float32)
        optimiser.zero_grad()
        F.softplus(-discriminator(images, onehot)).mean().backward()  # type: ignore[no-untyped-call]
        moved |= {id(p) for group in optimiser.param_groups for p in group["params"] if p.grad is not None and p.grad.any()}
        optimiser.step()
    assert [name for key, name in parameters.items() if key not in moved] == []


def test_too_few_feature_maps_are_one_clear_error(run: Path) -> None:
    with pytest.raises(BadInput, match=r"growing to 128 px needs 6 feature maps there, twice the bands; there are 4"):
        _grown(run, replace(SMALL, resolution=128))


def test_other_widths_are_refused(run: Path) -> None:
    with pytest.raises(BadInput, match="only bands may differ"):
        _grown(run, replace(SMALL, resolution=32, channel_base=256))


def test_a_larger_run_trains_on_from_a_smaller_one(run: Path, tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), network=replace(SMALL, resolution=64), kimg=0.008, transfer=str(run))
    train(config, read(archives[64]), tmp_path)
    assert checkpoints.finished(tmp_path, 0.008)
