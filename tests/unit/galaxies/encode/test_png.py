from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from galaxies.encode import encode
from galaxies.encode.layout import BACKGROUND, equation, gap_of, grid, sheet, sum_labels
from galaxies.encode.provenance import provenance
from galaxies.pixels import signed_from_uint8
from galaxies.product import Product
from tests.strategies import CREATED, arithmetic_body, generate_body, interpolate_body, mix_body, product, style_card, z_card

MODEST = settings(max_examples=25, deadline=None)


def written(made: Product, folder: Path) -> Image.Image:
    encoded = encode(made, folder / "x.png", CREATED)
    image = Image.open(folder / "x.png")
    image.load()
    assert image.size == (encoded.width, encoded.height)
    return image


def solid(levels: list[int], size: int = 8) -> list[np.ndarray]:
    """Grey tiles of one level each, so that a tile can be told by any of its pixels."""
    return [np.full((size, size, 3), level, dtype=np.uint8) for level in levels]


@given(st.integers(0, 2**31))
@MODEST
def test_png_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, (1, 3, 32, 32), dtype=np.uint8)
    image = written(product(z_card(), generate_body([1]), signed_from_uint8(levels)), tmp_path_factory.mktemp("png"))
    assert np.array_equal(np.asarray(image), levels[0].transpose(1, 2, 0))


@pytest.mark.parametrize(
    "body", [generate_body([1]), generate_body([1, 2]), interpolate_body(3, "png"), mix_body(1, 2), arithmetic_body([1, 0.5])]
)
def test_png_carries_its_request(body: dict[str, Any], tmp_path: Path) -> None:
    made = product(style_card(), body)
    note = json.loads(written(made, tmp_path).text["galaxy"])  # type: ignore[attr-defined]
    assert note == provenance(made)
    assert note["model"] == {"name": "test-style", "version": "1.0", "digest": made.card.digest}


def test_class_names_of_any_script_survive(tmp_path: Path) -> None:
    card = style_card(classes=[{"name": "spirale à bras µ 銀河", "count": 1}])
    note = json.loads(written(product(card, generate_body([1])), tmp_path).text["galaxy"])  # type: ignore[attr-defined]
    assert note["request"]["class"] == "spirale à bras µ 銀河"


def test_one_band_gives_a_greyscale_png(tmp_path: Path) -> None:
    card = z_card(bands=[{"name": "r"}], normalisation={"kind": "linear", "low": [0.0], "high": [255.0]})
    assert written(product(card, generate_body([1])), tmp_path).mode == "L"
    assert written(product(card, generate_body([1, 2, 3])), tmp_path).mode == "L"


@given(st.integers(1, 12), st.none() | st.integers(1, 20))
@MODEST
def test_sheet_holds_every_tile_in_reading_order(count: int, columns: int | None) -> None:
    levels = [60 + 10 * i for i in range(count)]
    picture = sheet(iter(solid(levels)), count, 8, columns)
    across = min(columns or int(np.ceil(np.sqrt(count))), count)
    pitch = 8 + gap_of(8)
    assert picture.shape == (-(-count // across) * pitch + 1, across * pitch + 1, 3)
    for i, level in enumerate(levels):
        y, x = gap_of(8) + i // across * pitch, gap_of(8) + i % across * pitch
        assert (picture[y : y + 8, x : x + 8] == level).all()
    assert (picture != BACKGROUND).sum() == count * 8 * 8 * 3


@pytest.mark.parametrize("headers", [True, False])
def test_grid_puts_sources_along_the_edges(headers: bool) -> None:
    sources = [60, 70, 100, 110, 120] if headers else []
    cells = [200, 201, 202, 210, 211, 212]
    picture = grid(iter(solid(sources + cells)), 2, 3, 8, headers)
    seen = [[level for level in row if level != BACKGROUND] for row in picture[:, :, 0].tolist()]
    rows = [list(dict.fromkeys(row)) for row in seen if row]
    distinct = list(dict.fromkeys(map(tuple, rows)))
    expected = [(200, 201, 202), (210, 211, 212)]
    assert distinct == ([(100, 110, 120), (60, *expected[0]), (70, *expected[1])] if headers else expected)


def test_sum_shows_terms_then_result_with_labels() -> None:
    labels = sum_labels([1, -1, 0.5])
    assert labels == ["+1", "-1", "+0.5", "="]
    picture = equation(iter(solid([60, 70, 80, 90], 32)), labels, 32)
    middle = [level for level in dict.fromkeys(picture[2, :, 0].tolist()) if level != BACKGROUND]
    assert middle == [60, 70, 80, 90]
    left_of_first = picture[:, : int(np.argmax(picture[2, :, 0] == 60))]
    assert left_of_first.max() > 150


def test_long_sums_go_on_in_the_next_row() -> None:
    labels = sum_labels([1.0] * 64)
    picture = equation(iter(solid([100] * 65, 16)), labels, 16)
    assert picture.shape[0] == 9 * (16 + gap_of(16)) + gap_of(16)
    assert (picture == 100).all(axis=-1).sum() >= 65 * 16 * 16


@pytest.mark.parametrize(("frames", "shown"), [(2, 2), (7, 7), (200, 10)])
def test_film_strip_has_first_and_last_frame(frames: int, shown: int, tmp_path: Path) -> None:
    card = z_card(resolution=16)
    levels = np.linspace(60, 250, frames).astype(np.uint8)
    images = signed_from_uint8(np.broadcast_to(levels[:, None, None, None], (frames, 3, 16, 16)))
    film = product(card, interpolate_body(frames, "png"), images)
    assert encode(film, tmp_path / "strip.png", created=CREATED).images == shown
    row = np.asarray(written(film, tmp_path))[8, :, 0]
    tiles = row.reshape(-1)[1 : 1 + shown * 17].reshape(shown, 17)[:, 0].tolist()
    assert tiles[0] == 60
    assert tiles[-1] == 250
    assert len(set(tiles)) == shown
    assert np.ptp(np.diff(tiles)) <= 190 / frames + 1
