"""How far two samples of a statistic are apart: KS, 1-Wasserstein and energy distance with bootstrap intervals and p-values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp

Values = NDArray[np.float64]

BOOTSTRAPS = 200
PERMUTATIONS = 1000
CONFIDENCE = (0.025, 0.975)
LEVEL = 0.05
FEWEST = 10


def ks_and_wasserstein(a: Values, b: Values) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov statistic and 1-Wasserstein distance of finite values (N,) and (M,)."""
    everything = np.sort(np.concatenate([a, b]))
    cdf_a = np.searchsorted(np.sort(a), everything, side="right") / len(a)
    cdf_b = np.searchsorted(np.sort(b), everything, side="right") / len(b)
    gap = np.abs(cdf_a - cdf_b)
    return float(gap.max()), float((gap[:-1] * np.diff(everything)).sum())


def compare(a: Values, b: Values, scale: float, seed: int) -> dict[str, Any] | None:
    """Distances of sample ``a`` from sample ``b``; None where either has fewer than `FEWEST` finite values.

    ``wasserstein`` is in units of ``scale`` (the standard deviation of the real values), ``p`` is that of the KS test, and
    intervals hold 95 % of bootstrap resamplings of both samples.
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    ks, wasserstein = ks_and_wasserstein(a, b)
    again = np.array([ks_and_wasserstein(rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(BOOTSTRAPS)])
    low, high = np.quantile(again, CONFIDENCE, axis=0)
    return {
        "ks": ks,
        "ks_interval": [float(low[0]), float(high[0])],
        "wasserstein": wasserstein / scale,
        "wasserstein_interval": [float(low[1]) / scale, float(high[1]) / scale],
        "p": float(ks_2samp(a, b).pvalue),
        "n": [len(a), len(b)],
    }


def compare_histograms(a: Values, b: Values, seed: int) -> dict[str, Any]:
    """The same for histograms (N, bins), (M, bins) over equal bins: of their means, in units of the second's deviation.

    Resampling is by image, since pixels of one image depend on each other; ``p`` comes from permutations of the images.
    """
    rng = np.random.default_rng(seed)
    centres = np.arange(a.shape[1])
    mean = b.mean(axis=0)
    scale = float(np.sqrt(max((mean * centres**2).sum() - (mean * centres).sum() ** 2, 0.0))) or 1.0

    def distances(means_a: Values, means_b: Values) -> tuple[Values, Values]:
        gap = np.abs(np.cumsum(means_a - means_b, axis=1))
        return gap.max(axis=1), gap.sum(axis=1) / scale

    ks, wasserstein = distances(a.mean(axis=0, keepdims=True), b.mean(axis=0, keepdims=True))
    resampled = distances(_resampled(rng, len(a)) @ a, _resampled(rng, len(b)) @ b)
    everything = np.concatenate([a, b])
    first, second = _permuted(rng, len(a), len(b))
    permuted, _ = distances(first @ everything, second @ everything)
    return {
        "ks": float(ks[0]),
        "ks_interval": [float(v) for v in np.quantile(resampled[0], CONFIDENCE)],
        "wasserstein": float(wasserstein[0]),
        "wasserstein_interval": [float(v) for v in np.quantile(resampled[1], CONFIDENCE)],
        "p": float((1 + (permuted >= ks[0]).sum()) / (1 + PERMUTATIONS)),
        "n": [len(a), len(b)],
    }


def energy_distance(a: Values, b: Values, seed: int) -> dict[str, Any] | None:
    """Energy distance 2E|X - Y| - E|X - X'| - E|Y - Y'| (Székely & Rizzo 2013) of vectors (N, D), (M, D), with interval and p.

    Rows with a value that is not finite are left out; None where fewer than `FEWEST` remain on a side. Columns must be scaled.
    """
    a, b = a[np.isfinite(a).all(axis=1)], b[np.isfinite(b).all(axis=1)]
    if min(len(a), len(b)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    everything = np.concatenate([a, b])
    pairs = cdist(everything, everything)

    def distances(weights_a: Values, weights_b: Values) -> Values:
        """Per row: weights of all vectors in the first and in the second sample."""
        gap = weights_a - weights_b
        value: Values = -np.einsum("ij,ij->i", gap @ pairs, gap)
        return value

    def spread(first: Values, second: Values) -> tuple[Values, Values]:
        return np.pad(first, ((0, 0), (0, len(b)))), np.pad(second, ((0, 0), (len(a), 0)))

    value = distances(*spread(np.full((1, len(a)), 1 / len(a)), np.full((1, len(b)), 1 / len(b))))[0]
    resampled = distances(*spread(_resampled(rng, len(a)), _resampled(rng, len(b))))
    permuted = distances(*_permuted(rng, len(a), len(b)))
    return {
        "value": float(value),
        "interval": [float(v) for v in np.quantile(resampled, CONFIDENCE)],
        "p": float((1 + (permuted >= value).sum()) / (1 + PERMUTATIONS)),
        "n": [len(a), len(b)],
    }


def told_apart(p_values: dict[str, float]) -> dict[str, bool]:
    """Which samples differ at the 5 % level of the whole family (Holm 1979)."""
    answer, still = {}, True
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        still = still and p <= LEVEL / (len(p_values) - rank)
        answer[name] = still
    return answer


def _resampled(rng: np.random.Generator, n: int) -> Values:
    """Weights (`BOOTSTRAPS`, n) of samples with replacement."""
    weights: Values = rng.multinomial(n, np.full(n, 1 / n), BOOTSTRAPS) / n
    return weights


def _permuted(rng: np.random.Generator, n: int, m: int) -> tuple[Values, Values]:
    """Weights (`PERMUTATIONS`, n + m) of the two samples after their members were exchanged at random."""
    first = rng.permuted(np.tile(np.arange(n + m) < n, (PERMUTATIONS, 1)), axis=1)
    return first / n, ~first / m
