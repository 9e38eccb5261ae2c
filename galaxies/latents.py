"""Latent maths: seeds to z, paths between points, truncation, style mixing, weighted sums. All arrays are float32.

A latent batch is (N, D) in z and (N, num_ws, w_dim) in w. Functions are pure; nothing here reads global random state.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_CLASS_STREAM, _NOISE_STREAM = 1, 2
_PARALLEL = 1e-6
_LOCAL = threading.local()


def z_from_seed(seed: int, z_dim: int) -> Array:
    """The latent of a seed, (z_dim,): ``RandomState(seed).randn(z_dim)``, the stream that the StyleGAN family uses.

    NumPy guarantees that stream for ever (NEP 19). ``seed`` is 0 … 2³² - 1.
    """
    return _stream(seed).randn(z_dim).astype(np.float32)


def noise_from_seed(seed: int, noise_size: int, galaxy_seed: int | None = None) -> Array:
    """Per-pixel noise of a noise seed, (noise_size,), unit normal, from a stream of its own.

    With ``galaxy_seed`` it belongs to that galaxy alone; without, all images of a request share it.
    """
    key = [seed, _NOISE_STREAM] if galaxy_seed is None else [seed, _NOISE_STREAM, galaxy_seed]
    return _stream(key).randn(noise_size).astype(np.float32)


def class_from_seed(seed: int, counts: Sequence[int]) -> int:
    """The class index of a seed, drawn in the proportions of ``counts`` from a stream of its own."""
    position = _stream([seed, _CLASS_STREAM]).random_sample() * sum(counts)
    return int(np.searchsorted(np.cumsum(counts), position, side="right"))


def _stream(key: int | list[int]) -> np.random.RandomState:
    """``RandomState(key)``, but this thread's one object seeded anew: a new one takes 30 times as long (it asks for entropy)."""
    stream: np.random.RandomState | None = getattr(_LOCAL, "stream", None)
    if stream is None:
        stream = _LOCAL.stream = np.random.RandomState(0)
    stream.seed(key)
    return stream


def lerp(a: Array, b: Array, t: float) -> Array:
    """Linear interpolation; exactly ``a`` at t = 0 and ``b`` at t = 1."""
    if t == 0.0 or t == 1.0:
        return b.copy() if t else a.copy()
    return (a + np.float32(t) * (b - a)).astype(np.float32)


def slerp(a: Array, b: Array, t: float) -> Array:
    """Spherical interpolation along the last axis (Shoemake 1985); exact at both ends.

    The angle turns at constant speed while the length goes linearly from ``|a|`` to ``|b|``, so vectors of equal norm keep it.
    Where the directions are parallel or opposite, or a vector is zero, no great circle is defined: that row is interpolated
    linearly.
    """
    if t == 0.0 or t == 1.0:
        return b.copy() if t else a.copy()
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    norm_a = np.linalg.norm(wide_a, axis=-1, keepdims=True)
    norm_b = np.linalg.norm(wide_b, axis=-1, keepdims=True)
    safe = (norm_a > 0) & (norm_b > 0)
    unit_a = wide_a / np.where(norm_a > 0, norm_a, 1.0)
    unit_b = wide_b / np.where(norm_b > 0, norm_b, 1.0)
    omega = np.arccos(np.clip((unit_a * unit_b).sum(axis=-1, keepdims=True), -1.0, 1.0))
    sine = np.sin(omega)
    safe &= sine > _PARALLEL
    divisor = np.where(safe, sine, 1.0)
    direction = np.sin((1.0 - t) * omega) / divisor * unit_a + np.sin(t * omega) / divisor * unit_b
    curved = direction * ((1.0 - t) * norm_a + t * norm_b)
    return np.where(safe, curved, wide_a + t * (wide_b - wide_a)).astype(np.float32)


def path(points: Sequence[Array], frames: int, *, spherical: bool = False, loop: bool = False) -> Array:
    """``frames`` latents along ``points``, evenly spaced in path parameter, stacked along a new first axis.

    The first frame is exactly the first point and the last frame exactly the last point. With ``loop`` the path goes on to its
    start, and the last frame is the one before the start, so that a repeated film has no jump.
    """
    stops = [*points, points[0]] if loop else list(points)
    steps = frames if loop else frames - 1
    segments = len(stops) - 1
    move = slerp if spherical else lerp
    out = []
    for k in range(frames):
        segment, numerator = divmod(k * segments, steps)
        if segment == segments:
            out.append(stops[-1].copy())
        else:
            out.append(move(stops[segment], stops[segment + 1], numerator / steps))
    return np.stack(out)


def truncate(w: Array, mean: Array, psi: float, cutoff: int | None = None) -> Array:
    """mean + ψ·(w - mean) on the first ``cutoff`` layers of w (…, num_ws, w_dim); None truncates all. ψ = 1 changes nothing."""
    if psi == 1.0:
        return w.copy()
    out = w.copy()
    layers = slice(None, cutoff)
    out[..., layers, :] = mean + np.float32(psi) * (w[..., layers, :] - mean)
    return out


def scale(z: Array, psi: float) -> Array:
    """Truncation of models without w: ψ·z."""
    return z * np.float32(psi)


def mix(row: Array, column: Array, layers: Sequence[int]) -> Array:
    """``row`` (num_ws, w_dim) with the listed layers taken from ``column``."""
    out = row.copy()
    out[list(layers)] = column[list(layers)]
    return out


def combine(terms: Sequence[Array], weights: Sequence[float]) -> Array:
    """Σ weight·term, summed in float64 and returned as float32."""
    total = np.zeros(terms[0].shape, dtype=np.float64)
    for term, weight in zip(terms, weights, strict=True):
        total += weight * term.astype(np.float64)
    return total.astype(np.float32)
