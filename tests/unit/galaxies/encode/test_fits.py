from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.hdu.base import _ValidHDU
from astropy.table import Table
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.encode import encode, request_from_fits
from galaxies.encode.fits_checksum import add_to_sum, checksum_text
from galaxies.encode.fits_headers import header_text
from galaxies.encode.provenance import provenance
from galaxies.errors import BadInput
from galaxies.pixels import physical
from galaxies.product import Product, image_names
from galaxies.requests import Arithmetic, Generate
from tests.strategies import (
    CREATED,
    arithmetic_body,
    flux_card,
    generate_body,
    interpolate_body,
    mix_body,
    network_images,
    product,
    style_card,
    unicode_names,
    z_card,
)

MODEST = settings(max_examples=25, deadline=None)
LONG_NAME = "a" * 64
CASES: list[tuple[Any, dict[str, Any]]] = [
    (style_card(), generate_body([4294967295], "fits")),
    (style_card(), generate_body([1, 2, 3], "fits")),
    (flux_card(), generate_body([5], "fits")),
    (flux_card(), interpolate_body(5, "fits", loop=True)),
    (z_card(name=LONG_NAME, version="1" * 32), generate_body([5], "fits")),
    (style_card(), mix_body(2, 3, "fits")),
    (style_card(), arithmetic_body([1, -1], "fits")),
    (flux_card(bands=[{"name": "µ'é" * 40, "unit": "µJy — 'pixel'" * 9}] * 3), generate_body([1], "fits")),
    (style_card(classes=[{"name": "bras à  l'est 銀河 " * 9, "count": 1}]), generate_body(list(range(300)), "fits")),
]


def written(made: Product, folder: Path) -> Path:
    encode(made, folder / "x.fits", CREATED)
    return folder / "x.fits"


@pytest.mark.parametrize(("card", "body"), CASES)
def test_fitsverify_finds_nothing(card: Any, body: dict[str, Any], tmp_path: Path, fitsverify: str) -> None:
    report = subprocess.run(
        [fitsverify, str(written(product(card, body), tmp_path))], capture_output=True, text=True, check=False
    )
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout


