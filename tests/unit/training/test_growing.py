"""A network for larger images begins where the one for smaller images ended."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import build
from training.architectures.stylegan2 import Discriminator, Generator, StyleGAN2Config
from training.data.archive import read
from training.frozen import trainable
from training.growing import grown_discriminator
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
    assert torch.equal(large.synthesis.noise_const[: small.config.noise_size], small.synthesis.noise_const)


def _first_features(network: Discriminator, images: Tensor, blocks: int) -> Tensor:
    """What the first ``blocks`` blocks see in ``images``, without the border, where the blur sees zeros beyond."""
    x = F.leaky_relu(network.from_bands(images), 0.2) * 2**0.5
    for block in network.blocks[:blocks]:
        x = block(x)
    return x[:, :, 2:-2, 2:-2]


@pytest.mark.parametrize("times", [1, 2])
def test_the_larger_discriminator_sees_what_the_smaller_one_saw(run: Path, times: int) -> None:
    _, small = _before(run)
    _, large, _ = _grown(run, replace(SMALL, resolution=16 * 2**times))
    images = _smooth(4, 3, 16 * 2**times)
    expected = _first_features(small, F.avg_pool2d(images, 2**times), 0)
    torch.testing.assert_close(_first_features(large, images, times), expected, atol=1e-4, rtol=1e-4)
    behind = {name: value for name, value in large.state_dict().items() if not name.startswith(("from_bands", "blocks"))}
    behind |= {f"blocks.{name}": value for name, value in large.blocks[times:].state_dict().items()}
    kept = {name: value for name, value in small.state_dict().items() if not name.startswith("from_bands")}
    assert behind.keys() == kept.keys()
    assert all(torch.equal(behind[name], value) for name, value in kept.items())


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_bands_may_change_while_it_grows(run: Path, bands: int) -> None:
    _, small = _before(run)
    large, judge, lines = _grown(run, replace(SMALL, resolution=32, bands=bands))
    assert "grown from 16 to 32 px" in lines[1]
    assert "synthesis.to_bands.0.weight" in lines[1]
    assert large.sample(torch.randn(2, 8), torch.eye(6)[:2]).shape == (2, bands, 32, 32)
    if bands == 2:  # of three bands, two cannot keep the sum of weights exactly
        return
    grey = _smooth(4, 1, 32)
    expected = _first_features(small, F.avg_pool2d(grey, 2).expand(-1, 3, -1, -1), 0)
    torch.testing.assert_close(_first_features(judge, grey.expand(-1, bands, -1, -1), 1), expected, atol=1e-4, rtol=1e-4)


def test_a_discriminator_that_is_stored_in_half_grows(run: Path) -> None:
    weights = checkpoints.load_networks(checkpoints.newest(run))["discriminator"]
    _, large, _ = _grown(run, replace(SMALL, resolution=32))
    half = grown_discriminator(large, {name: value.half() for name, value in weights.items()}, 1)
    for name, value in grown_discriminator(large, weights, 1).items():
        torch.testing.assert_close(half[name].float(), value, atol=1e-2, rtol=1e-2)


def test_layers_that_are_missing_are_not_made_up(run: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoints.newest(run), tmp_path / "damaged")
    for file, name in (("ema", "synthesis.noise_const"), ("networks", "discriminator.from_bands.weight")):
        tensors = load_file(tmp_path / "damaged" / f"{file}.safetensors")
        del tensors[name]
        save_file(tensors, tmp_path / "damaged" / f"{file}.safetensors")
        generator, discriminator = build(replace(SMALL, resolution=32))
        with pytest.raises(BadInput, match="has other layers than this network"):
            transfer(tmp_path / "damaged", generator, generator, discriminator if file == "networks" else None)
        shutil.copy(checkpoints.newest(run) / f"{file}.safetensors", tmp_path / "damaged")


def test_added_layers_are_not_frozen(run: Path) -> None:
    generator, discriminator = build(replace(SMALL, resolution=32))
    assert discriminator is not None
    trainable(discriminator, 2, "freeze_discriminator")
    with pytest.raises(BadInput, match=r"freeze_discriminator counts from the image, .* 0 is allowed"):
        transfer(run, generator, generator, discriminator)


def test_another_stretch_of_pixels_is_said(run: Path) -> None:
    *_, lines = _grown(run, replace(SMALL, resolution=32, softening=0.0))
    assert lines[1] == "  network.softening is 0.03 there and 0 here: pixels mean something else to the weights at first"


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
    with pytest.raises(BadInput, match=r"of 3 bands grows to 128 px with 6 feature maps there, .* this network has 4"):
        _grown(run, replace(SMALL, resolution=128))


def test_other_widths_are_refused(run: Path) -> None:
    with pytest.raises(BadInput, match="only bands and classes may differ"):
        _grown(run, replace(SMALL, resolution=32, channel_base=256))


def test_a_larger_run_trains_on_from_a_smaller_one(run: Path, tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), network=replace(SMALL, resolution=64), kimg=0.008, transfer=str(run))
    train(config, read(archives[64]), tmp_path)
    assert checkpoints.finished(tmp_path, 0.008)
