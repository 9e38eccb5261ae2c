"""One suite that every architecture passes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.unit.training.conftest import tiny_config
from training.architectures import ARCHITECTURES, Discriminator, Generator, NetworkConfig, build
from training.architectures.layers import FirDown, FirUp, minibatch_std
from training.architectures.stylegan2 import ModulatedConv, StyleGAN2Config
from training.data.archive import Archive
from training.losses import LOSSES, r1_penalty

Networks = tuple[Generator, Discriminator | None]


@pytest.fixture(params=sorted(ARCHITECTURES))
def networks(request: pytest.FixtureRequest) -> Networks:
    torch.manual_seed(0)
    return build(tiny_config(request.param).network)


GROWTH = (0.0, 0.016, 1.0)
"""Thousands of images after which progressive networks are small, growing and whole."""


def onehot(config: object, n: int) -> torch.Tensor | None:
    classes: int = config.classes  # type: ignore[attr-defined]
    return F.one_hot(torch.arange(n) % classes, classes).float() if classes else None


def reals(config: NetworkConfig, n: int) -> torch.Tensor:
    return torch.rand(n, config.bands, config.resolution, config.resolution, generator=torch.Generator().manual_seed(5)) * 2 - 1


def inputs(generator: Generator, n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """What a training step gives: the draw, and for some architectures something of the real batch."""
    return generator.draw(n, torch.Generator().manual_seed(seed)) | generator.given(reals(generator.config, n))


def test_shapes(networks: Networks) -> None:
    generator, discriminator = networks
    config = generator.config
    images = generator.training_images(inputs(generator, 5), onehot(config, 5), torch.float32)
    assert images.shape == (5, config.bands, config.resolution, config.resolution)
    assert images.dtype == torch.float32
    if discriminator is not None:
        assert discriminator(images, onehot(config, 5)).shape == (5,)


def test_every_parameter_gets_a_gradient(networks: Networks) -> None:
    generator, discriminator = networks
    config = generator.config
    if isinstance(config, StyleGAN2Config):
        for module in generator.modules():
            if isinstance(module, ModulatedConv):
                torch.nn.init.ones_(module.noise_strength)
    for kimg in GROWTH:
        generator.advance(kimg)
        adversarial = torch.zeros([])
        draw = inputs(generator, 8)
        fake = generator.training_images(draw, onehot(config, 8), torch.float32)
        if discriminator is not None:
            discriminator.advance(kimg)
            adversarial = LOSSES["logistic"].generator(discriminator(fake, onehot(config, 8)))
        generator.objective(adversarial, fake, draw).backward()
    for network in filter(None, networks):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_bfloat16_is_close_to_float32(networks: Networks) -> None:
    generator, _ = networks
    generator.eval()
    given = onehot(generator.config, 4)
    exact = generator.training_images(inputs(generator, 4), given, torch.float32)
    rough = generator.training_images(inputs(generator, 4), given, torch.bfloat16)
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().mean() < 0.05 * exact.abs().mean() + 0.01


def test_image_does_not_depend_on_its_batch(networks: Networks) -> None:
    generator, _ = networks
    generator.eval()
    if generator.refines:
        draw = inputs(generator, 6)
        together = generator.training_images(draw, None, torch.float32)
        for i in range(6):
            alone = generator.training_images({key: value[i : i + 1] for key, value in draw.items()}, None, torch.float32)
            torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-4)
        return
    draw = generator.draw(6, torch.Generator().manual_seed(1))
    given = onehot(generator.config, 6)
    together = generator.sample(draw["z"], given, draw.get("noise"))
    for i in range(6):
        noise = draw["noise"][i : i + 1] if "noise" in draw else None
        alone = generator.sample(draw["z"][i : i + 1], None if given is None else given[i : i + 1], noise)
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_training_lowers_the_loss_on_32_real_galaxies(architecture: str, archive64: Archive) -> None:
    """The discriminator's, and where the generator has a loss of its own (pixels, evidence) the generator's."""
    torch.manual_seed(0)
    generator, discriminator = build(tiny_config(architecture).network)
    config = generator.config
    pixels, labels = archive64.batch(np.arange(32), np.zeros(32, np.int64))
    real = F.interpolate(torch.from_numpy(pixels), size=config.resolution, mode="area")
    given = F.one_hot(torch.from_numpy(labels), 6).float() if config.classes else None
    draw = generator.draw(32, torch.Generator().manual_seed(0))
    fake = generator.training_images(draw | generator.given(real), given, torch.float32).detach()

    def judged() -> torch.Tensor:
        assert discriminator is not None
        return LOSSES["logistic"].discriminator(discriminator(real, given), discriminator(fake, given))

    def made() -> torch.Tensor:
        whole = draw | generator.given(real)
        return generator.objective(torch.zeros([]), generator.training_images(whole, given, torch.float32), whole)

    losses = []
    if discriminator is not None:
        losses.append(falls(judged, discriminator))
    if type(generator).objective is not Generator.objective:
        losses.append(falls(made, generator))
    assert losses
    assert all(last < 0.7 * first for first, last in losses), losses


def falls(loss: Callable[[], torch.Tensor], network: torch.nn.Module) -> tuple[float, float]:
    """The loss before and after 24 steps; without dropout, which would hide the descent in noise."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
            module.p = 0.0
    optimiser = torch.optim.Adam(network.parameters(), 0.0025, (0.0, 0.99))
    values = []
    for _ in range(24):
        value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    return values[0], values[-1]


