"""FITS: one image, several image extensions (a band each), a cube, or one HDU of a file of many objects."""

from __future__ import annotations

import hashlib
import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from galaxies.errors import BadInput
from training.data.fits_facts import band_of, pixel_scale, saturation
from training.data.items import Facts, Part, Pixels, Raw
from training.data.options import Reading
from training.data.read_arrays import bands_first
from training.data.read_bytes import read_bytes, within_limit

SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz")
NOT_BANDS = {"ERR", "ERROR", "VAR", "VARIANCE", "IVAR", "DQ", "MASK", "WHT", "WEIGHT", "CON", "CTX", "PSF"}


def read_fits(part: Part, reading: Reading) -> Raw:
    """Pixels (bands, H, W) float32 with the first row at the top, as viewers show a FITS image, and what its headers say.

    Raises
    ------
    BadInput : the file has no image, images of different shapes, or extensions that look like errors or masks while
        ``reading.hdu`` names none.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=fits.verify.VerifyWarning)
        warnings.filterwarnings("error", message=".*truncated.*", category=AstropyUserWarning)
        if part.index is not None:
            return _one_hdu(part, reading)
        data = read_bytes(part, reading.limit_bytes)
        with fits.open(io.BytesIO(data), memmap=False) as hdus:
            return _whole(part, hdus, reading, "sha256:" + hashlib.sha256(data).hexdigest())


def image_hdus(name: str, hdus: Any, wanted: tuple[str, ...] = (), *, every: bool = False) -> list[int]:
    """Numbers of the HDUs that hold an image, or of those ``wanted`` by number or name: the last of a name, or ``every`` one.

    Raises
    ------
    BadInput : there is none, or one that is wanted is missing.
    """
    images = [number for number, hdu in enumerate(hdus) if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
    if not images:
        raise BadInput(f"{name} holds no image")
    if not wanted:
        return images
    chosen = []
    for text in wanted:
        found = [i for i in images if (i == int(text) if text.isdecimal() else hdus[i].name.upper() == text.upper())]
        if not found:
            known = ", ".join(f"{i} {hdus[i].name}".strip() for i in images)
            raise BadInput(f"{name} has no image extension {text}; it has {known}")
        chosen += found if every else found[-1:]
    return chosen


def _whole(part: Part, hdus: Any, reading: Reading, digest: str) -> Raw:
    numbers = image_hdus(part.name, hdus, reading.hdu)
    suspects = sorted({hdus[number].name.upper() for number in numbers} & NOT_BANDS)
    if suspects and not reading.hdu:
        raise BadInput(f"{part.name} has extensions that look like errors or masks ({', '.join(suspects)}); choose with --hdu")
    within_limit(part.name, sum(int(np.prod(hdus[number].shape)) * 4 for number in numbers), reading.limit_bytes)
    images = [_pixels(f"{part.name}[{number}]", hdus[number].data, reading) for number in numbers]
    if len({image.shape[1:] for image in images}) > 1:
        raise BadInput(f"{part.name} has bands of different shapes: {', '.join(str(image.shape[1:]) for image in images)}")
    bands = [
        band_of(hdus[number].header, hdus[0].header, part.band, plane + 1 if len(image) > 1 else number, len(image))
        for number, image in zip(numbers, images, strict=True)
        for plane in range(len(image))
    ]
    first = hdus[numbers[0]].header
    facts = Facts(tuple(bands), pixel_scale(first) or pixel_scale(hdus[0].header), saturation(first, hdus[0].header))
    return Raw(np.concatenate(images), facts, digest)


def _one_hdu(part: Part, reading: Reading) -> Raw:
    assert part.index is not None
    hdu = _opened(part.path)[part.index]
    within_limit(part.name, int(np.prod(hdu.shape)) * 4, reading.limit_bytes)
    pixels = _pixels(part.name, hdu.data, reading)
    bands = tuple(
        band_of(hdu.header, hdu.header, part.band, plane + 1, len(pixels), use_name=False) for plane in range(len(pixels))
    )
    facts = Facts(bands, pixel_scale(hdu.header), saturation(hdu.header, hdu.header))
    return Raw(pixels, facts, "sha256:" + hashlib.sha256(pixels.data).hexdigest())


def _pixels(name: str, data: Any, reading: Reading) -> Pixels:
    pixels = bands_first(name, np.asarray(data, dtype=np.float32), reading.band_axis)
    return np.ascontiguousarray(pixels[:, ::-1])


@lru_cache(maxsize=4)
def _opened(path: Path) -> Any:
    """A FITS file of many objects stays open: finding an HDU means reading all headers before it."""
    return fits.open(path, memmap=path.suffix.lower() != ".gz")
