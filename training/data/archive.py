"""The data set archive: a folder with the images, what is known of each, and a manifest that names every byte by its digest.

Format 2 holds ``images.npy`` (N, bands, H, W), uint8 display levels or float32 in the units of the bands, which is mapped into
memory and not read; ``index.npz`` (never pickled) with ``labels`` (N,) int64 (index into the manifest's classes, -1 without
classes), ``held_out`` (N,) bool and ``files`` (N,) text; ``manifest.json``; and what a person looks at: ``inputs.csv``,
``sheet.png``, ``histograms.png``, for simulated sets ``catalogue.csv``. Format 1 has all arrays in one ``images.npz``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from galaxies.cards import AsinhNormalisation, LinearNormalisation, Normalisation
from galaxies.errors import BadInput
from galaxies.pixels import DISPLAY_LEVELS, signed_from_physical, signed_from_uint8, uint8_from_signed

FORMAT = "galaxy-archive/2"
FORMAT_1 = "galaxy-archive/1"
IMAGES, INDEX, MANIFEST = "images.npy", "index.npz", "manifest.json"

Images = NDArray[np.uint8 | np.float32]
Constants = LinearNormalisation | AsinhNormalisation
_NORMALISATION: TypeAdapter[Constants] = TypeAdapter(Normalisation)


@dataclass(frozen=True)
class Archive:
    """A prepared data set. ``images`` are (N, bands, H, W), uint8 display levels or float32 in the units of the bands.

    ``factor`` is how many of their pixels a side one pixel has that networks see; see `at`.
    """

    images: Images
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    files: NDArray[np.str_]
    manifest: dict[str, Any]
    factor: int = 1

    @property
    def side(self) -> int:
        """Side in pixels of the images that networks see."""
        return int(self.manifest["resolution"]) // self.factor

    def at(self, side: int) -> Archive:
        """The same set for a network of ``side`` pixels: what networks see is averaged down by area, after normalisation.

        Raises
        ------
        BadInput : the stored side is no multiple of ``side``.
        """
        factor, rest = divmod(self.manifest["resolution"], side)
        if rest or not factor:
            sides = f"{self.manifest['resolution']} px, the network makes {side} px"
            raise BadInput(f"the archive has images of {sides}: the first must be a multiple of the second")
        return replace(self, factor=factor)

    @property
    def classes(self) -> list[str]:
        """Class names in label order; empty without classes."""
        return [entry["name"] for entry in self.manifest["classes"]]

    @property
    def physical(self) -> bool:
        """Whether the images are values in the units of the bands, and not display levels."""
        return self.images.dtype != np.uint8

    @property
    def normalisation(self) -> Constants:
        """How network values and stored values belong together; display levels are 0 … 255."""
        return normalisation_of(self.manifest)

    def training(self) -> NDArray[np.int64]:
        """Indices of the images that training may see."""
        return np.flatnonzero(~self.held_out)

    def held_out_indices(self) -> NDArray[np.int64]:
        """Indices of the images that training never sees."""
        return np.flatnonzero(self.held_out)

    def signed(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Images ``indices`` as networks see them: (n, bands, H, W), about -1 … 1."""
        return self._signed(self.images[indices])

    def levels(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images ``indices`` (n, bands, H, W) as perceptual metrics see them: -1 … 1 on 256 levels."""
        return uint8_from_signed(self.signed(indices))

    def batch(self, indices: NDArray[np.int64], symmetry: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Images ``indices`` in -1 … 1 and their labels, each moved by one of the square's eight symmetries (`dihedral`).

        A mirrored image takes the mirrored class (a clockwise spiral becomes an anticlockwise one).
        """
        pixels = np.stack([dihedral(self.images[i], int(k)) for i, k in zip(indices, symmetry, strict=True)])
        labels = self.labels[indices]
        if self.classes:
            mirrored = np.array(self.manifest["mirrored_class"], dtype=np.int64)
            labels = np.where(symmetry >= 4, mirrored[labels], labels)
        return self._signed(pixels), labels

    def _signed(self, pixels: Images) -> NDArray[np.float32]:
        if self.physical:
            signed = signed_from_physical(pixels.astype(np.float32, copy=False), self.normalisation)
        else:
            signed = signed_from_uint8(pixels.astype(np.uint8, copy=False))
        return signed if self.factor == 1 else _averaged(signed, self.factor)


def _averaged(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of the ``factor`` × ``factor`` squares of (n, bands, H, W)."""
    n, bands, height, width = images.shape
    squares = images.reshape(n, bands, height // factor, factor, width // factor, factor)
    means: NDArray[np.float32] = squares.mean(axis=(3, 5), dtype=np.float32)
    return means


def dihedral(image: Images, k: int) -> Images:
    """``image`` (bands, H, W) turned by k mod 4 quarter turns and, for k ≥ 4, mirrored."""
    turned = np.rot90(image, k % 4, axes=(1, 2))
    return turned[:, :, ::-1] if k >= 4 else turned


def normalisation_of(manifest: dict[str, Any]) -> Constants:
    """The normalisation that a manifest names; one without is of display levels."""
    if "normalisation" in manifest:
        return _NORMALISATION.validate_python(manifest["normalisation"])
    bands = len(manifest["bands"])
    return LinearNormalisation(low=[0.0] * bands, high=[DISPLAY_LEVELS] * bands)


def sha256(path: Path) -> str:
    """``sha256:<hex>`` of a file."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(manifest: dict[str, Any]) -> str:
    """The digest of a format 2 archive: of what enters training, so of both array files, bands, classes and constants."""
    keys = ("bands", "classes", "mirrored_class", "normalisation")
    named = {key: manifest[key] for key in keys} | {name: manifest["files"][name] for name in (IMAGES, INDEX)}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def read(folder: Path) -> Archive:
    """Open an archive and check the digests of what training uses.

    Raises
    ------
    BadInput : the folder is not an archive, or its bytes are not those that the manifest names.
    """
    manifest = read_manifest(folder)
    try:
        if manifest["format"] == FORMAT_1:
            return _read_1(folder, manifest)
        for name in (IMAGES, INDEX):
            if not (folder / name).is_file() or sha256(folder / name) != manifest["files"][name]:
                raise _damaged(folder / name)
        if digest_of(manifest) != manifest["digest"]:
            raise _damaged(folder / MANIFEST)
        with np.load(folder / INDEX, allow_pickle=False) as index:
            labels, held_out, files = index["labels"], index["held_out"], index["files"]
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        return Archive(images, labels, held_out, files, manifest)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"{folder} cannot be read: {error}; prepare the set again") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an archive; its files are not looked at.

    Raises
    ------
    BadInput : the folder is not an archive, or of another format.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} is not a data set archive ({error}); make one with `python -m training prepare`") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found not in (FORMAT, FORMAT_1):
        raise BadInput(f"{folder} has format {found!r}; this program reads {FORMAT!r} and {FORMAT_1!r}")
    return dict(manifest)


def _read_1(folder: Path, manifest: dict[str, Any]) -> Archive:
    path = folder / "images.npz"
    if not path.is_file() or sha256(path) != manifest["digest"]:
        raise _damaged(path)
    with np.load(path, allow_pickle=False) as data:
        return Archive(data["images"], data["labels"], data["held_out"], data["files"], manifest)


def _damaged(path: Path) -> BadInput:
    return BadInput(f"{path} is missing or damaged: its digest is not the manifest's; prepare the set again")
