"""From uniform numbers to the distributions that augmentations need. A transform gets one row of uniforms an image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALLEST = 2.0**-53


def normal(u: Tensor) -> Tensor:
    """Standard normal values of uniform ones in [0, 1), by the inverse distribution function."""
    values: Tensor = torch.special.ndtri(u.clamp(SMALLEST, 1.0 - SMALLEST))
    return values


def log_normal(u: Tensor, sigma: float) -> Tensor:
    """2 to the power of a normal value with standard deviation ``sigma``: a factor as often above 1 as below."""
    return torch.exp2(normal(u) * sigma)


def symmetric(u: Tensor, limit: float) -> Tensor:
    """Uniform in [-limit, limit)."""
    return (2.0 * u - 1.0) * limit


def angle(u: Tensor) -> Tensor:
    """Uniform in [-π, π)."""
    return symmetric(u, math.pi)


def choice(u: Tensor, n: int) -> Tensor:
    """One of 0 … n - 1, as int64."""
    return (u * n).long().clamp(max=n - 1)
