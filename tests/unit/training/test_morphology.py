"""Galaxies of known shape are measured as they are; what cannot be measured is flagged and counted."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from galaxies.cards import Band
from tests.strategies import flux_card, style_card
from training.metrics import morphology
from training.metrics import pool as pool_module
from training.metrics.morphology import measure, pixel_histograms, radial_spectrum
from training.metrics.physical import Measured, bands_bluest_first, colour_magnitude, quantities
from training.metrics.pool import MeasuringPool, measure_batch


def galaxy(angle: float = 30.0, ratio: float = 0.5, radius: float = 4.0, side: int = 64, shift: float = 0.0) -> np.ndarray:
    """An exponential disc of three bands (fluxes 1 : 2 : 4) with a little noise, (3, side, side)."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    a, turn = x - shift, math.radians(angle)
    u, v = a * math.cos(turn) + y * math.sin(turn), -a * math.sin(turn) + y * math.cos(turn)
    light = np.exp(-np.hypot(u, v / ratio) / radius)
    noise = 0.003 * np.random.default_rng(0).standard_normal((3, side, side))
    return (light * np.array([1, 2, 4])[:, None, None] + noise).astype(np.float32)


def test_a_disc_is_measured_as_it_is() -> None:
    found = measure(galaxy())
    assert found["ellipticity"] == pytest.approx(0.5, abs=0.05)
    assert found["position_angle"] == pytest.approx(30, abs=3)
    assert found["flux_2"] / found["flux_0"] == pytest.approx(4, rel=0.02)
    assert found["sersic_n"] == pytest.approx(1, abs=0.15)
    assert found["asymmetry"] < 0.1
    assert not any(found[name] for name in morphology.FLAGS)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_shape_turns_with_the_galaxy(turns: int) -> None:
    still, turned = measure(galaxy()), measure(np.rot90(galaxy(), turns, (1, 2)).copy())
    assert (turned["position_angle"] + 90 * turns - still["position_angle"] + 90) % 180 == pytest.approx(90, abs=4)
    for name in ("ellipticity", "half_light_radius", "gini", "m20", "concentration"):
        assert turned[name] == pytest.approx(still[name], rel=0.06, abs=0.02)


def test_larger_galaxies_have_larger_radii() -> None:
    small, large = measure(galaxy(radius=2.5)), measure(galaxy(radius=5))
    assert large["half_light_radius"] > 1.5 * small["half_light_radius"]
    assert large["semi_major_axis"] > 1.3 * small["semi_major_axis"]


@pytest.mark.parametrize(
    "image", [np.zeros((3, 16, 16)), np.full((3, 16, 16), np.nan), np.ones((1, 16, 16))], ids=["empty", "nan", "flat"]
)
def test_nothing_to_measure_is_flagged(image: np.ndarray) -> None:
    found = measure(image.astype(np.float32))
    assert found["no_source"] == 1
    assert math.isnan(found["gini"])


def test_an_image_that_takes_too_long_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(image: np.ndarray) -> dict[str, float]:
        time.sleep(5 if image.max() > 1 else 0)
        return dict.fromkeys(morphology.columns(3), 1.0)

    monkeypatch.setattr(morphology, "measure", slow)
    rows = measure_batch(np.stack([np.zeros((3, 4, 4)), 2 * np.ones((3, 4, 4))]).astype(np.float32), 0.2)
    names = morphology.columns(3)
    assert rows[0, names.index("gini")] == 1
    assert rows[1, names.index("timed_out")] == 1
    assert np.isnan(rows[1, names.index("gini")])


@pytest.mark.slow
def test_processes_measure_what_one_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BATCH", 1)
    images = np.stack([galaxy(0), galaxy(30), galaxy(60)])
    with MeasuringPool(2, 30) as pool:
        np.testing.assert_array_equal(pool.measure(images), measure_batch(images, 30))


def test_white_noise_has_a_flat_spectrum_and_smoothing_takes_small_scales() -> None:
    noise = np.random.default_rng(0).standard_normal((50, 2, 32, 32)).astype(np.float32)
    flat = radial_spectrum(noise).mean(axis=0)
    assert np.ptp(flat) < 0.3
    smooth = (noise + np.roll(noise, 1, 2) + np.roll(noise, 1, 3)) / 3
    assert radial_spectrum(smooth).mean(axis=0)[-1] < flat[-1] - 0.4


def test_pixel_histograms_count_every_pixel() -> None:
    images = np.random.default_rng(0).uniform(-1.2, 1.2, (3, 2, 8, 8)).astype(np.float32)
    found = pixel_histograms(images)
    np.testing.assert_allclose(found.sum(axis=2), 1)
    edges = np.linspace(-1, 1, morphology.HISTOGRAM_BINS + 1)
    counts = np.histogram(np.clip(images[1, 1], -1, 0.9999), edges)[0]
    np.testing.assert_allclose(found[1, 1] * 64, counts)


def measured(images: np.ndarray) -> Measured:
    return Measured(measure_batch(images, 30), radial_spectrum(images), pixel_histograms(images))


def test_colours_and_magnitudes_follow_wavelength() -> None:
    flux, display = flux_card(), style_card(bands=[Band(name=name).model_dump() for name in ("red", "green", "blue")])
    assert bands_bluest_first(display) == [2, 1, 0]
    waves = [band.wavelength_um or 0 for band in flux.bands]
    assert [waves[i] for i in bands_bluest_first(flux)] == sorted(waves)
    found = quantities(measured(galaxy()[None]), display)
    assert found["colour green - red"][0] == pytest.approx(-2.5 * math.log10(2), abs=0.05)


@pytest.mark.slow
def test_the_colour_magnitude_share_is_that_of_the_box() -> None:
    images = np.stack([galaxy(radius=r) * f for r, f in zip(np.linspace(2, 4, 8), np.linspace(1, 2, 8), strict=True)])
    display, real = style_card(), measured(images)
    far = measured(20 * images)
    found = colour_magnitude(far, real, real, display)
    assert found is not None
    assert found["share"]["generated"] == 0
    assert found["share"]["real"] == found["share"]["floor"] > 0.5
