"""ZIP (a PNG each, a catalogue and the request) and npz (arrays). Same product, same bytes: entries carry a fixed date."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, native_size, pictures
from galaxies.encode.png import save_png
from galaxies.encode.provenance import notes, provenance_text
from galaxies.encode.votable import columns_of, votable_text
from galaxies.pixels import physical
from galaxies.product import Product, image_names, image_seeds
from galaxies.zipped import LargeEntry

_READABLE = 0o100644 << 16
_UNIX = 3


def encode_zip(product: Product, path: Path, created: datetime) -> Encoded:
    """``<name>.png`` for every image, ``catalogue.csv`` and ``catalogue.vot`` and ``request.json``. ``created`` is not used.

    Stored, not deflated: PNG is compressed already. What each PNG says of itself: `galaxies.encode.provenance.notes`.
    """
    size, names = display_size(product), image_names(product.request)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("request.json"), provenance_text(product) + "\n")
        archive.writestr(_entry("catalogue.csv"), _catalogue(product))
        archive.writestr(_entry("catalogue.vot"), votable_text(product, _rows(product)))
        for name, pixels, note in zip(names, pictures(product), notes(product), strict=True):
            content = io.BytesIO()
            save_png(pixels, content, note)
            archive.writestr(_entry(f"{name}.png"), content.getvalue())
    return Encoded("application/zip", size, size, len(product.images))


def encode_npz(product: Product, path: Path, created: datetime) -> Encoded:
    """Arrays that ``numpy.load`` opens without pickle. ``created`` is not used.

    ``images`` (N, bands, H, W) float32 in the units of the card (`galaxies.pixels.physical`), first row at the top of the
    picture; ``z`` (N, z_dim) and ``w`` (N, num_ws, w_dim, before truncation) float32 where the product has them; ``seeds`` (N,)
    int64, -1 where an image has none; ``classes`` and ``names`` (N,) text; ``score`` and ``score_spread`` (N,) float32 where they
    are wanted; ``request`` the provenance as JSON text.
    """
    seeds = image_seeds(product.request)
    arrays: dict[str, NDArray[Any]] = {
        "seeds": np.array([-1 if seed is None else seed for seed, _ in seeds], dtype=np.int64),
        "classes": np.array([name or "" for _, name in seeds]),
        "names": np.array(image_names(product.request)),
        "request": np.array(provenance_text(product)),
    }
    arrays |= {name: array for name, array in (("z", product.z), ("w", product.w)) if array is not None}
    if product.scores is not None:
        arrays |= {"score": product.scores.value, "score_spread": product.scores.spread}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _write_array(archive, "images", product.images.shape, _physical_frames(product))
        for name, array in arrays.items():
            with archive.open(_readable(LargeEntry(f"{name}.npy")), "w", force_zip64=True) as stream:
                np.lib.format.write_array(cast(BinaryIO, stream), array, allow_pickle=False)
    return Encoded("application/x-npz", *native_size(product), len(product.images))


def _entry(name: str) -> zipfile.ZipInfo:
    return _readable(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)))


def _readable(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    entry.external_attr, entry.create_system = _READABLE, _UNIX
    return entry


def _catalogue(product: Product) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(column.name for column in columns_of(product))
    table.writerows(_rows(product))
    return text.getvalue()


def _rows(product: Product) -> Iterator[list[Any]]:
    """One row an image, in the order of `columns_of`."""
    card, request, scores = product.card, product.request, product.scores
    for index, (name, (seed, class_)) in enumerate(zip(image_names(request), image_seeds(request), strict=True)):
        judged = [] if scores is None else [f"{scores.value[index]:.4f}", f"{scores.spread[index]:.4f}"]
        yield [index, f"{name}.png", name, seed, class_, card.name, card.version, card.digest, request.truncation, *judged]


def _physical_frames(product: Product) -> Iterator[bytes]:
    for index in range(len(product.images)):
        yield physical(product.image(index), product.card.normalisation).astype("<f4").tobytes()


def _write_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], chunks: Iterator[bytes]) -> None:
    """A float32 array too big to build in memory, written as its chunks come."""
    with archive.open(_readable(LargeEntry(f"{name}.npy")), "w", force_zip64=True) as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(cast(BinaryIO, stream), header)
        for chunk in chunks:
            stream.write(chunk)
