"""What a finished job has made, before it is encoded: native pixels, their latents and their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.requests import Arithmetic, Generate, Interpolate, Mix
from galaxies.resolve import galaxies_of
from galaxies.scores import Scores


@dataclass(frozen=True)
class Product:
    """Images of one resolved request.

    Attributes
    ----------
    request : the resolved request.
    card : of the model version that made the images.
    images : (N, bands, H, W) float32 as the network gives them, about -1 … 1; may be a memory map. Order: `image_names`.
    z : (N, z_dim) float32, or None where the images were edited in w.
    w : (N, num_ws, w_dim) float32 before truncation; None for models without w.
    scores : of the images in their order, where they are wanted.
    on_image : called with the index of an image that is about to be read; it may wait until that is there, and what it raises
        ends the encoding.
    """

    request: Generate | Interpolate | Mix | Arithmetic
    card: ModelCard
    images: NDArray[np.float32]
    z: NDArray[np.float32] | None = None
    w: NDArray[np.float32] | None = None
    scores: Scores | None = None
    on_image: Callable[[int], None] = field(default=lambda _: None, compare=False, repr=False)

    def image(self, index: int) -> NDArray[np.float32]:
        """Image ``index`` as (bands, H, W)."""
        self.on_image(index)
        return np.asarray(self.images[index])


def image_names(request: Generate | Interpolate | Mix | Arithmetic) -> list[str]:
    """A telling name for every image of a resolved request, in the order in which they are made.

    Mix: sources of the rows, then of the columns (both only with ``headers``), then the cells row by row.
    Arithmetic: the terms (only with ``show_terms``), then the result.
    """
    if isinstance(request, Generate):
        return [
            f"{i:05d}-seed-{latent.seed}" if latent.seed is not None else f"{i:05d}"
            for i, latent in enumerate(galaxies_of(request))
        ]
    if isinstance(request, Interpolate):
        return [f"frame-{i:04d}" for i in range(request.frames)]
    if isinstance(request, Mix):
        rows, columns = range(len(request.rows)), range(len(request.columns))
        sources = [f"row-{r:02d}" for r in rows] + [f"column-{c:02d}" for c in columns] if request.headers else []
        return sources + [f"cell-{r:02d}-{c:02d}" for r in rows for c in columns]
    terms = [f"term-{i:02d}" for i in range(len(request.terms))] if request.show_terms else []
    return [*terms, "result"]


def image_seeds(request: Generate | Interpolate | Mix | Arithmetic) -> list[tuple[int | None, str | None]]:
    """Seed and class of every image, in the order of `image_names`; None where an image has none of its own."""
    nothing: tuple[int | None, str | None] = (None, None)
    if isinstance(request, Generate):
        return [(latent.seed, latent.class_) for latent in galaxies_of(request)]
    if isinstance(request, Interpolate):
        ends = [latent for _, latent in request.stops]
        last = nothing if request.loop else (ends[-1].seed, ends[-1].class_)
        return [(ends[0].seed, ends[0].class_), *[nothing] * (request.frames - 2), last]
    if isinstance(request, Mix):
        sources = [*request.rows, *request.columns] if request.headers else []
        return [(s.seed, s.class_) for s in sources] + [nothing] * (len(request.rows) * len(request.columns))
    terms = request.terms if request.show_terms else []
    return [*((t.latent.seed, t.latent.class_) for t in terms), nothing]
