"""Colour transforms as affine maps of the bands of a pixel, for any number of bands; values are about -1 … 1.

Distributions: Karras et al. 2020 (StyleGAN2-ADA), appendix B, where bands are red, green and blue. For other numbers of bands,
the luma axis is the direction in which all bands grow alike, and hue turns a random plane perpendicular to it (with three bands
there is only one; with one or two there is none, and hue does nothing). A map is a pair: matrix (N, C, C) and offset (N, C),
both float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.augment.uniforms import angle, choice, log_normal, normal, symmetric

ColourMap = tuple[Tensor, Tensor]


class Colour(Protocol):
    """One colour transform; frozen dataclasses below."""

    def uniforms(self, bands: int) -> int:
        """Uniform numbers that one image takes beside the one that decides whether it is transformed."""

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        """Maps of uniforms (N, uniforms)."""


def _identity(n: int, bands: int) -> Tensor:
    return torch.eye(bands, dtype=torch.float64).repeat(n, 1, 1)


def _zero(n: int, bands: int) -> Tensor:
    return torch.zeros(n, bands, dtype=torch.float64)


def _luma(bands: int) -> Tensor:
    """The projection (C, C) on the direction in which all bands grow alike."""
    return torch.full((bands, bands), 1.0 / bands, dtype=torch.float64)


@dataclass(frozen=True)
class Brightness:
    """All bands + N(0, sigma²)."""

    sigma: float = 0.2

    def uniforms(self, bands: int) -> int:
        return 1

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        return _identity(len(u), bands), (normal(u) * self.sigma).expand(-1, bands)


@dataclass(frozen=True)
class Contrast:
    """All bands × 2^N(0, sigma²)."""

    sigma: float = 0.5

    def uniforms(self, bands: int) -> int:
        return 1

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        return _identity(len(u), bands) * log_normal(u, self.sigma)[:, :, None], _zero(len(u), bands)


@dataclass(frozen=True)
class LumaFlip:
    """Bright becomes dark while colours stay, for one image in two of those chosen."""

    def uniforms(self, bands: int) -> int:
        return 1

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        return _identity(len(u), bands) - 2.0 * choice(u, 2)[:, :, None] * _luma(bands), _zero(len(u), bands)


@dataclass(frozen=True)
class Hue:
    """Rotation by any angle about the luma axis, in a random plane perpendicular to it."""

    def uniforms(self, bands: int) -> int:
        return 1 + 2 * bands

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        identity = _identity(len(u), bands)
        if bands < 3:
            return identity, _zero(len(u), bands)
        directions = normal(u[:, 1:]).reshape(-1, bands, 2)
        plane, _ = torch.linalg.qr((torch.eye(bands, dtype=torch.float64) - _luma(bands)) @ directions)  # (N, C, 2)
        first, second = plane[:, :, :1], plane[:, :, 1:]
        theta = angle(u[:, :1])[:, :, None]
        within = first @ first.mT + second @ second.mT
        turned = second @ first.mT - first @ second.mT
        return identity + (torch.cos(theta) - 1.0) * within + torch.sin(theta) * turned, _zero(len(u), bands)


@dataclass(frozen=True)
class Saturation:
    """Differences between bands × 2^N(0, sigma²)."""

    sigma: float = 1.0

    def uniforms(self, bands: int) -> int:
        return 1

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        luma, factor = _luma(bands), log_normal(u, self.sigma)[:, :, None]
        return luma + (_identity(len(u), bands) - luma) * factor, _zero(len(u), bands)


@dataclass(frozen=True)
class BandGain:
    """Every band × its own factor, uniform in 1 ± ``limit``, about the lower end of the range (-1 stays -1): what a slightly
    wrong zero point would do.
    """

    limit: float = 0.1

    def uniforms(self, bands: int) -> int:
        return bands

    def maps(self, u: Tensor, bands: int) -> ColourMap:
        gain = 1.0 + symmetric(u, self.limit)
        return torch.diag_embed(gain), gain - 1.0
