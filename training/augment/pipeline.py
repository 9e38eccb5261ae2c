"""The augmentation of one preset: which transforms, and how images pass through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from training.augment.colour import Colour
from training.augment.geometry import Geometric, Mirror
from training.augment.pixels import Pixels
from training.augment.resample import move, warp, warp_into


@dataclass(frozen=True)
class Pipeline:
    """Transforms in the order of application: geometry (one resampling in all), colour (one map), then the rest one by one."""

    geometry: tuple[Geometric, ...] = ()
    colour: tuple[Colour, ...] = ()
    pixels: tuple[Pixels, ...] = ()
    fill: float | None = None
    """What lies beyond the border: None is the image's mirror image."""
    adaptive: bool = False
    """Meant for a strength that the `Controller` adapts; the others have a fixed one, 1 as published."""
    reals_only: bool = False
    """For the discriminator's real images alone, as an enlarged data set would do: the generator learns its artefacts."""

    def without_mirror(self) -> Pipeline:
        """The same without x-flips."""
        return replace(self, geometry=tuple(t for t in self.geometry if not isinstance(t, Mirror)))


class Augmentation:
    """Random transforms of images, each applied with probability ``p``, differentiable (twice) in the images.

    All decisions come from uniform numbers, one row an image, drawn on the CPU: ``draw`` the rows of a whole batch, then
    ``apply`` any slice of it. An image that no transform chooses comes back bit for bit; with p = 0 that is every image.
    """

    def __init__(self, name: str, pipeline: Pipeline, bands: int) -> None:
        self.name, self.pipeline, self.bands = name, pipeline, bands
        self.reals_only = pipeline.reals_only
        self._widths = [
            *(1 + t.uniforms for t in pipeline.geometry),
            *(1 + t.uniforms(bands) for t in pipeline.colour),
            *(t.uniforms(bands) for t in pipeline.pixels),
        ]

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """The random numbers of ``n`` images, (n, K) float64; drawing twice n/2 gives the same rows."""
        return torch.rand(n, sum(self._widths), generator=rng, dtype=torch.float64)

    def __call__(self, images: Tensor, p: float | Tensor, rng: torch.Generator) -> Tensor:
        """Images (N, bands, S, S) float32 of about -1 … 1, transformed at strength ``p`` in 0 … 1."""
        return self.apply(images, self.draw(len(images), rng), p)

    def apply(self, images: Tensor, draw: Tensor, p: float | Tensor) -> Tensor:
        """The same with random numbers of `draw`; row i is image i."""
        strength = float(p)
        if strength <= 0.0 or not self._widths:
            return images
        columns = iter(torch.split(draw, self._widths, dim=1))
        images = self._geometry(images, [next(columns) for _ in self.pipeline.geometry], strength)
        images = self._colour(images, [next(columns) for _ in self.pipeline.colour], strength)
        for transform, u in zip(self.pipeline.pixels, columns, strict=True):
            chosen = transform.chosen(u, strength)
            images = _on(images, chosen, partial(transform.apply, u=u[chosen], p=strength))
        return images

    def _geometry(self, images: Tensor, columns: list[Tensor], p: float) -> Tensor:
        n, side = len(images), images.shape[-1]
        identity = torch.eye(3, dtype=torch.float64)
        matrices = identity.repeat(n, 1, 1)
        smooth = torch.zeros(n, dtype=torch.bool)
        for transform, u in zip(self.pipeline.geometry, columns, strict=True):
            chosen = u[:, 0] < transform.rate(p)
            own = transform.matrices(u[:, 1:], side)
            matrices = matrices @ torch.where(chosen[:, None, None], own, identity)
            smooth |= chosen & (not transform.exact)
        moved = (matrices != identity).flatten(1).any(dim=1)
        for chosen, carry in ((moved & ~smooth, move), (moved & smooth, self._warp)):
            images = _on(images, chosen, partial(carry, matrices=matrices[chosen]))
        return images

    def _warp(self, images: Tensor, matrices: Tensor) -> Tensor:
        fill = self.pipeline.fill
        return warp(images, matrices) if fill is None else warp_into(images, matrices, fill)

    def _colour(self, images: Tensor, columns: list[Tensor], p: float) -> Tensor:
        n, identity = len(images), torch.eye(self.bands, dtype=torch.float64)
        matrix, offset = identity.repeat(n, 1, 1), torch.zeros(n, self.bands, dtype=torch.float64)
        some = torch.zeros(n, dtype=torch.bool)
        for transform, u in zip(self.pipeline.colour, columns, strict=True):
            chosen = u[:, 0] < p
            some |= chosen
            own, shift = transform.maps(u[:, 1:], self.bands)
            matrix = torch.where(chosen[:, None, None], own @ matrix, matrix)
            offset = torch.where(chosen[:, None], (own @ offset[:, :, None])[:, :, 0] + shift, offset)
        return _on(images, some, partial(_mapped, matrix=matrix[some], offset=offset[some]))


def _mapped(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    return torch.einsum("nij,njhw->nihw", matrix.to(images), images) + offset.to(images)[:, :, None, None]


def _on(images: Tensor, chosen: Tensor, transform: Callable[[Tensor], Tensor]) -> Tensor:
    """``images`` with ``transform`` done to those that are ``chosen`` (N,) bool."""
    if not chosen.any():
        return images
    where = torch.nonzero(chosen)[:, 0].to(images.device)
    return images.index_copy(0, where, transform(images.index_select(0, where)).to(images.dtype))
