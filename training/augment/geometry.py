"""Geometric transforms as 3 × 3 matrices, and the resampling that carries out their product in one go.

Coordinates are in units of half the image side, x to the right and y downwards, the origin at the image's centre, so that pixel
centres lie at (2i + 1) / side - 1. Each transform gives the matrix that takes a point of the result to the point of the source
that it shows. Order and distributions: Karras et al. 2020 (StyleGAN2-ADA), appendix B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.augment.uniforms import angle, choice, log_normal, normal, symmetric


class Geometric(Protocol):
    """One geometric transform; frozen dataclasses below."""

    @property
    def uniforms(self) -> int:
        """Uniform numbers that one image takes beside the one that decides whether it is transformed."""

    @property
    def exact(self) -> bool:
        """Whether pixels move to pixels, so that nothing is interpolated."""

    def rate(self, p: float) -> float:
        """The probability of application at strength ``p``."""

    def matrices(self, u: Tensor, side: int) -> Tensor:
        """Result → source matrices (N, 3, 3) float64 of uniforms (N, uniforms) for images of ``side`` pixels."""


def affine(n: int, entries: dict[tuple[int, int], Tensor | float]) -> Tensor:
    """``n`` identity matrices with ``entries`` replaced, (n, 3, 3) float64."""
    matrices = torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)
    for (row, column), value in entries.items():
        matrices[:, row, column] = value
    return matrices


def rotation(theta: Tensor) -> Tensor:
    """Rotations by ``theta`` (N,) radians."""
    cos, sin = torch.cos(theta), torch.sin(theta)
    return affine(len(theta), {(0, 0): cos, (0, 1): -sin, (1, 0): sin, (1, 1): cos})


class _Plain:
    """What most transforms share: applied with probability p, interpolating."""

    uniforms = 1
    exact = False

    def rate(self, p: float) -> float:
        return p


class _Exact(_Plain):
    exact = True


@dataclass(frozen=True)
class Mirror(_Exact):
    """x-flip, for one image in two of those chosen."""

    def matrices(self, u: Tensor, side: int) -> Tensor:
        return affine(len(u), {(0, 0): 1.0 - 2.0 * choice(u[:, 0], 2)})


@dataclass(frozen=True)
class QuarterTurns(_Exact):
    """Rotation by 0, 90, 180 or 270°."""

    def matrices(self, u: Tensor, side: int) -> Tensor:
        k = choice(u[:, 0], 4)
        cos = torch.tensor([1.0, 0.0, -1.0, 0.0], dtype=torch.float64)[k]
        sin = torch.tensor([0.0, 1.0, 0.0, -1.0], dtype=torch.float64)[k]
        return affine(len(u), {(0, 0): cos, (0, 1): -sin, (1, 0): sin, (1, 1): cos})


@dataclass(frozen=True)
class Shift(_Exact):
    """Translation by whole pixels, up to ``limit`` of the side in x and in y."""

    limit: float = 0.125
    uniforms = 2

    def matrices(self, u: Tensor, side: int) -> Tensor:
        pixels = torch.round(symmetric(u, self.limit) * side)
        return affine(len(u), {(0, 2): pixels[:, 0] * 2.0 / side, (1, 2): pixels[:, 1] * 2.0 / side})


@dataclass(frozen=True)
class Scale(_Plain):
    """Isotropic zoom by 2^N(0, sigma²)."""

    sigma: float = 0.2

    def matrices(self, u: Tensor, side: int) -> Tensor:
        zoom = 1.0 / log_normal(u[:, 0], self.sigma)
        return affine(len(u), {(0, 0): zoom, (1, 1): zoom})


@dataclass(frozen=True)
class Rotation(_Plain):
    """Rotation by any angle. It stands before and after `Stretch`, each with 1 - √(1 - p), so that either happens with p."""

    def rate(self, p: float) -> float:
        return 1.0 - math.sqrt(1.0 - p)

    def matrices(self, u: Tensor, side: int) -> Tensor:
        return rotation(angle(u[:, 0]))


@dataclass(frozen=True)
class Stretch(_Plain):
    """Anisotropic scale: x by s, y by 1 / s, s = 2^N(0, sigma²)."""

    sigma: float = 0.2

    def matrices(self, u: Tensor, side: int) -> Tensor:
        s = log_normal(u[:, 0], self.sigma)
        return affine(len(u), {(0, 0): 1.0 / s, (1, 1): s})


@dataclass(frozen=True)
class Drift(_Plain):
    """Translation by N(0, sigma²) of the side in x and in y, fractions of a pixel included."""

    sigma: float = 0.125
    uniforms = 2

    def matrices(self, u: Tensor, side: int) -> Tensor:
        shift = normal(u) * self.sigma * 2.0
        return affine(len(u), {(0, 2): shift[:, 0], (1, 2): shift[:, 1]})


@dataclass(frozen=True)
class EighthTurns(_Plain):
    """Rotation by 0, 45, … 315°."""

    def matrices(self, u: Tensor, side: int) -> Tensor:
        return rotation(choice(u[:, 0], 8) * (math.pi / 4))
