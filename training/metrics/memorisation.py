"""The memorisation gate: do generated images lie closer to training images than galaxies that the model never saw?

Two measures of every image against the training set (mean squared error, minimised over the eight symmetries): the distance to
the nearest training image, and that distance relative to the mean of the next four. The second does not change with brightness
or smoothness: a galaxy unlike all others is about as far from its nearest as from the next ones, a copy is far nearer to one.
Quantiles of both are compared with those of held-out images. A generator that smooths lowers all distances a little, so the gate
fails only where a quantile falls below a stated share of the held-out one, bootstrap uncertainty allowed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NEIGHBOURS = 5
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5)
ALLOWED = {"distance": 0.5, "relative_distance": 0.75}
FEWEST_HELD_OUT = 30
BOOTSTRAPS = 1000
CONFIDENCE = (0.025, 0.975)
LOWEST = 0.01


@dataclass(frozen=True)
class Reference:
    """Distances (N, k) of galaxies that the model did not see, or could not have copied, and what they are."""

    distances: Floats
    meaning: str


def relative(distances: Floats) -> Floats:
    """Distance to the nearest over the mean distance to the next ones, (N,), from (N, k) with k ≥ 2; 0 where all are 0."""
    others = distances[:, 1:].mean(axis=1)
    ratio: Floats = np.divide(distances[:, 0], others, out=np.zeros(len(distances), np.float32), where=others > 0)
    return ratio


def gate(generated: Floats, reference: Reference, seed: int) -> dict[str, Any]:
    """The verdict, as JSON values, from distances (N, k) to the k nearest training images.

    ``passed`` is false where a quantile of the generated images lies below its allowed share of the reference's, even at the
    upper end of the bootstrap interval of their ratio.
    """
    rng = np.random.default_rng(seed)
    measures = {"distance": (generated[:, 0], reference.distances[:, 0])}
    if generated.shape[1] > 1:
        measures["relative_distance"] = (relative(generated), relative(reference.distances))
    found = {name: _compare(*pair, ALLOWED[name], rng) for name, pair in measures.items()}
    failures = [
        f"{name} at the {row['quantile']:.0%} quantile"
        for name, part in found.items()
        for row in part["quantiles"]
        if row["fails"]
    ]
    return {
        "passed": not failures,
        "failures": failures,
        "reference": reference.meaning,
        "n_generated": len(generated),
        "n_reference": len(reference.distances),
        "measures": found,
    }


def _compare(generated: Floats, reference: Floats, allowed: float, rng: np.random.Generator) -> dict[str, Any]:
    ratios = _ratios(generated, reference)
    resampled = np.stack(
        [_ratios(rng.choice(generated, len(generated)), rng.choice(reference, len(reference))) for _ in range(BOOTSTRAPS)]
    )
    low, high = np.quantile(resampled, CONFIDENCE, axis=0)
    lowest = np.quantile(reference, LOWEST)
    return {
        "allowed_ratio": allowed,
        "share_closer_than_the_closest_hundredth": float((generated < lowest).mean()),
        "quantiles": [
            {
                "quantile": q,
                "generated": float(np.quantile(generated, q)),
                "reference": float(np.quantile(reference, q)),
                "ratio": float(ratios[i]),
                "interval": [float(low[i]), float(high[i])],
                "fails": bool(high[i] < allowed),
            }
            for i, q in enumerate(QUANTILES)
        ],
    }


def _ratios(generated: Floats, reference: Floats) -> NDArray[np.float64]:
    """Quantiles of the first over those of the second; where the second is 0 the ratio is 1."""
    above, below = np.quantile(generated, QUANTILES), np.quantile(reference, QUANTILES)
    return np.divide(above, below, out=np.ones_like(above), where=below > 0)
