"""Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991): exact, in blocks, so that memory stays small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Features = NDArray[np.float32]

NEIGHBOURS = 3
BLOCK = 1024


@dataclass(frozen=True)
class Coverage:
    """For every generated image whether it lies in the real manifold, and for every real one whether it lies in the generated."""

    realistic: NDArray[np.bool_]
    covered: NDArray[np.bool_]

    @property
    def precision(self) -> float:
        """Share of generated images that look real."""
        return float(self.realistic.mean())

    @property
    def recall(self) -> float:
        """Share of real images that the generator could have made."""
        return float(self.covered.mean())


def coverage(generated: Features, real: Features, neighbours: int = NEIGHBOURS) -> Coverage:
    """Precision and recall of features (N, D) and (M, D).

    A set's manifold is the union of the balls around its points that reach to their ``neighbours``-th nearest other point.
    Distances are Euclidean, from float32 products.
    """
    a, b = torch.from_numpy(generated), torch.from_numpy(real)
    return Coverage(_inside(a, b, _radii(b, neighbours)), _inside(b, a, _radii(a, neighbours)))


def _radii(points: Tensor, neighbours: int) -> Tensor:
    """Distance of every point to its k-th nearest other point of the same set (the point itself comes first)."""
    k = min(neighbours + 1, len(points))
    return torch.cat([torch.cdist(block, points).topk(k, largest=False).values[:, -1] for block in torch.split(points, BLOCK)])


def _inside(points: Tensor, centres: Tensor, radii: Tensor) -> NDArray[np.bool_]:
    found = [(torch.cdist(block, centres) <= radii).any(dim=1) for block in torch.split(points, BLOCK)]
    inside: NDArray[np.bool_] = torch.cat(found).numpy()
    return inside
