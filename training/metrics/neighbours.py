"""Nearest training images, each allowed the eight symmetries of the square, because training shows every galaxy so moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Images = NDArray[np.float32]

SYMMETRIES = 8
BLOCK = 128
CROP = 0.5


@dataclass(frozen=True)
class Nearest:
    """The k nearest training images of N queries, nearest first: distances, indices and symmetries, each (N, k).

    The training image ``index`` moved by ``symmetry`` (see `training.data.archive.dihedral`) is what looks like the query.
    """

    distance: NDArray[np.float32]
    index: NDArray[np.int64]
    symmetry: NDArray[np.int64]


def nearest_mse(queries: Images, training: Images, k: int, tick: Callable[[int], None] = lambda done: None) -> Nearest:
    """By mean squared error over pixels and bands (Concepción thesis 2023), from matrix products in blocks.

    ``queries`` (N, bands, H, W) and ``training`` (M, bands, H, W) are float32 in one range; k is at most M.
    """
    flat = torch.from_numpy(training.reshape(len(training), -1))
    norms = flat.square().sum(dim=1)

    def distances(moved: Tensor) -> Tensor:
        rows = moved.flatten(1)
        return (rows.square().sum(dim=1)[:, None] + norms - 2 * rows @ flat.T).clamp_(min=0) / flat.shape[1]

    return _search(queries, distances, k, tick)


def nearest_cropped_l1(queries: Images, training: Images, k: int, tick: Callable[[int], None] = lambda done: None) -> Nearest:
    """By mean absolute difference over the central half of each side (Fussell & Moews 2019)."""
    flat = torch.from_numpy(centre(training).reshape(len(training), -1))

    def distances(moved: Tensor) -> Tensor:
        return torch.cdist(moved.flatten(1), flat, p=1) / flat.shape[1]

    return _search(centre(queries), distances, k, tick)


def centre(images: Images) -> Images:
    """The central half of each side of (N, bands, H, W)."""
    side = images.shape[-1]
    kept = max(1, round(side * CROP))
    kept += (side - kept) % 2  # so that the crop of a turned image is the turned crop
    start = (side - kept) // 2
    return np.ascontiguousarray(images[:, :, start : start + kept, start : start + kept])


def _search(queries: Images, distances: Callable[[Tensor], Tensor], k: int, tick: Callable[[int], None]) -> Nearest:
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for start in range(0, len(queries), BLOCK):
        block = torch.from_numpy(queries[start : start + BLOCK])
        best = distances(block)
        which = torch.zeros_like(best, dtype=torch.int8)
        for symmetry in range(1, SYMMETRIES):
            other = distances(_undone(block, symmetry))
            which[other < best] = symmetry
            torch.minimum(best, other, out=best)
        values, index = best.topk(min(k, best.shape[1]), largest=False)
        found.append((values, index, which.gather(1, index)))
        tick(min(start + BLOCK, len(queries)))
    values, index, which = (torch.cat(part) for part in zip(*found, strict=True))
    return Nearest(values.numpy(), index.numpy(), which.long().numpy())


def _undone(images: Tensor, symmetry: int) -> Tensor:
    """``images`` moved by the inverse of ``symmetry``: moving the query back costs less than moving every training image."""
    unmirrored = images.flip(3) if symmetry >= 4 else images
    return torch.rot90(unmirrored, -(symmetry % 4), (2, 3))
