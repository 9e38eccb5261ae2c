"""A resolved request → the latents of its images, before truncation. Pure: the mapping network comes as an argument.

Editing happens here, in latent space and on what truncation has not touched; truncation is last (see `truncated`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxies import latents
from galaxies.cards import ModelCard
from galaxies.requests import Arithmetic, Generate, Interpolate, Latent, Mix, NoiseSeed
from galaxies.resolve import AnyRequest, galaxies_of, mix_layers

Array = NDArray[np.float32]
Mapping = Callable[[Array, Array | None], Array]
"""z (N, z_dim) and class weights (N, classes) or None → w (N, w_dim)."""


@dataclass(frozen=True)
class Points:
    """Latents of the images of one request, in the order of `galaxies.product.image_names`.

    Attributes
    ----------
    z : (N, z_dim), or None where an image has none.
    w : (N, num_ws, w_dim) before truncation, or None for models without w; may be a read-only view that repeats one w a galaxy.
    """

    z: Array | None
    w: Array | None

    def __len__(self) -> int:
        points = self.w if self.w is not None else self.z
        return 0 if points is None else len(points)


def points_of(request: AnyRequest, card: ModelCard, mapping: Mapping, w_mean: Array | None) -> Points:
    """The latents of every image of ``request``, which is resolved for ``card``."""
    if not card.has_w:
        return Points(_edit_z(request, [_z(latent, card) for latent in _all_latents(request)]), None)
    if isinstance(request, Interpolate | Arithmetic) and request.space == "z":
        return _edited_in_z(request, card, mapping)
    sources = _all_latents(request)
    ws = _w_of_all(sources, card, mapping, w_mean)
    if not isinstance(request, Generate):
        return Points(None, _spread(_edit_w(request, ws, card), card))
    z = np.stack([_z(latent, card) for latent in sources]) if all(_has_z(latent) for latent in sources) else None
    return Points(z, _spread(_stack(ws), card))


def truncated(points: Points, request: AnyRequest, w_mean: Array | None, start: int, stop: int) -> Array:
    """What the network gets for images start … stop - 1: w (n, num_ws, w_dim) or z (n, z_dim), truncated."""
    psi = 1.0 if request.truncation is None else request.truncation
    if points.w is not None and w_mean is not None:
        return np.ascontiguousarray(latents.truncate(points.w[start:stop], w_mean, psi, request.truncation_cutoff))
    assert points.z is not None
    return latents.scale(points.z[start:stop], psi)


def noise_of(request: AnyRequest, card: ModelCard, noise_const: Array) -> Callable[[int, int], Array]:
    """Gives the noise (n, noise_size) of images start … stop - 1: one pattern for all, or with ``each`` one a galaxy."""
    if isinstance(request, Generate) and isinstance(request.noise, NoiseSeed) and request.noise.each:
        seeds, noise_seed = [latent.seed for latent in galaxies_of(request)], request.noise.seed
        return lambda start, stop: np.stack(
            [latents.noise_from_seed(noise_seed, card.noise_size, seed) for seed in seeds[start:stop]]
        )
    shared = _shared_noise(request, card, noise_const)
    return lambda start, stop: np.repeat(shared[None], stop - start, axis=0)


def _shared_noise(request: AnyRequest, card: ModelCard, noise_const: Array) -> Array:
    if request.noise == "const":
        return noise_const
    if request.noise == "none":
        return np.zeros(card.noise_size, dtype=np.float32)
    return latents.noise_from_seed(request.noise.seed, card.noise_size)


def _all_latents(request: AnyRequest) -> list[Latent]:
    if isinstance(request, Generate):
        return galaxies_of(request)
    if isinstance(request, Interpolate):
        return [latent for _, latent in request.stops]
    if isinstance(request, Mix):
        return [*request.rows, *request.columns]
    return [term.latent for term in request.terms]


def _has_z(latent: Latent) -> bool:
    return latent.seed is not None or latent.z is not None


def _z(latent: Latent, card: ModelCard) -> Array:
    if latent.seed is not None:
        return latents.z_from_seed(latent.seed, card.z_dim)
    return np.zeros(card.z_dim, dtype=np.float32) if latent.z is None else np.asarray(latent.z, dtype=np.float32)


def _onehot(sources: Sequence[Latent], card: ModelCard) -> Array | None:
    """Class weights (N, classes), or None for models without classes."""
    if not card.classes:
        return None
    names = card.class_names()
    return np.eye(len(names), dtype=np.float32)[[names.index(latent.class_ or "") for latent in sources]]


def _edit_z(request: AnyRequest, values: list[Array]) -> Array:
    """A path or a weighted sum through vectors of any meaning (z, class weights); the vectors themselves for other operations."""
    if isinstance(request, Interpolate):
        return latents.path(values, request.frames, spherical=request.curve == "spherical", loop=request.loop)
    if isinstance(request, Arithmetic):
        total = latents.combine(values, [term.weight for term in request.terms])
        return np.stack([*values, total] if request.show_terms else [total])
    return np.stack(values)


def _edited_in_z(request: Interpolate | Arithmetic, card: ModelCard, mapping: Mapping) -> Points:
    sources = _all_latents(request)
    z = _edit_z(request, [_z(latent, card) for latent in sources])
    weights = _onehot(sources, card)
    return Points(z, _spread(mapping(z, None if weights is None else _edit_z(request, list(weights)))[:, None], card))


def _w_of_all(sources: Sequence[Latent], card: ModelCard, mapping: Mapping, w_mean: Array | None) -> list[Array]:
    """w of each latent: (1, w_dim) where its layers share one, (num_ws, w_dim) where not. All z go through one mapping call."""
    assert w_mean is not None
    to_map = [latent for latent in sources if _has_z(latent)]
    mapped = iter(mapping(np.stack([_z(latent, card) for latent in to_map]), _onehot(to_map, card)) if to_map else ())
    out: list[Array] = []
    for latent in sources:
        if _has_z(latent):
            out.append(next(mapped)[None])
        elif latent.w is not None:
            out.append(np.asarray(latent.w, dtype=np.float32).reshape(-1, card.w_dim or 0))
        else:
            out.append(w_mean[None])
    return out


def _edit_w(request: AnyRequest, ws: list[Array], card: ModelCard) -> Array:
    """(N, 1 or num_ws, w_dim) of an edit in w."""
    if not isinstance(request, Mix):
        return _edit_z(request, list(_stack(ws)))
    full = [np.broadcast_to(w, (card.num_ws or 0, card.w_dim or 0)) for w in ws]
    rows, columns = full[: len(request.rows)], full[len(request.rows) :]
    layers = mix_layers(request, card)
    cells = [latents.mix(row, column, layers) for row in rows for column in columns]
    return np.stack([*full, *cells] if request.headers else cells)


def _stack(ws: list[Array]) -> Array:
    """(N, L, w_dim) with L = 1 where every latent has one w for all layers."""
    layers = max(len(w) for w in ws)
    return np.stack([np.broadcast_to(w, (layers, w.shape[1])) for w in ws])


def _spread(w: Array, card: ModelCard) -> Array:
    """(N, 1 or num_ws, w_dim) → (N, num_ws, w_dim), without a copy."""
    return np.broadcast_to(w, (len(w), card.num_ws or 0, card.w_dim or 0))
