"""``prepare``: images in a folder or a zip, with class labels from a CSV → one archive (see `training.data.archive`)."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from galaxies.errors import BadInput
from training.data.archive import Archive, sha256, write

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
HELD_OUT_BINS = 1000
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
DISPLAY_BANDS = {1: ("grey",), 3: ("red", "green", "blue")}


@dataclass(frozen=True)
class PrepareOptions:
    """What ``prepare`` is asked to do; file and column names refer to the CSV's header."""

    source: Path
    out: Path
    resolution: int = 64
    csv: Path | None = None
    file_column: str = "file"
    class_column: str | None = None
    object_column: str | None = None
    held_out: float = 0.1
    on_error: str = "fail"
    name: str = ""
    credits: str = ""
    band_names: tuple[str, ...] = ()
    pixel_scale_arcsec: float | None = None
    mirror_pairs: tuple[tuple[str, str], ...] = ()
    max_column: str | None = None
    max_value: float = 0.0


@dataclass(frozen=True)
class _Entry:
    file: str
    label: str | None
    object_id: str


def prepare(options: PrepareOptions, progress: Callable[[int, int], None]) -> Archive:
    """Read, downsample by area, label, split and write. ``progress(done, total)`` is called for every image.

    Raises
    ------
    BadInput : the source, the CSV or a column is missing; a file is broken and ``on_error`` is ``"fail"``; the images have
        different numbers of bands; an image is smaller than the resolution.
    """
    contents = dict(_open_source(options.source))
    entries = _entries(options, contents)
    images: list[NDArray[np.uint8]] = []
    kept: list[_Entry] = []
    broken: list[str] = []
    for done, entry in enumerate(entries, 1):
        try:
            images.append(_load(entry.file, contents[entry.file](), options.resolution))
            kept.append(entry)
        except BadInput as error:
            if options.on_error == "fail":
                raise
            broken.append(error.message)
        progress(done, len(entries))
    if not images:
        raise BadInput(f"{options.source} holds no usable image ({', '.join(sorted(SUFFIXES))})", field="source")
    bands = Counter(len(image) for image in images)
    if len(bands) > 1:
        raise BadInput(f"{options.source} mixes images of {sorted(bands)} bands; all must have the same", field="source")
    archive = _assemble(options, kept, np.stack(images), broken)
    return Archive(archive.images, archive.labels, archive.held_out, archive.files, write(options.out, archive))


def _open_source(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES):
            yield path.relative_to(source).as_posix(), path.read_bytes
    elif zipfile.is_zipfile(source):
        container = zipfile.ZipFile(source)
        for name in sorted(n for n in container.namelist() if Path(n).suffix.lower() in SUFFIXES):
            yield name, lambda name=name: container.read(name)  # type: ignore[misc]
    else:
        raise BadInput(f"{source} is neither a folder nor a zip file", field="source")


def _entries(options: PrepareOptions, contents: dict[str, Callable[[], bytes]]) -> list[_Entry]:
    if options.csv is None:
        return [_Entry(file, None, Path(file).stem) for file in contents]
    try:
        with options.csv.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{options.csv} cannot be read as CSV: {error}", field="csv") from None
    wanted = [c for c in (options.file_column, options.class_column, options.object_column, options.max_column) if c]
    for column in wanted:
        if not rows or column not in rows[0]:
            raise BadInput(
                f"{options.csv} has no column {column!r}; it has {', '.join(rows[0]) if rows else 'no rows'}", field="csv"
            )
    if options.max_column:
        rows = [row for row in rows if _number(row, options.max_column, options) <= options.max_value]
    missing = [row[options.file_column] for row in rows if row[options.file_column] not in contents]
    if missing and options.on_error == "fail":
        raise BadInput(
            f"{len(missing)} files of {options.csv} are not in {options.source}, the first is {missing[0]}", field="csv"
        )
    return [
        _Entry(
            file=row[options.file_column],
            label=row[options.class_column] if options.class_column else None,
            object_id=row[options.object_column] if options.object_column else Path(row[options.file_column]).stem,
        )
        for row in rows
        if row[options.file_column] in contents
    ]


def _number(row: dict[str, str], column: str, options: PrepareOptions) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise BadInput(f"{options.csv}: {row[column]!r} in column {column!r} is not a number", field="csv") from None


def _load(name: str, data: bytes, resolution: int) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data)) as stored:
            if stored.mode not in GREY_MODES + COLOUR_MODES:
                raise BadInput(f"{name} has pixel mode {stored.mode}; 8-bit grey or colour is needed")
            image = stored.convert("L" if stored.mode in GREY_MODES else "RGB")
            side = min(image.size)
            if side < resolution:
                raise BadInput(f"{name} is {image.width} × {image.height}; at least {resolution} × {resolution} is needed")
            left, top = (image.width - side) // 2, (image.height - side) // 2
            box = (left, top, left + side, top + side)
            pixels = np.asarray(image.resize((resolution, resolution), Image.Resampling.BOX, box=box))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{name} cannot be read as an image: {error}") from None
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _assemble(options: PrepareOptions, kept: list[_Entry], images: NDArray[np.uint8], broken: list[str]) -> Archive:
    bands = options.band_names or DISPLAY_BANDS[images.shape[1]]
    if len(bands) != images.shape[1]:
        raise BadInput(f"{len(bands)} band names ({', '.join(bands)}) for images of {images.shape[1]} bands", field="bands")
    names = sorted({entry.label for entry in kept if entry.label is not None})
    labels = np.array([names.index(entry.label) if entry.label is not None else -1 for entry in kept], dtype=np.int64)
    held_out = np.array([_is_held_out(entry.object_id, options.held_out) for entry in kept])
    manifest = {
        "name": options.name or options.out.name,
        "credits": options.credits,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {"file": options.source.name, "digest": sha256(options.source) if options.source.is_file() else None},
        "selection": f"{options.max_column} <= {options.max_value:g}" if options.max_column else None,
        "resolution": options.resolution,
        "bands": list(bands),
        "pixel_scale_arcsec": options.pixel_scale_arcsec,
        "count": len(images),
        "training_count": int((~held_out).sum()),
        "held_out_count": int(held_out.sum()),
        "classes": [{"name": name, "count": int((labels[~held_out] == i).sum())} for i, name in enumerate(names)],
        "mirrored_class": _mirrored(names, options.mirror_pairs),
        "broken": broken,
    }
    return Archive(images, labels, held_out, np.array([entry.file for entry in kept]), manifest)


def _mirrored(names: list[str], pairs: tuple[tuple[str, str], ...]) -> list[int]:
    """For every class the class of its mirror image."""
    mirror = list(range(len(names)))
    for pair in pairs:
        for name in pair:
            if name not in names:
                raise BadInput(f"class {name!r} is unknown; there are {', '.join(names)}", field="mirror")
        a, b = (names.index(name) for name in pair)
        mirror[a], mirror[b] = b, a
    return mirror


def _is_held_out(object_id: str, share: float) -> bool:
    """The split follows the object's name, so it never changes when images are added."""
    number = int.from_bytes(hashlib.sha256(object_id.encode()).digest()[:8], "big")
    return number % HELD_OUT_BINS < share * HELD_OUT_BINS
