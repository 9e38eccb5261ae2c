"""Whatever bytes a file holds, it is read or named with the reason in one line: it never ends the reading of the others."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galaxies.errors import BadInput, Transient
from tests.unit.training.test_pictures import pages, png
from tests.unit.training.test_sources import made
from training.data.damage import named
from training.data.items import Item, Part
from training.data.options import Reading
from training.data.process import Outcome, process
from training.data.sources import kind_of

SIDE = 16
DAMAGES = 150
RNG = np.random.default_rng(3)
LEVELS = RNG.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
FLUXES = RNG.normal(5.0, 1.0, (3, SIDE, SIDE)).astype(np.float32)


def written(write: Callable[..., Any], *content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    write(stream, *content, **options)
    return stream.getvalue()


def picture(kind: str, pixels: np.ndarray, **options: Any) -> bytes:
    return written(Image.fromarray(pixels).save, kind, **options)


def compressed(kind: str) -> bytes:
    counts = np.abs(FLUXES[0] * 100).astype(np.int32)
    return written(fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(counts, compression_type=kind)]).writeto)


def hdf5(stream: io.BytesIO) -> None:
    with h5py.File(stream, "w") as file:
        file.create_dataset("images", data=FLUXES, compression="gzip")


FILES: dict[str, bytes] = {
    "a.png": picture("PNG", LEVELS),
    "deep.png": picture("PNG", LEVELS[..., 0].astype(np.uint16) * 200),
    "a.jpg": picture("JPEG", LEVELS),
    "a.tiff": picture("TIFF", LEVELS),
    "packed.tiff": picture("TIFF", LEVELS, compression="tiff_lzw"),
    "floats.tiff": picture("TIFF", FLUXES[0]),
    "colours.png": png(2, LEVELS * np.uint16(200)),
    "pages.tiff": pages(*FLUXES),
    "a.fits": written(fits.PrimaryHDU(FLUXES).writeto),
    "a.fits.gz": gzip.compress(written(fits.PrimaryHDU(FLUXES).writeto), mtime=0),
    "rice.fits.fz": compressed("RICE_1"),
    "gzip.fits.fz": compressed("GZIP_1"),
    "hcompress.fits.fz": compressed("HCOMPRESS_1"),
    "a.npy": written(np.save, FLUXES),
    "a.npz": written(np.savez, images=FLUXES),
    "packed.npz": written(np.savez_compressed, images=FLUXES),
    "a.h5": written(hdf5),
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes are others, more of them near the beginning, where what decides is written; a third of the files is cut off."""
    found = bytearray(content)
    for place in len(found) ** rng.uniform(0, 1, int(rng.integers(1, 5))):
        found[int(place) - 1] = int(rng.integers(256))
    return bytes(found[: int(rng.integers(len(found)))] if rng.random() < 1 / 3 else found)


def outcome(path: Path, content: bytes) -> Outcome:
    path.write_bytes(content)
    kind = kind_of(path.name)
    assert kind is not None
    return process(Item(path.name, "1", (Part(path, kind),)), Reading(resolution=8, limit_bytes=2**24, nan="zero"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_any_damage_is_an_outcome(tmp_path: Path, name: str) -> None:
    whole = outcome(tmp_path / name, FILES[name])
    assert whole.pixels is not None, whole.problem
    problems = 0
    for number in range(DAMAGES):
        rng = np.random.default_rng([number, zlib.crc32(name.encode())])
        path = tmp_path / f"{number}-{name}"
        found = outcome(path, damaged(FILES[name], rng))
        if found.problem:
            assert found.problem.startswith(path.name), found.problem
            assert "\n" not in found.problem
            problems += 1
    assert problems > DAMAGES / 10


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (zlib.error("Error -3 while\n  decompressing"), "Error -3 while decompressing"),
        (OSError(2, "No such file or directory", "/tmp/x"), "No such file or directory"),
        (EOFError(), "EOFError"),
        (OSError("broken data stream"), "broken data stream"),
        (TokenError("EOF in multi-line statement", (2, 0)), "EOF in multi-line statement"),
        (MemoryError("Unable to allocate 8 EiB"), "Unable to allocate 8 EiB"),
        (ValueError("no image in <_io.BytesIO object at 0x7f01a2b3c4d0> found"), "no image in found"),
    ],
)
def test_whatever_is_raised_names_the_file_and_the_cause(error: Exception, text: str) -> None:
    with pytest.raises(BadInput) as caught, named("a.fits", "FITS"):
        raise error
    assert caught.value.message == f"a.fits cannot be read as FITS: {text}"


def test_what_says_already_what_is_wrong_and_a_full_disk_pass() -> None:
    for error in (BadInput("crop it"), Transient("later"), OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, named("a"):
            raise error
        assert caught.value is error


def test_a_damaged_file_of_many_objects_is_skipped_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.fits").write_bytes(b"SIMPLE  = nothing")
    fits.HDUList([fits.PrimaryHDU(FLUXES[0]), fits.ImageHDU(FLUXES[1])]).writeto(tmp_path / "in" / "good.fits")
    with pytest.raises(BadInput, match=r"^bad\.fits cannot be read as FITS: "):
        made(tmp_path / "in", layout="objects")
    archive = made(tmp_path / "in", layout="objects", on_error="skip")
    assert list(archive.files) == ["good.fits[0]", "good.fits[1]"]
    assert [text.split()[0] for text in archive.manifest["broken"]] == ["bad.fits"]