@pytest.mark.parametrize(("card", "body"), CASES)
def test_astropy_verifies_structure_and_check_sums(card: Any, body: dict[str, Any], tmp_path: Path) -> None:
    path = written(product(card, body), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1
                assert hdu.data is None or len(hdu.data)


@given(network_images((2, 3, 32, 32)))
@MODEST
def test_fits_round_trip(tmp_path_factory: pytest.TempPathFactory, images: np.ndarray) -> None:
    made = product(flux_card(), generate_body([1, 2], "fits"), images)
    with fits.open(written(made, tmp_path_factory.mktemp("fits"))) as hdus:
        for band, name in enumerate(["F150W", "F277W", "F444W"]):
            cube = hdus[name].data
            assert cube.dtype == np.dtype(">f4")
            assert np.array_equal(cube[:, ::-1], physical(images, made.card.normalisation)[:, band])
            assert hdus[name].header["FILTER"] == name


def test_one_galaxy_is_a_picture_and_several_are_a_cube(tmp_path: Path) -> None:
    with fits.open(written(product(flux_card(), generate_body([1], "fits")), tmp_path)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "F150W", "F277W", "F444W", "LATENTS"]
        assert hdus[1].data.shape == (32, 32)
    with fits.open(written(product(flux_card(), generate_body([1, 2], "fits")), tmp_path)) as hdus:
        assert hdus[1].data.shape == (2, 32, 32)


def test_top_of_the_picture_is_the_last_row(tmp_path: Path) -> None:
    made = product(flux_card(), generate_body([1], "fits"))
    made.images[:] = -1
    made.images[0, :, 0, :] = 1
    with fits.open(written(made, tmp_path)) as hdus:
        assert (hdus[1].data[-1] > hdus[1].data[0]).all()
        assert np.ptp(hdus[1].data[:-1]) == 0


def test_values_that_are_not_finite_stay(tmp_path: Path) -> None:
    made = product(flux_card(), generate_body([1], "fits"))
    made.images[0, :, 3, 4] = np.nan
    with fits.open(written(made, tmp_path)) as hdus:
        assert np.argwhere(np.isnan(hdus[1].data)).tolist() == [[32 - 1 - 3, 4]]


def test_primary_header_says_what_it_is(tmp_path: Path) -> None:
    made = product(style_card(), generate_body([42], "fits", truncation=0.5))
    header = fits.getheader(written(made, tmp_path))
    assert header["SYNTHET"] is True
    assert header["DATE"] == "2026-03-01T12:30:15"
    assert (header["MODEL"], header["MODELVER"]) == ("test-style", "1.0")
    assert "sha256:" + header["MODELSHA"] == made.card.digest
    assert (header["OPERATN"], header["SEED"], header["TRUNC"]) == ("generate", 42, 0.5)
    assert header["ORIGIN"]
    assert header["CREATOR"]


def test_only_display_models_are_called_display_referred(tmp_path: Path) -> None:
    for card, expected in ((style_card(), True), (flux_card(), False)):
        header = fits.getheader(written(product(card, generate_body([1], "fits")), tmp_path))
        assert ("display-referred" in str(header["COMMENT"])) is expected


def test_units_zero_points_and_scale_only_where_the_card_knows_them(tmp_path: Path) -> None:
    known = fits.getheader(written(product(flux_card(), generate_body([1], "fits")), tmp_path), "F277W")
    assert (known["BUNIT"], known["MAGZERO"]) == ("MJy/sr", 26.5)
    header = fits.getheader(written(product(z_card(), generate_body([1], "fits")), tmp_path), "G")
    assert not {"BUNIT", "MAGZERO", "CDELT1", "CTYPE1", "CRVAL1"} & set(header)


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_wcs_is_an_offset_in_arcsec_from_the_centre(seeds: list[int], tmp_path: Path) -> None:
    wcs = WCS(fits.getheader(written(product(flux_card(), generate_body(seeds, "fits")), tmp_path), 1))
    assert not wcs.has_celestial
    plane = wcs.sub(2)
    assert plane.pixel_to_world_values(15.5, 15.5) == pytest.approx((0.0, 0.0))
    assert plane.pixel_to_world_values(16.5, 13.5) == pytest.approx((0.03, -0.06))
    assert [str(unit) for unit in plane.wcs.cunit] == ["arcsec", "arcsec"]


def test_latents_lie_in_a_table(tmp_path: Path) -> None:
    made = product(style_card(), mix_body(1, 2, "fits"))
    table = Table.read(written(made, tmp_path), "LATENTS")
    assert list(table["NAME"]) == image_names(made.request)
    assert table["SEED"].tolist() == [100, 200, 201, None, None]
    assert made.z is not None
    assert np.array_equal(table["Z"], made.z)
    assert made.w is not None
    assert np.array_equal(table["W"], made.w)
    assert table["W"].shape == (5, 10, 8)
    assert set(table["CLASS"][:3].tolist()) <= {"spiral", "merger"}


@pytest.mark.parametrize(
    ("body", "classes"),
    [
        (generate_body([1, 2], "fits", **{"class": "merger"}), ["merger", "merger"]),
        (interpolate_body(3, "fits", **{"from": {"seed": 1, "class": "spiral"}, "to": {"mean": True}}), ["spiral", "", ""]),
        (mix_body(1, 2, "fits", headers=False), ["", ""]),
        (arithmetic_body([1, -1], "fits", show_terms=False), [""]),
    ],
    ids=lambda value: value["operation"] if isinstance(value, dict) else "",
)
def test_every_table_of_a_model_with_classes_has_their_column(body: dict[str, Any], classes: list[str], tmp_path: Path) -> None:
    with fits.open(written(product(style_card(), body), tmp_path)) as hdus:
        assert hdus["LATENTS"].columns["CLASS"].format == "6A"
        assert hdus["LATENTS"].data["CLASS"].tolist() == classes


def test_table_of_a_model_without_w_and_classes_has_no_such_columns(tmp_path: Path) -> None:
    path = written(product(z_card(), generate_body([1], "fits")), tmp_path)
    assert Table.read(path, "LATENTS").colnames == ["NAME", "SEED", "Z"]


@pytest.mark.parametrize(("card", "body"), CASES)
def test_request_is_read_back(card: Any, body: dict[str, Any], tmp_path: Path) -> None:
    made = product(card, body)
    found = request_from_fits(written(made, tmp_path))
    assert found == json.loads(json.dumps(provenance(made)))
    assert isinstance(made.request, Generate) is (found["request"]["operation"] == "generate")


@given(unicode_names())
@MODEST
def test_request_with_any_class_name_is_read_back(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    made = product(style_card(classes=[{"name": name, "count": 1}]), generate_body([1], "fits"))
    assert request_from_fits(written(made, tmp_path_factory.mktemp("fits")))["request"]["class"] == name


def test_blanks_at_the_edge_of_a_card_are_read_back(tmp_path: Path) -> None:
    name = "a" + " " * 160 + "b"
    made = product(style_card(classes=[{"name": name, "count": 1}]), generate_body([1], "fits"))
    assert request_from_fits(written(made, tmp_path))["request"]["class"] == name


def test_history_of_later_tools_is_passed_over(tmp_path: Path) -> None:
    made = product(z_card(), arithmetic_body([1, 2], "fits"))
    path = written(made, tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.add_history('smoothed {"sigma": 2}')
    assert Arithmetic.model_validate(request_from_fits(path)["request"]) == made.request


def test_a_foreign_file_has_no_request(tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(BadInput, match="no request in its HISTORY"):
        request_from_fits(tmp_path / "other.fits")


@given(unicode_names())
@MODEST
def test_header_text_is_always_a_value_that_fits(name: str) -> None:
    text = header_text(name)
    header = fits.Header()
    header["TEST"] = text
    assert len(header.tostring(endcard=False, padding=False)) == 80
    assert header["TEST"] == text


@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
@MODEST
def test_check_sums_agree_with_astropy(data: bytes, total: int) -> None:
    # astropy pads nothing, so whole words only.
    words = data + bytes(-len(data) % 4)
    hdu = _ValidHDU()
    assert add_to_sum(total, data) == hdu._compute_checksum(np.frombuffer(words, dtype=np.uint8), np.uint32(total))
    assert checksum_text(total) == hdu._char_encode(~np.uint32(total))


@given(st.lists(st.binary(min_size=4, max_size=40).map(lambda b: b[: len(b) // 4 * 4]), max_size=8))
@MODEST
def test_check_sum_does_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    total = 0
    for piece in pieces:
        total = add_to_sum(total, piece)
    assert total == add_to_sum(0, b"".join(pieces))
