"""Averages over exact areas, for any factor and any type, that add up in a fixed order."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def area_average(pixels: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Squares (…, S, S) → (…, side, side): the mean over the area of each new pixel, so surface brightness stays.

    ``side`` is at most S.
    """
    wide = pixels.astype(np.float64)
    return _average(_average(wide, side, wide.ndim - 2), side, wide.ndim - 1)


def _average(values: NDArray[np.float64], side: int, axis: int) -> NDArray[np.float64]:
    """Mean over intervals of equal length along ``axis``: tap by tap, so that the order of adding never changes."""
    indices, weights = _taps(values.shape[axis], side)
    shape = [1] * values.ndim
    shape[axis] = side
    total = np.zeros([side if a == axis else n for a, n in enumerate(values.shape)])
    for tap in range(indices.shape[1]):
        total += np.take(values, indices[:, tap], axis=axis) * weights[:, tap].reshape(shape)
    return total


@lru_cache(maxsize=64)
def _taps(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every new pixel the old pixels that it overlaps and the share of its length that each of them covers."""
    edges = np.arange(new + 1) * old / new
    start, stop = edges[:-1], edges[1:]
    taps = np.arange(int(np.ceil(old / new)) + 1)
    indices = np.floor(start).astype(np.int64)[:, None] + taps
    overlap = np.minimum(indices + 1.0, stop[:, None]) - np.maximum(indices, start[:, None])
    weights: NDArray[Any] = np.clip(overlap, 0.0, None)
    return np.minimum(indices, old - 1), weights / weights.sum(axis=1, keepdims=True)
