"""What a source holds: a folder, a zip, an npz or HDF5 of many objects, or a FITS file. ``READERS`` lists the kinds of file."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from galaxies.errors import BadInput, Transient
from training.data import read_arrays, read_fits, read_pictures
from training.data.damage import named
from training.data.items import Item, Part, PartKind, Raw, stem
from training.data.options import MEGABYTE, PrepareOptions, Reading


class Reader(NamedTuple):
    """How files with these ``suffixes`` are read, and what messages say that they should be."""

    suffixes: tuple[str, ...]
    what: str
    read: Callable[[Part, Reading], Raw]


READERS: dict[PartKind, Reader] = {
    "picture": Reader(read_pictures.SUFFIXES, "an image", read_pictures.read_picture),
    "fits": Reader(read_fits.SUFFIXES, "FITS", read_fits.read_fits),
    "array": Reader(read_arrays.SUFFIXES, "a numpy array", read_arrays.read_array),
    "hdf5": Reader(read_arrays.HDF5_SUFFIXES, "HDF5", read_arrays.read_hdf5),
}
ROWS = "rows.npy"

Say = Callable[[str], None]


def kind_of(name: str) -> PartKind | None:
    """The kind of file that a name tells, or None."""
    return next((kind for kind, reader in READERS.items() if name.lower().endswith(reader.suffixes)), None)


def read_part(part: Part, reading: Reading) -> Raw:
    """The pixels of a file, HDU or row, by the reader of its kind.

    Raises
    ------
    BadInput : it is damaged, too large or of a form that is not read; the message names it.
    """
    reader = READERS[part.kind]
    with named(part.name, reader.what):
        return reader.read(part, reading)


def objects(options: PrepareOptions, scratch: Path, say: Say) -> list[Item]:
    """The objects of ``options.source`` in the order of their names; ``scratch`` may take an unpacked array.

    Files that are left out, since their kind is not read or the pattern does not match, are counted in a line to ``say``.

    Raises
    ------
    BadInput : the source is missing, of no known kind, damaged as a whole, or holds nothing that is read or that matches.
    Transient : the disk is too full to unpack an npz.
    """
    source = options.source
    if not source.exists():
        raise BadInput(f"there is no {source}: a folder, a zip, FITS, npy, npz or HDF5 file is needed", field="source")
    _check_used(options)
    with named(str(source), field="source"):
        if source.is_dir():
            paths = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*"))}
            names = [name for name in paths if not _of_macos(name)]
            parts = {name: Part(paths[name], kind) for name in names if (kind := kind_of(name))}
            others = [name for name in names if name not in parts and paths[name].is_file()]
            items = _grouped(options, parts, others, say)
        elif source.is_file() and kind_of(source.name):
            items = _rows(options, scratch)
        elif source.is_file() and zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as container:
                names = sorted(name for name in container.namelist() if not _of_macos(name))
            parts = {name: Part(source, kind, name) for name in names if (kind := kind_of(name))}
            items = _grouped(options, parts, [name for name in names if name not in parts and not name.endswith("/")], say)
        elif source.suffix.lower() == ".zip":
            raise BadInput(f"{source} is no whole zip file: it is cut off or damaged", field="source")
        else:
            raise BadInput(f"{source} is neither a folder nor a zip file nor one of FITS, npy, npz or HDF5", field="source")
    if not items:
        suffixes = ", ".join(suffix for reader in READERS.values() for suffix in reader.suffixes)
        raise BadInput(f"{source} holds no file that is read ({suffixes})", field="source")
    return items


def _check_used(options: PrepareOptions) -> None:
    """Refuse an option that the source has no use for: labels that are asked for must not be left out in silence.

    Raises
    ------
    BadInput : there is one.
    """
    source, kind = options.source, kind_of(options.source.name)
    one_file = not source.is_dir() and kind is not None
    if options.pattern is not None and one_file:
        raise BadInput(f"--pattern joins files of a folder or zip, and {source} is one file", field="pattern")
    for option, key, other, column in (
        ("--label-key", options.label_key, "--class-column", options.selection.class_column),
        ("--object-key", options.object_key, "--object-column", options.selection.object_column),
    ):
        if key is not None and not (one_file and kind in ("array", "hdf5")):
            raise BadInput(f"{option} {key} is for an npz or HDF5 file of many objects, and {source} is none: use --csv")
        if key is not None and column is not None:
            raise BadInput(f"{option} {key} and {other} {column} answer the same question: give one of them")


def _of_macos(name: str) -> bool:
    """Whether macOS has put a file beside those that people made: resource forks are named as pictures are."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._")


