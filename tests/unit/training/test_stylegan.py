"""StyleGAN's own parts: growth that follows the images seen, and layers against obvious versions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from training.architectures import build
from training.architectures.stylegan import Discriminator, DownConv, Generator, Style, StyleGANConfig, UpConv, _blur
from training.presets import PRESETS

CONFIG = StyleGANConfig(resolution=32, bands=2, z_dim=8, w_dim=8, channel_base=64, channel_max=8, stable_kimg=6, fade_kimg=4)


def networks(kimg: float) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    generator, discriminator = Generator(CONFIG), Discriminator(CONFIG)
    generator.advance(kimg)
    discriminator.advance(kimg)
    return generator, discriminator


def images(generator: Generator) -> torch.Tensor:
    draw = generator.draw(4, torch.Generator().manual_seed(0))
    return generator.training_images(draw, None, torch.float32).detach()


@pytest.mark.parametrize(
    ("kimg", "level"), [(0, 3), (6, 3), (7, 3.25), (9, 3.75), (10, 4), (16, 4), (18, 4.5), (20, 5), (1000, 5)]
)
def test_growth_is_stable_then_fading(kimg: float, level: float) -> None:
    assert CONFIG.level(kimg) == pytest.approx(level)


@given(st.floats(0, 40), st.floats(0, 40))
@settings(deadline=None)
def test_networks_never_shrink(a: float, b: float) -> None:
    assert CONFIG.level(min(a, b)) <= CONFIG.level(max(a, b))


def test_growth_without_fading_jumps() -> None:
    config = StyleGANConfig(stable_kimg=5, fade_kimg=0)
    assert [config.level(kimg) for kimg in (4.9, 5.0, 1e6)] == [3, 4, 8]


def test_networks_without_a_schedule_are_whole_from_the_start() -> None:
    assert StyleGANConfig(stable_kimg=0, fade_kimg=0).level(0) == 8
    for step in ("sdss-jpg", "illustris-fits", "sdss-fits"):
        network = PRESETS[f"stylegan-c2-{step}"].config.network
        assert isinstance(network, StyleGANConfig)
        assert network.level(0) == 8, "a step of row C2 begins fully grown"


def test_published_sizes_of_256_pixels() -> None:
    config = StyleGANConfig()
    assert (config.num_ws, len(config.noise_shapes), config.mapping_depth, config.shown[0]) == (14, 14, 8, 8)
    assert [config.channels(side) for side in config.resolutions] == [512, 512, 512, 512, 256, 128, 64]
    assert config.style_sides[:4] == [4, 4, 8, 8]


@pytest.mark.parametrize(("kimg", "side"), [(0, 8), (12, 16), (30, 32)])
def test_images_show_no_more_detail_than_the_network_has_grown(kimg: float, side: int) -> None:
    shown = images(networks(kimg)[0])
    assert shown.shape == (4, 2, 32, 32)
    coarse = F.interpolate(F.avg_pool2d(shown, 32 // side), size=32, mode="nearest")
    torch.testing.assert_close(shown, coarse)
    if side > 8:
        assert (shown - F.interpolate(F.avg_pool2d(shown, 64 // side), size=32, mode="nearest")).abs().max() > 1e-3


def test_fading_goes_from_one_size_to_the_next_without_a_jump() -> None:
    small, early, late, large = (images(networks(kimg)[0]) for kimg in (6.0, 6.0 + 1e-5, 10.0 - 1e-5, 10.0))
    torch.testing.assert_close(early, small, atol=1e-3, rtol=0)
    torch.testing.assert_close(late, large, atol=1e-3, rtol=0)
    half = images(networks(8.0)[0])
    torch.testing.assert_close(half, (small + large) / 2, atol=1e-5, rtol=0)


def test_discriminator_fades_without_a_jump() -> None:
    shown = images(networks(30)[0])
    logits = [networks(kimg)[1](shown) for kimg in (6.0, 6.0 + 1e-5, 10.0 - 1e-5, 10.0)]
    torch.testing.assert_close(logits[0], logits[1], atol=1e-3, rtol=0)
    torch.testing.assert_close(logits[2], logits[3], atol=1e-3, rtol=0)


def test_real_images_are_faded_like_generated_ones() -> None:
    real = torch.rand(3, 2, 32, 32)
    for kimg, share in ((6.0, None), (7.0, 0.25), (10.0, None)):
        shown = F.avg_pool2d(networks(kimg)[1].real_images(real), 2)
        plain = F.avg_pool2d(real, 2)
        if share is not None:
            plain = (1 - share) * F.interpolate(F.avg_pool2d(real, 4), scale_factor=2, mode="nearest") + share * plain
        torch.testing.assert_close(shown, plain)


def test_layers_that_have_not_grown_get_no_gradient() -> None:
    generator, discriminator = networks(0)
    draw = generator.draw(4, torch.Generator().manual_seed(0))
    discriminator(generator.training_images(draw, None, torch.float32)).sum().backward()
    untouched = {name for name, p in generator.synthesis.named_parameters() if p.grad is None}
    assert all(name.startswith(("blocks.2.", "blocks.3.", "to_bands.16.", "to_bands.32.")) for name in untouched)
    assert "blocks.3.conv.weight" in untouched
    idle = {name for name, p in discriminator.named_parameters() if p.grad is None}
    assert {name.split(".")[1] for name in idle} == {"16", "32"}
    assert "blocks.16.conv.weight" in idle


def test_up_convolution_is_enlarge_convolve_blur() -> None:
    layer, x = UpConv(3, 4), torch.randn(2, 3, 6, 6)
    large = F.interpolate(x, scale_factor=2, mode="nearest")
    torch.testing.assert_close(layer(x), _blur(F.conv2d(large, layer.weight * layer.gain, padding=1)), atol=1e-5, rtol=1e-5)


def test_down_convolution_is_blur_convolve_average() -> None:
    layer, x = DownConv(3, 4), torch.randn(2, 3, 8, 8)
    expected = F.avg_pool2d(F.conv2d(_blur(x), layer.weight * layer.gain, padding=1), 2)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_style_sets_mean_and_deviation_of_every_map() -> None:
    layer, w = Style(5, 4), torch.randn(3, 4)
    out = layer(torch.randn(3, 5, 16, 16) * 7 + 3, w, torch.randn(3, 1, 16, 16))
    scale, offset = layer.affine(w).chunk(2, dim=1)
    torch.testing.assert_close(out.mean(dim=(2, 3)), offset, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(out.std(dim=(2, 3), correction=0), (scale + 1).abs(), atol=1e-4, rtol=1e-3)


def test_frozen_layers_are_two_a_block_and_the_discriminators_start_at_the_image() -> None:
    generator, discriminator = networks(0)
    assert len(generator.frozen_first()) == CONFIG.num_ws
    assert discriminator.frozen_first()[0] is discriminator.from_bands
    names = {id(p) for layer in generator.frozen_first() for p in layer.parameters()}
    left = [name for name, p in generator.synthesis.named_parameters() if id(p) not in names]
    assert left == ["const", *(f"to_bands.{side}.{what}" for side in (8, 16, 32) for what in ("weight", "bias"))]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("resolution", 48, "resolution 48"), ("grow_from", 64, "grow_from 64"), ("fade_kimg", -1.0, "fade_kimg -1")],
)
def test_impossible_sizes_are_refused(field: str, value: float, message: str) -> None:
    settings = {"resolution": 32, field: value}
    with pytest.raises(ValueError, match=message):
        StyleGANConfig(**settings)  # type: ignore[arg-type]


def test_whole_networks_are_what_build_gives() -> None:
    generator, _ = build(CONFIG)
    assert isinstance(generator, Generator)
    assert generator.synthesis.level == math.log2(32)
