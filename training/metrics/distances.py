"""Distances between sets of Inception features, computed by torchmetrics."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
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
    """FID (Heusel et al. 2017) of features (N, D) and (M, D)."""
    metric = FrechetInceptionDistance(feature=_Given(real.shape[1]))
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(generated), real=False)
    return float(metric.compute())


def kernel_distance(generated: Features, real: Features, seed: int = 0) -> tuple[float, float]:
    """KID (Bińkowski et al. 2018), cubic kernel: mean and standard deviation over 100 subsets of at most 1,000."""
    size = min(len(generated), len(real), KID_SUBSET_SIZE)
    metric = KernelInceptionDistance(feature=_Given(real.shape[1]), subsets=KID_SUBSETS, subset_size=size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(generated), real=False)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)
