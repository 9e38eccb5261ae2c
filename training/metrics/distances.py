"""Distances between sets of Inception features."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

Features = NDArray[np.float32]

KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000


class _Given(nn.Module):
    """Stands where torchmetrics expects a network: the features are given already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(generated: Features, real: Features) -> float:
    """FID (Heusel et al. 2017) of features (N, D) and (M, D): |μ₁ - μ₂|² + tr Σ₁ + tr Σ₂ - 2 tr √(Σ₁Σ₂), in float64.

    With Σ = XᵀX for centred features X / √(N - 1) the last trace is the sum of the singular values of X₁X₂ᵀ. That needs no root
    of a matrix, costs next to nothing for a few hundred images, and agrees with torchmetrics (a test compares them), which takes
    seconds of processor time whatever the count.
    """
    (mean_a, root_a), (mean_b, root_b) = _moments(generated), _moments(real)
    cross = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = (mean_a - mean_b).square().sum() + root_a.square().sum() + root_b.square().sum() - 2 * cross
    return float(distance.clamp(min=0))


def _moments(features: Features) -> tuple[Tensor, Tensor]:
    """Mean (D,) and a matrix R (min(N, D), D) with RᵀR = covariance."""
    wide = torch.from_numpy(features).double()
    centred = (wide - wide.mean(dim=0)) / max(len(wide) - 1, 1) ** 0.5
    return wide.mean(dim=0), centred if len(centred) <= centred.shape[1] else torch.linalg.qr(centred, mode="r").R


def kernel_distance(generated: Features, real: Features, seed: int = 0, subsets: int = KID_SUBSETS) -> tuple[float, float]:
    """KID (Bińkowski et al. 2018), cubic kernel: mean and standard deviation over ``subsets`` of at most 1,000."""
    size = min(len(generated), len(real), KID_SUBSET_SIZE)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Metric `Kernel Inception Distance` will save"
        )  # of features that are here anyway
        metric = KernelInceptionDistance(
            feature=_Given(real.shape[1]),
            subsets=subsets,
            subset_size=size,
            sync_on_compute=False,  # one process of a run measures: the others would never come
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(generated), real=False)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)
