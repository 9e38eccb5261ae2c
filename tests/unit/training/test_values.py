"""Downsampling, filters, constants: what happens to pixel values between file and network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galaxies.cards import Band
from galaxies.errors import BadInput
from galaxies.pixels import physical, signed_from_physical
from training.data.normalise import normalisation, sample, stretch_of
from training.data.options import PrepareOptions, Reading
from training.data.prepare import prepare
from training.data.quality import FILTERS, Sight, filters_of, sky
from training.data.resample import centre_square, downsample

RNG = np.random.default_rng(3)
YY, XX = np.mgrid[:32, :32] - 15.5
GALAXY = 50.0 * np.exp(-np.hypot(XX, YY) / 3.0) + RNG.normal(0.0, 0.5, (32, 32))


def oracle(image: np.ndarray, size: int) -> np.ndarray:
    """Means over exact areas, slowly: every old pixel is cut into size × size pieces."""
    side = image.shape[-1]
    fine = np.repeat(np.repeat(image, size, axis=0), size, axis=1)
    return fine.reshape(size, side, size, side).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [4, 5, 7, 12, 16])
def test_area_downsampling_is_exact_for_any_factor(size: int) -> None:
    image = RNG.normal(size=(1, 16, 16)).astype(np.float32)
    assert np.allclose(downsample(image, size, "area")[0], oracle(image[0].astype(np.float64), size), atol=1e-6)
    levels = RNG.integers(0, 256, (1, 16, 16), dtype=np.uint8)
    assert np.abs(downsample(levels, size, "area")[0] - oracle(levels[0].astype(np.float64), size)).max() <= 0.5 + 1e-9


def test_sum_keeps_the_flux_and_area_the_surface_brightness() -> None:
    image = RNG.normal(5.0, 1.0, (2, 15, 15)).astype(np.float32)
    assert downsample(image, 7, "sum").sum() == pytest.approx(image.sum(), rel=1e-5)
    assert downsample(image, 7, "area").mean() == pytest.approx(image.mean(), rel=1e-5)


def test_nearest_takes_pixels_that_exist() -> None:
    image = np.arange(81, dtype=np.float32).reshape(1, 9, 9)
    assert np.array_equal(downsample(image, 3, "nearest")[0], image[0, 1::3, 1::3])


def test_crops_are_central_and_nothing_is_upsampled() -> None:
    image = np.arange(100, dtype=np.float32).reshape(1, 10, 10)
    assert centre_square("a", image, 4, 4)[0, 0, 0] == 33
    for crop, resolution in ((11, 4), (None, 11), (4, 8)):
        with pytest.raises(BadInput, match="at least"):
            centre_square("a", image, crop, resolution)


def scores(image: np.ndarray, nonfinite: float = 0.0, saturated: float = 0.0) -> set[str]:
    sight = Sight(image[None].astype(np.float32), nonfinite, saturated)
    return {name for name, one in FILTERS.items() if one.rejects(sight, one.limit) is not None}


def test_a_good_galaxy_passes_every_filter() -> None:
    assert scores(GALAXY) == set()


def test_each_filter_finds_its_fault() -> None:
    padded = GALAXY.copy()
    padded[:6] = 0.0
    assert scores(RNG.normal(0.0, 1.0, (32, 32))) == {"empty", "gradient"} or scores(RNG.normal(0.0, 1.0, (32, 32))) == {"empty"}
    assert scores(np.zeros((32, 32))) >= {"empty", "border"}
    assert "gradient" in scores(GALAXY + 1.5 * np.clip(XX + YY, 0, None))
    assert scores(padded) == {"border"}
    assert scores(GALAXY, saturated=0.02) == {"saturated"}
    assert scores(GALAXY, nonfinite=0.2) == {"nonfinite"}


def test_noise_is_measured_beside_a_gradient_and_through_correlation() -> None:
    white = RNG.normal(0.0, 2.0, (128, 129))
    assert sky(white[:, :128] + np.arange(128) * 0.05)[1] == pytest.approx(2.0, rel=0.15)
    drizzled = (white[:, 1:] + white[:, :-1]) / np.sqrt(2.0)
    assert sky(drizzled)[1] == pytest.approx(2.0, rel=0.15)


def test_filters_are_chosen_by_name_with_limits() -> None:
    assert filters_of(["empty", "gradient=0.5"]) == (("empty", 5.0), ("gradient", 0.5))
    assert dict(filters_of(["all", "border=0"])) == {name: one.limit for name, one in FILTERS.items()} | {"border": 0.0}
    for text in ("blurred", "empty=much"):
        with pytest.raises(BadInput, match="--reject"):
            filters_of([text])


def test_rejected_images_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, image in (("good", GALAXY), ("blank", np.zeros((32, 32))), ("noise", RNG.normal(size=(32, 32)))):
        np.save(tmp_path / "in" / f"{name}.npy", image)
    reading = Reading(resolution=32, reject=filters_of(["empty", "border"]))
    archive = prepare(PrepareOptions(tmp_path / "in", tmp_path / "out", reading=reading, held_out=0), lambda done, total: None)
    assert list(archive.files) == ["good.npy"]
    assert archive.manifest["rejected"] == {"border": 1, "empty": 2}
    assert "blank.npy,blank,,rejected,empty=0 border=1," in (tmp_path / "out" / "inputs.csv").read_text()


@pytest.mark.parametrize("kind", ["asinh", "minmax", "linear"])
def test_constants_span_the_set_and_are_inverted(kind: str) -> None:
    images = (RNG.gamma(0.3, 20.0, (9, 2, 8, 8)) - 1.0).astype(np.float32)
    constants = normalisation(kind, images, np.arange(9), np.full((9, 2), 0.5), 3.0)  # type: ignore[arg-type]
    signed = signed_from_physical(images, constants)
    assert np.allclose(physical(signed, constants), images, rtol=1e-4, atol=1e-4)
    if kind == "linear":
        assert signed.max() > 1.0  # the brightest pixels lie outside and are not clipped
    else:
        assert signed.min(axis=(0, 2, 3)) == pytest.approx(-1.0, abs=1e-3)
        assert signed.max(axis=(0, 2, 3)) == pytest.approx(1.0, abs=1e-3)


def test_levels_stay_levels_and_floats_cannot_be_levels() -> None:
    levels = RNG.integers(0, 256, (4, 3, 8, 8), dtype=np.uint8)
    assert normalisation("auto", levels, np.arange(4), np.ones((4, 3)), 3.0).high == [255.0] * 3
    with pytest.raises(BadInput, match="8-bit"):
        normalisation("display", levels.astype(np.float32), np.arange(4), np.ones((4, 3)), 3.0)
    with pytest.raises(BadInput, match="band 2 has the same value"):
        normalisation("minmax", np.stack([levels[:, 0], levels[:, 0] * 0], axis=1), np.arange(4), np.ones((4, 2)), 3.0)


def test_three_flux_bands_start_with_lupton_and_one_with_asinh() -> None:
    images = np.tile(GALAXY.astype(np.float32), (4, 3, 1, 1))
    bands = [Band(name=name) for name in "gri"]
    assert stretch_of(images, np.arange(4), bands, display=False).kind == "lupton"
    assert stretch_of(images[:, :1], np.arange(4), bands[:1], display=False).kind == "asinh"
    assert stretch_of(images, np.arange(4), bands, display=True).kind == "identity"


def test_samples_are_spread_and_bounded() -> None:
    images = np.empty((5000, 3, 4, 4), np.float32)
    chosen = sample(images, np.arange(0, 5000, 2))
    assert (len(chosen), chosen[0], chosen[-1]) == (2000, 0, 4998)
    assert len(sample(np.broadcast_to(np.float32(0), (100, 3, 4096, 4096)), np.arange(100))) == 1
