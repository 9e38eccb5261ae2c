"""One object of a source: where its pixels lie, and what reading them gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import Band

PartKind = Literal["picture", "fits", "array", "hdf5"]
Pixels = NDArray[np.uint8 | np.float32]


@dataclass(frozen=True)
class Part:
    """A file on disk or in a zip (``member``), or one HDU or row (``index``) of it; ``band`` where a pattern names it.

    ``title`` is the file that was given, where ``path`` is what was unpacked of it.
    """

    path: Path
    kind: PartKind
    member: str | None = None
    index: int | None = None
    band: str | None = None
    title: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        text = self.member or self.title or self.path.name
        return text if self.index is None else f"{text}[{self.index}]"


@dataclass(frozen=True)
class Item:
    """One object: ``name`` is what a table calls it, ``object_id`` decides its side of the split; a ``problem`` breaks it."""

    name: str
    object_id: str
    parts: tuple[Part, ...] = ()
    label: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Facts:
    """What a file says about its bands; ``saturation`` is the value at which pixels are full."""

    bands: tuple[Band, ...]
    pixel_scale_arcsec: float | None = None
    saturation: float | None = None


@dataclass(frozen=True)
class Raw:
    """Pixels (bands, H, W) as the file has them, first row at the top, and the digest of the bytes that they come from."""

    pixels: Pixels
    facts: Facts
    digest: str


def stem(name: str) -> str:
    """A file's name without folders and ending (and without .gz or .fz): the object's name where nothing else says it."""
    last = PurePosixPath(name)
    return PurePosixPath(last.stem).stem if last.suffix in (".gz", ".fz") else last.stem
