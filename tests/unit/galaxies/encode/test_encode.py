"""What holds for every format."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import galaxies.encode
from galaxies.encode import FORMATS, encode
from galaxies.errors import Unsupported
from galaxies.requests import MEDIA_TYPES
from tests.strategies import (
    CREATED,
    arithmetic_body,
    flux_card,
    generate_body,
    interpolate_body,
    mix_body,
    product,
    style_card,
    z_card,
)

CASES: list[tuple[Any, dict[str, Any]]] = [
    *((card, generate_body([1, 2, 3], f)) for f in ("png", "fits", "zip", "npz") for card in (style_card(), flux_card())),
    *((card, interpolate_body(5, f)) for f in ("gif", "webp", "mp4", "png", "fits", "zip") for card in (z_card(), flux_card())),
    *((style_card(), mix_body(2, 3, f)) for f in ("png", "fits", "zip")),
    *((style_card(), arithmetic_body([1, -1], f, show_terms=True)) for f in ("png", "fits", "zip")),
]


@pytest.mark.parametrize(("card", "body"), CASES)
def test_every_format_of_every_operation_is_written(card: Any, body: dict[str, Any], tmp_path: Path) -> None:
    made = product(card, body)
    encoded = encode(made, tmp_path / "result", CREATED)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    assert encoded.media_type == MEDIA_TYPES[body["format"]]
    assert encoded.images == len(made.images)


@pytest.mark.parametrize(("card", "body"), CASES)
def test_same_product_gives_the_same_bytes(card: Any, body: dict[str, Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        encode(product(card, body), tmp_path / name, CREATED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(("card", "body"), CASES)
def test_an_encoding_can_be_stopped_before_any_image(card: Any, body: dict[str, Any], tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    seen: list[int] = []

    def look(index: int) -> None:
        seen.append(index)
        if len(seen) == 2:
            raise Enough

    with pytest.raises(Enough):
        encode(product(card, body), tmp_path / "result", CREATED, on_image=look)
    assert len(seen) == 2


def test_images_may_be_a_memory_map(tmp_path: Path) -> None:
    made = product(z_card(), interpolate_body(4))
    np.save(tmp_path / "images.npy", made.images)
    mapped = product(z_card(), interpolate_body(4), images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    for one, name in ((made, "a"), (mapped, "b")):
        encode(one, tmp_path / name, CREATED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_format_that_the_operation_lacks_is_refused(tmp_path: Path) -> None:
    made = product(z_card(), generate_body([1]))
    film = type(made)(made.request.model_copy(update={"format": "gif"}), made.card, made.images)
    with pytest.raises(Unsupported, match="generate cannot be written as gif; its formats are png, fits, zip, npz"):
        encode(film, tmp_path / "x", CREATED)


def test_images_must_fit_the_request(tmp_path: Path) -> None:
    made = product(z_card(), generate_body([1, 2]))
    with pytest.raises(ValueError, match=r"\(N, bands\) = \(2, 3\)"):
        encode(type(made)(made.request, made.card, made.images[:1]), tmp_path / "x", CREATED)


def test_the_date_needs_a_time_zone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        encode(product(z_card(), generate_body([1])), tmp_path / "x", datetime(2026, 1, 1))


def test_every_format_of_the_contract_has_an_encoder() -> None:
    assert set(FORMATS) == set(MEDIA_TYPES)
    assert set(galaxies.encode.__all__) == {"FORMATS", "Encoded", "encode", "request_from_fits"}
