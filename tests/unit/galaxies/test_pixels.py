from __future__ import annotations

import numpy as np
import pytest
from astropy.visualization import make_lupton_rgb
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.cards import AsinhNormalisation, AsinhStretch, IdentityStretch, LinearNormalisation, LinearStretch, LuptonStretch
from galaxies.pixels import Resample, display, physical, signed_from_uint8, uint8_from_signed
from tests.strategies import flux_card, network_images, style_card, wild_images

MODEST = settings(max_examples=50, deadline=None)
STRETCHES = [LinearStretch(), AsinhStretch(), LuptonStretch(stretch=3.0), LinearStretch(minimum=0.0, maximum=1.0)]


def test_every_level_survives_the_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(uint8_from_signed(signed_from_uint8(levels)), levels)


def test_levels_beyond_the_range_are_clipped_and_nan_is_black() -> None:
    values = np.array([-5, 5, np.nan, np.inf, -np.inf], dtype=np.float32)
    assert uint8_from_signed(values).tolist() == [0, 255, 0, 255, 0]


@given(network_images((3, 4, 4)))
@MODEST
def test_linear_normalisation_is_inverted(x: np.ndarray) -> None:
    low, high = [0.0, -3.0, 10.0], [255.0, 5.0, 20.0]
    y = physical(x, LinearNormalisation(low=low, high=high))
    for band in range(3):
        back = (y[band].astype(np.float64) - low[band]) / (high[band] - low[band]) * 2 - 1
        assert np.allclose(back, x[band], atol=1e-5)


@given(network_images((2, 3, 4, 4)))
@MODEST
def test_asinh_normalisation_is_inverted_for_batches_too(x: np.ndarray) -> None:
    card = flux_card()
    constants = card.normalisation
    assert isinstance(constants, AsinhNormalisation)
    y = physical(x, constants)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    for band in range(3):
        scaled = np.arcsinh(y[:, band].astype(np.float64) / constants.scale[band])
        back = (scaled - constants.low[band]) / (constants.high[band] - constants.low[band]) * 2 - 1
        assert np.allclose(back, x[:, band], atol=1e-5)


@given(wild_images((3, 6, 6)), st.sampled_from(STRETCHES), st.sampled_from([6, 16]))
@MODEST
def test_any_float_gives_a_picture(x: np.ndarray, stretch: LinearStretch, size: int) -> None:
    picture = display(x, flux_card(), stretch, size, "lanczos")
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("stretch", STRETCHES)
def test_values_that_are_not_finite_are_black(stretch: LinearStretch) -> None:
    x = np.full((3, 8, 8), 0.5, dtype=np.float32)
    x[:, 0, :4] = [[np.nan], [np.inf], [-np.inf]]
    x[:, 5, 5] = -1
    assert not display(x, flux_card(), stretch, 8, "nearest")[0, :4].any()
    assert not display(x, style_card(), IdentityStretch(), 8, "nearest")[0, :4].any()


def test_display_models_show_their_levels_as_they_are() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    picture = display(signed_from_uint8(levels), style_card(), IdentityStretch(), 8, "lanczos")
    assert np.array_equal(picture, levels.transpose(1, 2, 0))


@pytest.mark.parametrize(("bands", "shape"), [(1, (8, 8)), (2, (8, 8, 3)), (3, (8, 8, 3)), (5, (8, 8, 3))])
def test_number_of_bands_decides_the_picture(bands: int, shape: tuple[int, ...]) -> None:
    changes = {
        "bands": [{"name": f"b{i}", "wavelength_um": 1.0 + i} for i in range(bands)],
        "normalisation": {"kind": "linear", "low": [0.0] * bands, "high": [1.0] * bands},
    }
    x = np.zeros((bands, 8, 8), dtype=np.float32)
    assert display(x, flux_card(**changes), LinearStretch(), 8, "nearest").shape == shape
    assert display(x, style_card(**changes), IdentityStretch(), 8, "nearest").shape == shape


