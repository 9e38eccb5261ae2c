"""Fields of the sky for row E: many small real galaxies and stars on a dark sky, 8-bit greyscale.

The set of the ETH report (2020) is not public; most pixels of its 1000 × 1000 images are 0 to 3 of 255. A field here
is made of an archive's cut-outs: each loses its own sky (the median of its border), is averaged down to a small side, turned or
mirrored, faded towards its border so that no square shows, and added at a random place. Stars are Moffat profiles of one width a
field. Everything follows from the seed and the number of the field.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.errors import BadInput
from galaxies.pixels import uint8_from_signed
from training.aside import file_aside
from training.data.archive import Archive, dihedral

Array = NDArray[np.float32]

SKY = (0.3, 1.5)
"""Mean sky and its noise in levels of 255."""
STAR_SHARPNESS = 2.5
"""Exponent of the Moffat profile."""
STAR_BOX = 16


@dataclass(frozen=True)
class FieldOptions:
    """``side`` of the fields; ``pad`` is the side of the black square around them (0: none); numbers of objects are means."""

    count: int = 100
    side: int = 1000
    pad: int = 0
    galaxies: float = 40.0
    stars: float = 60.0
    smallest: int = 8
    largest: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.smallest <= self.largest <= self.side:
            raise BadInput(f"galaxies of {self.smallest} to {self.largest} px do not fit fields of {self.side} px")
        if self.pad and self.pad < self.side:
            raise BadInput(f"pad {self.pad}: {self.side} or more is needed, or 0 for none", field="pad")


def write_fields(archive: Archive, out: Path, options: FieldOptions, progress: Callable[[int, int], None]) -> None:
    """Write ``options.count`` fields as PNG files into the new zip ``out``; ``prepare`` makes an archive of it.

    Raises
    ------
    BadInput : ``out`` exists or is no name of a zip.
    """
    if out.suffix.lower() != ".zip":
        raise BadInput(f"{out} is no name of a zip: one that ends in .zip is needed", field="out")
    if out.exists():
        raise BadInput(f"{out} exists already; choose another file or remove it", field="out")
    with file_aside(out) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as container:
        for number in range(options.count):
            buffer = io.BytesIO()
            Image.fromarray(field(archive, options, number)).save(buffer, "PNG")
            entry = zipfile.ZipInfo(f"field-{number:05d}.png")
            container.writestr(entry, buffer.getvalue())
            progress(number + 1, options.count)


def field(archive: Archive, options: FieldOptions, number: int) -> NDArray[np.uint8]:
    """Field ``number``: (side, side) or (pad, pad) uint8."""
    rng = np.random.default_rng([options.seed, number])
    side = options.side
    sky = rng.normal(*SKY, (side, side)).astype(np.float32)
    for _ in range(rng.poisson(options.galaxies)):
        stamp = _galaxy(archive, options, rng)
        _add(sky, stamp, *rng.integers(-stamp.shape[0] // 2, side - stamp.shape[0] // 2, size=2))
    width = rng.uniform(0.8, 1.6)
    for _ in range(rng.poisson(options.stars)):
        stamp = _star(width, rng)
        _add(sky, stamp, *rng.integers(-STAR_BOX, side - STAR_BOX, size=2))
    levels = np.clip(np.rint(sky), 0, 255).astype(np.uint8)
    before = (options.pad - side) // 2 if options.pad else 0
    return np.pad(levels, (before, options.pad - side - before)) if options.pad else levels


def _galaxy(archive: Archive, options: FieldOptions, rng: np.random.Generator) -> Array:
    """One real galaxy above its own sky, (s, s) levels, with s drawn so that small ones are more frequent."""
    index = np.array([rng.choice(archive.training())])
    pixels, _ = archive.batch(index, np.zeros(1, np.int64))
    levels = uint8_from_signed(pixels[0]).mean(axis=0, dtype=np.float32)
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    small = round(float(np.exp(rng.uniform(np.log(options.smallest), np.log(options.largest)))))
    small = min(small, levels.shape[0])
    above = np.clip(levels - np.median(border), 0, None)
    image = Image.fromarray(above).resize((small, small), Image.Resampling.BOX)
    turned = dihedral(np.asarray(image)[None], int(rng.integers(8)))[0]
    return np.asarray(turned * _window(small) * rng.uniform(0.3, 1.0), dtype=np.float32)


def _window(side: int) -> Array:
    """1 in the inner half of the radius, falling to 0 at the border like a cosine."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    radius = np.hypot(axis[:, None], axis[None])
    fall = 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - 0.5) / 0.5, 0, 1))
    return fall.astype(np.float32)


def _star(width: float, rng: np.random.Generator) -> Array:
    """A Moffat profile at a position within its pixel; few are bright."""
    axis = np.arange(2 * STAR_BOX + 1, dtype=np.float32) - STAR_BOX
    dy, dx = rng.uniform(-0.5, 0.5, size=2)
    square = (axis[:, None] - dy) ** 2 + (axis[None] - dx) ** 2
    peak = min(8.0 / rng.uniform(0.01, 1.0), 400.0)
    return np.asarray(peak * (1 + square / width**2) ** -STAR_SHARPNESS, dtype=np.float32)


def _add(sky: Array, stamp: Array, top: int, left: int) -> None:
    """Add ``stamp`` at (top, left); what leaves the field is lost."""
    height, width = stamp.shape
    t, l_, b, r = max(top, 0), max(left, 0), min(top + height, sky.shape[0]), min(left + width, sky.shape[1])
    sky[t:b, l_:r] += stamp[t - top : b - top, l_ - left : r - left]
