"""ZIP and npz."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from galaxies.encode import encode
from galaxies.encode.frames import pictures
from galaxies.encode.provenance import provenance
from galaxies.pixels import physical
from galaxies.product import image_names
from galaxies.requests import Generate
from galaxies.resolve import galaxies_of
from tests.strategies import (
    CREATED,
    arithmetic_body,
    flux_card,
    generate_body,
    interpolate_body,
    mix_body,
    network_images,
    product,
    resolved,
    style_card,
    z_card,
)

MODEST = settings(max_examples=20, deadline=None)


def test_zip_has_a_picture_each_a_catalogue_and_the_request(tmp_path: Path) -> None:
    made = product(style_card(), mix_body(1, 2, "zip", size=40))
    encode(made, tmp_path / "x.zip", CREATED)
    names = image_names(made.request)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["request.json", "catalogue.csv", "catalogue.vot", *(f"{name}.png" for name in names)]
        assert json.loads(archive.read("request.json")) == provenance(made)
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode())))
        for name, wanted in zip(names, pictures(made), strict=True):
            image = Image.open(io.BytesIO(archive.read(f"{name}.png")))
            assert np.array_equal(np.asarray(image), wanted)
            assert json.loads(image.text["galaxy"]) == provenance(made)  # type: ignore[attr-defined]
    assert [row["name"] for row in rows] == names
    assert [row["index"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["seed"] for row in rows] == ["100", "200", "201", "", ""]
    assert {(row["model"], row["version"], row["digest"]) for row in rows} == {("test-style", "1.0", made.card.digest)}
    assert all(row["file"] == f"{row['name']}.png" and float(row["truncation"]) == 0.7 for row in rows)


def test_latents_of_an_npz_are_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """``w`` of 10,000 galaxies of 14 layers is 287 MB where one row a galaxy is kept."""
    made = product(style_card(), generate_body([1, 2], "npz"))
    assert made.w is not None
    much = np.broadcast_to(np.float32([0.5]), (2, 64, 2**18))
    tracemalloc.start()
    try:
        encode(replace(made, w=much), tmp_path / "x.npz", CREATED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < much.nbytes / 2
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert np.array_equal(found["w"], much)


@pytest.mark.parametrize("format_", ["zip", "npz"])
def test_entries_carry_no_clock(format_: str, tmp_path: Path) -> None:
    encode(product(style_card(), generate_body([1, 2], format_)), tmp_path / "x", CREATED)
    with zipfile.ZipFile(tmp_path / "x") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_class_names_survive_the_catalogue(tmp_path: Path) -> None:
    name = 'a "quoted", µ\nname'
    made = product(style_card(classes=[{"name": name, "count": 1}]), generate_body([1, 2], "zip"))
    encode(made, tmp_path / "x.zip", CREATED)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode(), newline="")))
    assert [row["class"] for row in rows] == [name, name]


@given(network_images((2, 3, 32, 32)))
@MODEST
def test_npz_round_trip(tmp_path_factory: pytest.TempPathFactory, images: np.ndarray) -> None:
    made = product(flux_card(), generate_body([7, 4294967295], "npz"), images)
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    encode(made, path, CREATED)
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], physical(images, made.card.normalisation))
        assert arrays["images"].dtype == np.float32
        assert made.z is not None
        assert np.array_equal(arrays["z"], made.z)
        assert "w" not in arrays
        assert arrays["seeds"].tolist() == [7, 4294967295]
        assert json.loads(str(arrays["request"])) == provenance(made)


def test_npz_has_w_and_classes_of_style_models(tmp_path: Path) -> None:
    made = product(style_card(), generate_body([1, 2, 3], "npz", **{"class": "merger"}))
    encode(made, tmp_path / "x.npz", CREATED)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert made.w is not None
        assert np.array_equal(arrays["w"], made.w)
        assert arrays["classes"].tolist() == ["merger"] * 3
        assert arrays["names"].tolist() == image_names(made.request)


def test_a_result_without_a_seed_is_minus_one_or_blank(tmp_path: Path) -> None:
    made = product(z_card(), arithmetic_body([1, 1], "zip"))
    encode(made, tmp_path / "x.zip", CREATED)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode())))
    assert [(row["name"], row["seed"], row["class"]) for row in rows] == [("result", "", "")]


def test_a_picture_of_a_zip_names_its_own_galaxy(tmp_path: Path) -> None:
    made = product(style_card(), generate_body([7, 8], "zip"))
    encode(made, tmp_path / "x.zip", CREATED)
    assert isinstance(made.request, Generate)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        for name, latent in zip(image_names(made.request), galaxies_of(made.request), strict=True):
            note = json.loads(Image.open(io.BytesIO(archive.read(f"{name}.png"))).text["galaxy"])  # type: ignore[attr-defined]
            again = resolved(made.card, note["request"])
            assert isinstance(again, Generate)
            assert galaxies_of(again) == [latent]
            assert note["model"]["digest"] == made.card.digest
            assert again.truncation == made.request.truncation


def test_a_zip_does_not_repeat_long_requests(tmp_path: Path) -> None:
    made = product(z_card(z_dim=4096), interpolate_body(5, "zip", to={"z": [0.123456789] * 4096}))
    encode(made, tmp_path / "x.zip", CREATED)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert json.loads(archive.read("request.json")) == provenance(made)
        assert len(archive.read("frame-0000.png")) < 10_000