def test_modulated_convolution_equals_the_grouped_form() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(6, 5, 4)
    x, w = torch.randn(3, 6, 8, 8), torch.randn(3, 4)
    styles = layer.affine(w)
    weight = layer.weight * layer.gain * styles[:, None, :, None, None]
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = F.conv2d(x.reshape(1, 18, 8, 8), weight.reshape(15, 6, 3, 3), padding=1, groups=3).reshape(3, 5, 8, 8)
    expected = F.leaky_relu(grouped, 0.2) * 2**0.5
    torch.testing.assert_close(layer(x, w, torch.zeros(3, 1, 8, 8)), expected, atol=1e-5, rtol=1e-5)


def test_resampling_keeps_constant_images_inside() -> None:
    flat = torch.ones(1, 2, 17, 17)
    assert torch.allclose(FirUp(2)(flat)[:, :, 2:-2, 2:-2], torch.tensor(4.0))
    assert torch.allclose(FirDown(2, 3)(flat)[:, :, 4:-4, 4:-4], torch.tensor(1.0))


def test_minibatch_std_does_not_see_how_a_batch_is_split() -> None:
    x = torch.randn(8, 3, 4, 4)
    halves = torch.cat([minibatch_std(x[:4]), minibatch_std(x[4:])])
    torch.testing.assert_close(minibatch_std(x), halves)


def test_r1_penalty_of_a_linear_critic_is_its_squared_norm() -> None:
    direction = torch.randn(3, 4, 4)
    real = torch.randn(5, 3, 4, 4, requires_grad=True)
    logits = (real * direction).sum(dim=(1, 2, 3))
    torch.testing.assert_close(r1_penalty(logits, real), direction.square().sum())


def test_dcgan_sizes_are_those_of_fussell_and_moews() -> None:
    generator, discriminator = build(ARCHITECTURES["dcgan"].config())
    x = torch.zeros(2, 100, 1, 1)
    sizes, channels = [], []
    for layer in generator.layers:
        x = layer(x)
        if isinstance(layer, torch.nn.ConvTranspose2d):
            sizes.append(x.shape[-1])
            channels.append(x.shape[1])
    assert sizes == [4, 8, 16, 32, 64]
    assert channels == [1024, 512, 256, 128, 3]
    convolutions = [m for m in discriminator.layers if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [128, 256, 512, 1024, 1]
