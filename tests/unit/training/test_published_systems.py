"""The numbers that the works print, and where they cannot be met, those that our documents give."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from training.architectures import build, summary
from training.architectures.dcgan import DCGANConfig
from training.architectures.stackgan import pixel_loss
from training.architectures.vae import negative_evidence
from training.cli import app
from training.config import TrainConfig
from training.presets import PRESETS
from training.schedule import rates

ROWS = ("N1", "N2", "C1", "C2", "F1", "F2", "F3", "F4", "E1", "E2", "E3", "E4", "T1", "T2")


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    """What `python -m training presets --json` prints."""
    done = CliRunner().invoke(app, ["presets", "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def rows(listed: dict[str, Any], preset: str, network: str) -> list[tuple[list[int], int]]:
    return [(shape, count) for _, shape, count in listed[preset]["networks"][network]["layers"]]


def test_every_row_has_a_preset_with_source_networks_and_layers(listed: dict[str, Any]) -> None:
    for row in ROWS:
        assert any(row.lower() in name and f"row {row}" in entry["source"] for name, entry in listed.items()), row
    for entry in listed.values():
        assert entry.keys() == {"networks", "source"}
        for network in entry["networks"].values():
            assert network["parameters"] == sum(count for _, _, count in network["layers"])


@pytest.mark.parametrize("preset", PRESETS)
def test_layers_add_up_to_the_network(preset: str, listed: dict[str, Any]) -> None:
    with torch.device("meta"):
        built = build(PRESETS[preset].config.network)
    for name, network in zip(("generator", "discriminator"), built, strict=True):
        if network is not None:
            assert listed[preset]["networks"][name]["parameters"] == summary.parameters(network)


def test_e1_generator_is_as_printed(listed: dict[str, Any]) -> None:
    assert listed["eth-e1"]["networks"]["generator"]["parameters"] == 2_487_617
    assert rows(listed, "eth-e1", "generator") == [
        ([8192], 1_638_400),
        ([128, 16, 16], 409_728),
        ([64, 32, 32], 204_864),
        ([64, 64, 64], 102_464),
        ([32, 128, 128], 100_384),
        ([16, 250, 250], 25_104),
        ([8, 500, 500], 6_280),
        ([1, 1000, 1000], 393),
    ]


def test_e1_critic_is_as_printed(listed: dict[str, Any]) -> None:
    assert listed["eth-e1"]["networks"]["discriminator"]["parameters"] == 2_283_977
    assert rows(listed, "eth-e1", "discriminator") == [
        ([8, 1000, 1000], 80),
        ([8, 1000, 1000], 584),
        ([64, 125, 125], 48_784),
        ([128, 31, 31], 283_936),
        ([256, 7, 7], 1_938_048),
        ([1], 12_545),
    ]


def test_e3_scorer_and_plain_network_are_as_printed(listed: dict[str, Any]) -> None:
    networks = listed["eth-e3"]["networks"]
    assert networks["scorer"]["parameters"] == 6_937_033
    counts = [count for name, _, count in networks["scorer"]["layers"] if name.startswith("head")]
    assert [c for c in counts if c in (590_080, 1_180_160, 2_359_808, 525_312, 1_025)] == [
        590_080,
        1_180_160,
        2_359_808,
        525_312,
        1_025,
    ]
    assert networks["plain_cnn"]["parameters"] == 1_098_737
    norms = [
        count for name, _, count in networks["plain_cnn"]["layers"] if int(name.split(".")[-1] if "." in name else 0) % 3 == 1
    ]
    assert sum(norms) == 2_032


def test_e2_has_a_third_of_the_published_stylegan2(listed: dict[str, Any]) -> None:
    published = 30_363_962 + 29_012_449
    ours = sum(network["parameters"] for network in listed["eth-e2"]["networks"].values())
    assert 0.27 < ours / published < 0.36


@pytest.mark.parametrize("kernel", [4, 6])
def test_f1_sides_are_4_8_16_32_64_with_either_kernel(kernel: int) -> None:
    network = summary.networks(DCGANConfig(kernel=kernel))["generator"]
    convolutions = [row.output_shape for row in network if int(row.name.split(".")[1]) % 3 == 0]
    assert convolutions == [[1024, 4, 4], [512, 8, 8], [256, 16, 16], [128, 32, 32], [3, 64, 64]]


def test_f2_channels_are_as_printed(listed: dict[str, Any]) -> None:
    generator = [shape for shape, _ in rows(listed, "fussell-moews-f2", "generator")[::2]]
    assert generator == [[2048, 4, 4], [1024, 8, 8], [512, 16, 16], [256, 32, 32], [128, 64, 64], [3, 128, 128]]
    judge = [shape[0] for name, shape, _ in listed["fussell-moews-f2"]["networks"]["discriminator"]["layers"]]
    assert list(dict.fromkeys(judge)) == [32, 64, 128, 256, 512, 1]


def test_f2_dropout_before_the_last_convolution_ends_after_200_epochs() -> None:
    config = PRESETS["fussell-moews-f2"].config
    _, discriminator = build(
        DCGANConfig(resolution=16, width=4, last_dropout=0.5, last_dropout_kimg=config.network.last_dropout_kimg)
    )  # type: ignore[attr-defined]
    discriminator.train()
    image = torch.randn(1, 3, 16, 16).repeat(64, 1, 1, 1)
    assert float(discriminator(image).std().detach()) > 0
    discriminator.advance(200 * 61.578 + 1)
    assert float(discriminator(image).std().detach()) == pytest.approx(0, abs=1e-6)


def test_f3_loss_is_equation_4() -> None:
    images, target = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    expected = (
        sum(
            float((images[n, :, y, x].sum() - target[n, :, y, x].sum()) ** 2)
            for n in range(2)
            for y in range(4)
            for x in range(4)
        )
        / 32
    )
    assert float(pixel_loss(images, target)) == pytest.approx(expected, rel=1e-4)
    generator, _ = build(PRESETS["fussell-moews-f3"].config.network)
    whole = generator.objective(torch.tensor(7.0), images, {"target": target})
    assert float(whole) == pytest.approx(0.001 * 7 + expected, rel=1e-4)


def test_the_pixel_loss_of_each_band_sees_colours_that_equation_4_does_not() -> None:
    red, blue = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    red[:, 0], blue[:, 2] = 1.0, 1.0
    config = PRESETS["stackgan-f4-cpu"].config.network.second()  # type: ignore[attr-defined]
    found = [
        float(build(network)[0].objective(torch.tensor(0.0), red, {"target": blue}))
        for network in (PRESETS["fussell-moews-f3"].config.network, config)
    ]
    assert found == [0.0, pytest.approx(2.0)]


def test_evidence_of_a_perfect_copy_at_the_prior_is_zero() -> None:
    real, z = torch.rand(3, 1, 8, 8), torch.zeros(3, 5)
    assert float(negative_evidence(real, real, z, z, 1.0)) == 0.0
    assert float(negative_evidence(real, real, z + 1, z, 1.0)) == pytest.approx(2.5 / 64)


def at(config: TrainConfig, kimg: float) -> float:
    return rates(config, int(kimg * 1000)).generator


def test_learning_rates_fall_as_printed() -> None:
    f3, t2 = PRESETS["fussell-moews-f3"].config, PRESETS["tribhuvan-t2"].config
    epoch = 61.578
    assert [at(f3, epoch * n) for n in (0, 79, 81)] == [2e-4, 2e-4, 1e-4]
    assert at(t2, 40.0 * 128) == 2e-3
    assert 1e-3 < at(t2, 45.0 * 128) < 2e-3
    assert at(t2, 50.0 * 128) == pytest.approx(1e-3)
