"""The data set archive: one ``images.npz`` (never pickled) and its ``manifest.json``.

``images.npz`` holds ``images`` (N, bands, H, W) uint8, ``labels`` (N,) int64 (index into the manifest's classes, -1 without
classes), ``held_out`` (N,) bool and ``files`` (N,) text. The manifest carries counts, the digest and the source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import BadInput
from galaxies.pixels import signed_from_uint8

FORMAT = "galaxy-archive/1"


@dataclass(frozen=True)
class Archive:
    """A prepared data set in memory. ``images`` are (N, bands, H, W) uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    files: NDArray[np.str_]
    manifest: dict[str, Any]

    @property
    def classes(self) -> list[str]:
        """Class names in label order; empty without classes."""
        return [entry["name"] for entry in self.manifest["classes"]]

    def training(self) -> NDArray[np.int64]:
        """Indices of the images that training may see."""
        return np.flatnonzero(~self.held_out)

    def batch(self, indices: NDArray[np.int64], symmetry: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Images ``indices`` in -1 … 1 and their labels, each moved by one of the square's eight symmetries (`dihedral`).

        A mirrored image takes the mirrored class (a clockwise spiral becomes an anticlockwise one).
        """
        pixels = np.stack([dihedral(self.images[i], int(k)) for i, k in zip(indices, symmetry, strict=True)])
        labels = self.labels[indices]
        if self.classes:
            mirrored = np.array(self.manifest["mirrored_class"], dtype=np.int64)
            labels = np.where(symmetry >= 4, mirrored[labels], labels)
        return signed_from_uint8(pixels), labels


def dihedral(image: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """``image`` (bands, H, W) turned by k mod 4 quarter turns and, for k ≥ 4, mirrored."""
    turned = np.rot90(image, k % 4, axes=(1, 2))
    return turned[:, :, ::-1] if k >= 4 else turned


def sha256(path: Path) -> str:
    """``sha256:<hex>`` of a file."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def write(out: Path, archive: Archive) -> dict[str, Any]:
    """Write ``archive`` to the new folder ``out`` (aside first, then renamed); returns the manifest with the digest."""
    if out.exists():
        raise BadInput(f"{out} exists already; choose another folder or remove it", field="out")
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    aside.mkdir(parents=True)
    try:
        np.savez(
            aside / "images.npz",
            images=archive.images,
            labels=archive.labels,
            held_out=archive.held_out,
            files=archive.files,
        )
        manifest = {"format": FORMAT, **archive.manifest, "digest": sha256(aside / "images.npz")}
        (aside / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def read(folder: Path) -> Archive:
    """Load an archive and check its digest.

    Raises
    ------
    BadInput : the folder is not an archive, or its bytes are not those that the manifest names.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} is not a data set archive ({error}); make one with `python -m training prepare`") from None
    if manifest.get("format") != FORMAT:
        raise BadInput(f"{folder} has format {manifest.get('format')!r}; this program reads {FORMAT!r}")
    path = folder / "images.npz"
    if not path.is_file() or sha256(path) != manifest["digest"]:
        raise BadInput(f"{path} is missing or damaged: its digest is not the manifest's; prepare the set again")
    try:
        with np.load(path, allow_pickle=False) as data:
            return Archive(data["images"], data["labels"], data["held_out"], data["files"], manifest)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
