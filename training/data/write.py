"""Writes an archive aside, image by image, and renames it when it is whole: what is half-written is never found."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from galaxies.errors import BadInput, Transient
from galaxies.zipped import LargeEntry
from training.aside import sweep
from training.data.archive import FORMAT, IMAGES, INDEX, MANIFEST, Archive, digest_of, read, sha256
from training.data.damage import DISK_FULL
from training.data.items import Pixels

TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@contextlib.contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that `publish` moves there, and that is removed if anything fails.

    What killed runs have left is removed first.

    Raises
    ------
    BadInput : ``out`` exists, or no folder can be made there.
    Transient : the disk is full; nothing is left behind.
    """
    folder = _made(out)
    try:
        yield folder
    except OSError as error:
        if error.errno in DISK_FULL:
            raise _full(out, error) from None
        if error.errno in TAKEN:
            raise _exists(out) from None
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path, manifest: dict[str, Any]) -> Archive:
    """Name every file in ``folder`` in the manifest, write it, move the folder to ``out`` and read it back."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    whole = {"format": FORMAT, **manifest, "files": files}
    whole["digest"] = digest_of(whole)
    (folder / MANIFEST).write_text(json.dumps(whole, indent=1) + "\n")
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    folder.rename(out)
    return read(out)


class ImageWriter:
    """``images.npy`` that grows: numpy leaves room in the header for the count."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / IMAGES
        self.stream = self.path.open("wb")
        self.shape: tuple[int, ...] = ()
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.count = 0

    def add(self, pixels: Pixels) -> None:
        """Append one image (bands, H, W); all have one shape and type."""
        if not self.count:
            self.shape, self.dtype = pixels.shape, pixels.dtype
            self._header()
        assert (pixels.shape, pixels.dtype) == (self.shape, self.dtype)
        self.stream.write(np.ascontiguousarray(pixels, dtype=self.dtype.newbyteorder("<")).data)
        self.count += 1

    def close(self) -> Pixels:
        """Finish the file; returns the images mapped into memory."""
        self.stream.seek(0)
        self._header()
        self.stream.close()
        return cast(Pixels, np.load(self.path, mmap_mode="r", allow_pickle=False))

    def _header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.count, *self.shape),
        }
        np.lib.format.write_array_header_1_0(cast(BinaryIO, self.stream), header)


def write_index(folder: Path, archive: Archive) -> None:
    """``index.npz``, as numpy.savez makes it; the same arrays are the same bytes, whatever Python writes them."""
    arrays = {"labels": archive.labels, "held_out": archive.held_out, "files": archive.files}
    with zipfile.ZipFile(folder / INDEX, "w") as index:
        for name, array in arrays.items():
            with index.open(LargeEntry(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(cast(BinaryIO, stream), array, allow_pickle=False)


def write_table(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    """A CSV with a header."""
    with path.open("w", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _exists(out: Path) -> BadInput:
    return BadInput(f"{out} exists already; choose another folder or remove it", field="out")


def _full(out: Path, error: OSError) -> Transient:
    return Transient(f"the disk of {out.parent} is full ({error.strerror}); nothing was written")


def _made(out: Path) -> Path:
    """The new folder beside ``out``."""
    try:
        if out.exists() or out.name == "..":
            raise _exists(out)
        folder = out.with_name(f".{out.name}.{os.getpid()}")
        sweep(out)
        folder.mkdir(parents=True)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise _full(out, error) from None
        raise BadInput(f"{out} cannot be made: {error.strerror}; choose another folder", field="out") from None
    return folder