def _grouped(options: PrepareOptions, parts: dict[str, Part], others: Sequence[str], say: Say) -> list[Item]:
    """A file an object, a HDU an object, or the files of one object joined by the pattern; says what else there is."""
    table = options.selection.csv and options.selection.csv.resolve()
    if count := _count(name for name in others if (options.source / name).resolve() != table):
        say(f"left out: {count}, which are not read")
    if options.pattern is not None:
        return _by_pattern(options, parts, say)
    items = []
    for name, part in parts.items():
        if options.layout == "objects" and part.kind == "fits":
            if part.member is not None:
                raise BadInput(f"{name} lies in a zip; --layout objects reads files on disk: unpack it", field="layout")
            items += _hdus(part, name, options.reading.hdu)
        else:
            items.append(Item(name, stem(name), (part,)))
    return items


def _count(names: Iterable[str]) -> str:
    """Files by their ending, such as ``2 .gif, 1 .webp``; hidden ones do not count."""
    paths = [PurePosixPath(name) for name in names]
    endings = Counter(path.suffix.lower() or "without an ending" for path in paths if not any(p[0] == "." for p in path.parts))
    return ", ".join(f"{count} {ending}" for ending, count in endings.most_common())


def _by_pattern(options: PrepareOptions, parts: dict[str, Part], say: Say) -> list[Item]:
    assert options.pattern is not None
    if options.pattern.count("{id}") != 1 or options.pattern.count("{band}") != 1:
        raise BadInput(f"--pattern {options.pattern!r}: {{id}} and {{band}} are needed, once each", field="pattern")
    text = re.escape(options.pattern).replace(r"\{id\}", "(?P<id>.+)").replace(r"\{band\}", "(?P<band>[^/]+)")
    found: dict[str, dict[str, Part]] = defaultdict(dict)
    for name, part in parts.items():
        if match := re.fullmatch(text, name):
            found[match["id"]][match["band"]] = replace(part, band=match["band"])
    if parts and not found:
        raise BadInput(
            f"--pattern {options.pattern!r} matches no file of {options.source}, such as {next(iter(parts))}", field="pattern"
        )
    if count := _count(name for name in parts if not re.fullmatch(text, name)):
        say(f"left out: {count}, which --pattern {options.pattern!r} does not match")
    order = [band.name for band in options.reading.bands] or _all_bands(found)
    return [_of_bands(name, bands, order) for name, bands in sorted(found.items())]


def _of_bands(name: str, found: dict[str, Part], order: Sequence[str]) -> Item:
    missing = [band for band in order if band not in found]
    problem = f"{name} has no file for {', '.join(missing)}" if missing else ""
    return Item(name, PurePosixPath(name).name, tuple(found[band] for band in order if band in found), problem=problem)


def _all_bands(found: dict[str, dict[str, Part]]) -> list[str]:
    return sorted({band for bands in found.values() for band in bands})


