"""Crop and downsample. Averages are over exact areas, for any factor and any type, and add up in a fixed order."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import BadInput
from training.data.items import Pixels
from training.data.options import Resampling


def centre_square(name: str, pixels: Pixels, crop: int | None, resolution: int) -> Pixels:
    """The central ``crop`` × ``crop`` pixels, or the largest central square, of (bands, H, W).

    Raises
    ------
    BadInput : the image is smaller than the crop, or the square is smaller than ``resolution``: nothing is upsampled.
    """
    height, width = pixels.shape[1:]
    side = crop or min(height, width)
    needed = max(side, resolution)
    if min(height, width) < needed or side < resolution:
        raise BadInput(f"{name} is {width} × {height}; at least {needed} × {needed} is needed")
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]


def downsample(pixels: Pixels, resolution: int, how: Resampling) -> Pixels:
    """A square (bands, S, S) → (bands, resolution, resolution) of the same type.

    ``area`` averages over the area of each new pixel (keeps surface brightness), ``sum`` adds up over it (keeps flux; floats
    only make sense), ``nearest`` takes the pixel at its centre. Levels are rounded to nearest.
    """
    side = pixels.shape[-1]
    if side == resolution:
        return np.ascontiguousarray(pixels)
    if how == "nearest":
        centre = ((np.arange(resolution) + 0.5) * side / resolution).astype(np.int64)
        return np.ascontiguousarray(pixels[:, centre[:, None], centre])
    wide = _average(_average(pixels.astype(np.float64), resolution, 1), resolution, 2)
    if how == "sum":
        wide *= (side / resolution) ** 2
    return np.rint(wide).astype(np.uint8) if pixels.dtype == np.uint8 else wide.astype(np.float32)


def _average(values: NDArray[np.float64], resolution: int, axis: int) -> NDArray[np.float64]:
    """Mean over intervals of equal length along ``axis``: tap by tap, so that the order of adding never changes."""
    indices, weights = _taps(values.shape[axis], resolution)
    shape = [1] * values.ndim
    shape[axis] = resolution
    total = np.zeros([resolution if a == axis else n for a, n in enumerate(values.shape)])
    for tap in range(indices.shape[1]):
        total += np.take(values, indices[:, tap], axis=axis) * weights[:, tap].reshape(shape)
    return total


@lru_cache(maxsize=64)
def _taps(side: int, resolution: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every new pixel the old pixels that it overlaps and the share of its length that each of them covers."""
    edges = np.arange(resolution + 1) * side / resolution
    start, stop = edges[:-1], edges[1:]
    taps = np.arange(int(np.ceil(side / resolution)) + 1)
    indices = np.floor(start).astype(np.int64)[:, None] + taps
    overlap = np.minimum(indices + 1.0, stop[:, None]) - np.maximum(indices, start[:, None])
    weights: NDArray[Any] = np.clip(overlap, 0.0, None)
    return np.minimum(indices, side - 1), weights / weights.sum(axis=1, keepdims=True)
