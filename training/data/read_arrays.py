"""Arrays: npy, npz and HDF5, one object a file or one a row of the first axis."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.items import Facts, Part, Pixels, Raw
from training.data.options import BandAxis, Reading
from training.data.read_bytes import read_bytes, within_limit

SUFFIXES = (".npy", ".npz")
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
FULL = 255.0
COLOURS = {1: ("grey",), 3: ("red", "green", "blue")}


def read_array(part: Part, reading: Reading) -> Raw:
    """An npy, an npz (array ``reading.key``) or, with an index, a row of a large npy that is mapped into memory."""
    if part.index is not None:
        row = np.ascontiguousarray(mapped(part.path)[part.index])
        return raw(part, row, reading, hashlib.sha256(row.data).hexdigest())
    data = read_bytes(part, reading.limit_bytes)
    if data.startswith(b"PK"):
        data_of = zipfile.ZipFile(io.BytesIO(data))
        key = one_key(part.name, [name.removesuffix(".npy") for name in data_of.namelist()], reading.key)
        within_limit(part.name, data_of.getinfo(f"{key}.npy").file_size, reading.limit_bytes)
        array = np.load(io.BytesIO(data), allow_pickle=False)[key]
    else:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    return raw(part, array, reading, hashlib.sha256(data).hexdigest())


def read_hdf5(part: Part, reading: Reading) -> Raw:
    """The data set ``reading.key`` of an HDF5 file, or a row of it."""
    place = part.path if part.member is None else io.BytesIO(read_bytes(part, reading.limit_bytes))
    data = hdf5_set(place, reading.key, part.path.name if part.member is None else part.member)
    size = data.nbytes if part.index is None else data.nbytes // max(len(data), 1)
    within_limit(part.name, size, reading.limit_bytes)
    array = np.asarray(data[()] if part.index is None else data[part.index])
    array = np.ascontiguousarray(array)
    return raw(part, array, reading, hashlib.sha256(array.data).hexdigest())


def raw(part: Part, array: NDArray[Any], reading: Reading, digest: str) -> Raw:
    """A 2- or 3-dimensional array as bands first; uint8 stays, other numbers become float32.

    Raises
    ------
    BadInput : the array has another number of axes, no numbers, or no axis that can be the bands.
    """
    pixels = bands_first(part.name, array, reading.band_axis)
    levels = pixels.dtype == np.uint8
    names = COLOURS.get(len(pixels)) if levels else None
    names = names or tuple(f"band{number}" for number in range(1, len(pixels) + 1))
    facts = Facts(tuple(Band(name=name) for name in names), None, FULL if levels else None)
    return Raw(pixels, facts, f"sha256:{digest}")


def bands_first(name: str, array: NDArray[Any], axis: BandAxis) -> Pixels:
    """(H, W), (bands, H, W) or (H, W, bands) → (bands, H, W) uint8 or float32; ``auto`` takes the shortest axis for the bands."""
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise BadInput(f"{name} has shape {array.shape}; (H, W), (bands, H, W) or (H, W, bands) is needed")
    if array.dtype.kind not in "uif":
        raise BadInput(f"{name} holds {array.dtype}; integers or floats are needed")
    if array.ndim == 2:
        array = array[None]
    elif axis == "auto":
        array = np.moveaxis(array, _shortest(name, array.shape), 0)
    elif axis == "last":
        array = np.moveaxis(array, -1, 0)
    return np.ascontiguousarray(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32)


def _shortest(name: str, shape: tuple[int, ...]) -> int:
    first, second = sorted(range(3), key=lambda axis: shape[axis])[:2]
    if shape[first] == shape[second]:
        raise BadInput(f"{name} has shape {shape}, and which axis is the bands cannot be told; say --band-axis first or last")
    return first


def one_key(name: str, keys: list[str], wanted: str, option: str = "--key") -> str:
    """``wanted``, as ``option`` has it, or for the images (``--key``) the only key there is.

    Raises
    ------
    BadInput : the file has no array of that name.
    """
    if wanted in keys:
        return wanted
    if len(keys) == 1 and option == "--key":
        return keys[0]
    raise BadInput(f"{name} has no array {wanted!r}; it has {', '.join(keys) or 'none'}: choose with {option}")


@lru_cache(maxsize=4)
def mapped(path: Path) -> NDArray[Any]:
    """An npy mapped into memory."""
    return cast(NDArray[Any], np.load(path, mmap_mode="r", allow_pickle=False))


@lru_cache(maxsize=4)
def hdf5_set(path: Path | io.BytesIO, key: str, name: str, option: str = "--key") -> Any:
    """The data set ``key`` of an HDF5 file that stays open (see `one_key`); ``name`` is what messages call the file."""
    import h5py  # noqa: PLC0415 - a fifth of a second that only HDF5 needs

    file = h5py.File(path, "r")
    found: list[str] = []
    file.visititems(lambda name, node: found.append(name) if isinstance(node, h5py.Dataset) else None)
    return file[one_key(name, found, key, option)]