def _rows(options: PrepareOptions, scratch: Path) -> list[Item]:
    """The rows of one array file, or the objects of one FITS file."""
    source, kind = options.source, kind_of(options.source.name)
    if kind == "fits" and options.layout == "objects":
        return _hdus(Part(source, kind), source.name, options.reading.hdu)
    if kind in ("fits", "picture"):
        assert kind is not None
        return [Item(source.name, stem(source.name), (Part(source, kind),))]
    reading = options.reading
    if kind == "hdf5":
        part, shape = Part(source, kind), read_arrays.hdf5_set(source, reading.key, source.name).shape
    else:
        path = source if source.suffix.lower() == ".npy" else _unpacked(source, reading, scratch)
        part, shape = Part(path, "array", title=source.name), read_arrays.mapped(path).shape
    if len(shape or ()) < 3:
        raise BadInput(
            f"{source.name} has shape {shape}; (N, H, W), (N, bands, H, W) or (N, H, W, bands) is needed: N images in one file "
            "(a file with one image is read from a folder)",
            field="source",
        )
    length = shape[0]
    labels = _column(source, "--label-key", options.label_key, length)
    ids = _column(source, "--object-key", options.object_key, length)
    words = None if labels is None else [_word(label) for label in labels]
    if words is not None:
        options.selection.check_renames(set(words))
    rename, items = dict(options.selection.rename), []
    for index in range(length):
        name = f"{source.name}[{index}]"
        label = None if words is None else rename.get(words[index], words[index])
        items.append(
            Item(
                name=name,
                object_id=str(index) if ids is None else _word(ids[index]) or str(index),
                parts=(replace(part, index=index),),
                label=label,
                problem=f"{name} has no label in {options.label_key!r}" if label == "" else "",
            )
        )
    return items


def _hdus(part: Part, name: str, wanted: tuple[str, ...]) -> list[Item]:
    """Every HDU with an image, or that is ``wanted``; a file that is damaged is one broken object."""
    try:
        with named(name, "FITS"), fits.open(part.path, memmap=True) as hdus:
            numbers = sorted(set(read_fits.image_hdus(name, hdus, wanted, every=True)))
    except BadInput as error:
        return [Item(name, stem(name), problem=error.message)]
    return [Item(f"{name}[{number}]", f"{stem(name)}[{number}]", (replace(part, index=number),)) for number in numbers]


def _unpacked(source: Path, reading: Reading, scratch: Path) -> Path:
    """The array of an npz as a file that can be mapped into memory."""
    with zipfile.ZipFile(source) as container:
        key = read_arrays.one_key(source.name, [name.removesuffix(".npy") for name in container.namelist()], reading.key)
        size, free = container.getinfo(f"{key}.npy").file_size, shutil.disk_usage(scratch).free
        if size > free:
            raise Transient(
                f"{key} of {source.name} unpacks to {size / MEGABYTE:,.0f} MiB, and the disk of --out has "
                f"{free / MEGABYTE:,.0f} MiB free; make room, choose an --out on another disk, or save the array as .npy, "
                "which is read where it lies"
            )
        with container.open(f"{key}.npy") as packed, (scratch / ROWS).open("wb") as plain:
            shutil.copyfileobj(packed, plain, 2**20)
    return scratch / ROWS


def _column(source: Path, option: str, key: str | None, length: int) -> Sequence[Any] | None:
    """One value an object from the same file."""
    if key is None:
        return None
    if source.suffix.lower() == ".npz":
        with np.load(source, allow_pickle=False) as data:
            values = data[read_arrays.one_key(source.name, data.files, key, option)]
    elif kind_of(source.name) == "hdf5":
        values = np.asarray(read_arrays.hdf5_set(source, key, source.name, option)[()])
    else:
        raise BadInput(f"{source.name} holds one array and no labels; use --csv", field="label_key")
    if values.shape != (length,):
        raise BadInput(f"{source.name}: {key} has shape {values.shape}; one value an object, ({length},), is needed", field="key")
    return list(values)


def _word(value: Any) -> str:
    """A label or a name in an array; NaN is none."""
    if isinstance(value, float | np.floating) and np.isnan(value):
        return ""
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