def test_reddest_band_is_red_whatever_the_order() -> None:
    bands = [{"name": "mid", "wavelength_um": 2.0}, {"name": "red", "wavelength_um": 4.0}, {"name": "blue", "wavelength_um": 1.0}]
    card = flux_card(bands=bands, normalisation={"kind": "linear", "low": [0.0] * 3, "high": [1.0] * 3})
    x = np.full((3, 4, 4), -1, dtype=np.float32)
    x[1], x[0] = 1.0, 0.0
    picture = display(x, card, LinearStretch(minimum=0, maximum=1), 4, "nearest")
    assert picture[0, 0].tolist() == [255, 128, 0]


def test_bands_of_unknown_wavelength_go_from_blue_to_red() -> None:
    card = flux_card(bands=[{"name": name} for name in "gri"])
    x = np.full((3, 4, 4), -1, dtype=np.float32)
    x[2] = 1.0
    assert display(x, card, LinearStretch(minimum=0, maximum=1), 4, "nearest")[0, 0].tolist() == [255, 0, 0]


@given(network_images((3, 6, 6)), st.sampled_from([1.0, 5.0, 20.0]), st.sampled_from([2.0, 8.0]), st.sampled_from([0.0, 0.1]))
@MODEST
def test_lupton_agrees_with_astropy(x: np.ndarray, stretch: float, q: float, minimum: float) -> None:
    card = flux_card()
    blue, green, red = physical(x, card.normalisation)
    ours = display(x, card, LuptonStretch(minimum=minimum, stretch=stretch, q=q), 6, "nearest")
    theirs = make_lupton_rgb(red, green, blue, minimum=minimum, stretch=stretch, Q=q)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


@given(network_images((3, 6, 6)), st.sampled_from(STRETCHES[:2]))
@MODEST
def test_stretch_keeps_the_order_of_fluxes(x: np.ndarray, stretch: LinearStretch) -> None:
    card = flux_card(bands=[{"name": "one"}], normalisation={"kind": "asinh", "scale": [0.1], "low": [-1.0], "high": [4.0]})
    levels = display(x[:1], card, stretch, 6, "nearest").ravel()[np.argsort(x[0].ravel(), kind="stable")]
    assert (np.diff(levels.astype(int)) >= 0).all()


def test_asinh_stretch_is_the_formula_of_the_card() -> None:
    card = flux_card(bands=[{"name": "one"}], normalisation={"kind": "linear", "low": [0.0], "high": [10.0]})
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    v = physical(x, card.normalisation)[0].astype(np.float64)
    expected = np.arcsinh((np.clip(v, 2, 8) - 2) / (0.2 * 6)) / np.arcsinh(1 / 0.2) * 255
    ours = display(x, card, AsinhStretch(minimum=2, maximum=8, a=0.2), 8, "nearest")
    assert np.abs(ours - expected).max() <= 0.51


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_image_of_one_value_is_black(value: float) -> None:
    card = flux_card(bands=[{"name": "one"}], normalisation={"kind": "linear", "low": [-2.0], "high": [9.0]})
    for stretch in (LinearStretch(), AsinhStretch()):
        assert not display(np.full((1, 4, 4), value, dtype=np.float32), card, stretch, 4, "nearest").any()


@pytest.mark.parametrize("resample", ["lanczos", "bicubic", "nearest"])
def test_size_is_the_side_of_the_picture(resample: Resample) -> None:
    x = np.zeros((3, 8, 8), dtype=np.float32)
    assert display(x, style_card(), IdentityStretch(), 21, resample).shape == (21, 21, 3)


def test_fluxes_have_no_identity_stretch() -> None:
    with pytest.raises(ValueError, match="identity"):
        display(np.zeros((3, 4, 4), dtype=np.float32), flux_card(), IdentityStretch(), 4, "nearest")
