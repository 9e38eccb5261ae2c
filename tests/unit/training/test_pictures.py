"""No value of a picture is lost: 16-bit colours and pages are read whole, or the file is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile  # comes with scikit-image, which statmorph needs
from PIL import Image

from training.data.items import Item, Part
from training.data.options import Reading
from training.data.process import Outcome, process

HEIGHT, WIDTH = 12, 10
RNG = np.random.default_rng(8)
DEEP = RNG.integers(0, 2**16, (HEIGHT, WIDTH, 4), dtype=np.uint16)
GREY, ALPHA, COLOUR, COLOUR_ALPHA = 0, 4, 2, 6
"""Kinds of PNG."""


def png(kind: int, pixels: np.ndarray, *, sub: bool = False) -> bytes:
    """A 16-bit PNG; ``sub`` stores differences to the pixel before, as programs that compress well do."""
    rows = np.ascontiguousarray(pixels.astype(">u2")).view(np.uint8).reshape(len(pixels), -1)
    if sub:
        step = 2 * pixels.shape[-1]
        rows = np.concatenate([rows[:, :step], rows[:, step:] - rows[:, :-step]], axis=1)
    content = b"".join(bytes([sub]) + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", pixels.shape[1], len(pixels), 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(content)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **{"photometric": "minisblack", **options})
    return stream.getvalue()


def pages(*pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    first, *others = map(Image.fromarray, pixels)
    first.save(stream, "TIFF", save_all=True, append_images=others)
    return stream.getvalue()


def outcome(folder: Path, name: str, content: bytes, **reading: Any) -> Outcome:
    (folder / name).write_bytes(content)
    options = Reading(resolution=10, **{"limit_bytes": 2**20, **reading})
    return process(Item(name, "1", (Part(folder / name, "picture"),)), options)


RGB = {"photometric": "rgb"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("colour.png", png(COLOUR, DEEP[..., :3])),
        ("sub.png", png(COLOUR, DEEP[..., :3], sub=True)),
        ("alpha.png", png(COLOUR_ALPHA, DEEP)),
        ("little.tiff", tiff(DEEP[..., :3], **RGB)),
        ("big.tiff", tiff(DEEP[..., :3], **RGB, byteorder=">")),
        ("packed.tiff", tiff(DEEP[..., :3], **RGB, compression="zlib", predictor=True)),
        ("packed-big.tiff", tiff(DEEP[..., :3], **RGB, compression="zlib", byteorder=">")),
        ("alpha.tiff", tiff(DEEP, **RGB, extrasamples=["unassalpha"])),
    ],
)
def test_colours_of_sixteen_bits_keep_every_bit(tmp_path: Path, name: str, content: bytes) -> None:
    found = outcome(tmp_path, name, content)
    assert found.problem == ""
    assert found.pixels is not None
    assert found.pixels.dtype == np.float32
    assert np.array_equal(found.pixels, DEEP[1:11, :, :3].transpose(2, 0, 1))
    assert [band.name for band in found.facts.bands] == ["red", "green", "blue"]
    assert found.facts.saturation is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("grey-alpha.png", png(ALPHA, DEEP[..., :2])),
        ("planes.tiff", tiff(np.moveaxis(DEEP[..., :3], -1, 0), **RGB, planarconfig="separate")),
        ("packed-planes.tiff", tiff(np.moveaxis(DEEP[..., :3], -1, 0), **RGB, planarconfig="separate", compression="zlib")),
        ("four.tiff", tiff((DEEP % 256).astype(np.uint8), **RGB, extrasamples=["unspecified"])),
        ("floats.tiff", tiff(np.moveaxis(DEEP, -1, 0).astype(np.float32), planarconfig="separate")),
    ],
)
def test_what_would_lose_bits_or_bands_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    found = outcome(tmp_path, name, content)
    assert found.pixels is None
    assert found.problem.startswith(f"{name} has more bits or bands than are read of pixel mode ")
    assert found.problem.endswith("save it as FITS, as npy, or as one greyscale file a band (--pattern)")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_greyscale_pages_are_bands(tmp_path: Path, kind: type) -> None:
    planes = (np.moveaxis(DEEP, -1, 0) % 256).astype(kind)
    for name, content in (("pillow.tiff", pages(*planes)), ("stack.tiff", tiff(planes))):
        found = outcome(tmp_path, name, content)
        assert found.problem == ""
        assert found.pixels is not None
        assert found.pixels.dtype == (np.uint8 if kind is np.uint8 else np.float32)
        assert np.array_equal(found.pixels, planes[:, 1:11])
        assert [band.name for band in found.facts.bands] == ["band1", "band2", "band3", "band4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pages(DEEP[..., 0], DEEP[:-1, :, 0]), "has 2 pages, the first 1 × 12 × 10 float32 and page 2 1 × 11 × 10 float32"),
        (pages(DEEP[..., 0], DEEP[..., 0].astype(np.uint8)), "the first 1 × 12 × 10 float32 and page 2 1 × 12 × 10 uint8"),
        (pages(*[DEEP[..., :3].astype(np.uint8)] * 3), "has 3 pages, the first 3 × 12 × 10 uint8"),
        (pages(DEEP[..., 0], DEEP[..., :3].astype(np.uint8)), "page 2 3 × 12 × 10 uint8"),
    ],
)
def test_pages_that_are_no_bands_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    found = outcome(tmp_path, "a.tiff", content)
    assert found.pixels is None
    assert message in found.problem
    assert "save the page that is meant by itself" in found.problem


def test_pages_count_for_the_limit_together(tmp_path: Path) -> None:
    content = pages(*[DEEP[..., 0].astype(np.uint8)] * 9)
    assert outcome(tmp_path, "a.tiff", content, limit_bytes=2 * len(content)).problem == ""
    many = pages(*[np.zeros((400, 400), bool)] * 9)
    assert len(many) < 9 * 400 * 400
    assert "unpacks to more than" in outcome(tmp_path, "b.tiff", many, limit_bytes=9 * 400 * 400 - 1).problem
    assert outcome(tmp_path, "b.tiff", many, limit_bytes=9 * 400 * 400).problem == ""
