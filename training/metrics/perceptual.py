"""FID, KID, precision and recall of a generator, beside what the real images score among themselves.

FID and precision/recall depend on how many images enter, so every floor comes with the generator's figure at the floor's sizes.
FID has a range over random splits of the real images: a bootstrap with replacement would raise FID itself. Precision and recall
have bootstrap intervals over the images whose share they are; the manifolds stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics.chunks import Progress
from training.metrics.coverage import Coverage, coverage
from training.metrics.distances import frechet_distance, kernel_distance

Features = NDArray[np.float32]

SPLITS = 5
MOST_COVERED = 10_000
BOOTSTRAPS = 1000
CONFIDENCE = (0.025, 0.975)


def perceptual(generated: Features, training: Features, held_out: Features, seed: int, progress: Progress) -> dict[str, Any]:
    """Figures of features (N, D) against training (M, D) and held-out (K, D) features, in the card's keys.

    ``fid<N>_train``, ``fid<N>_held_out``, ``kid<N>_…``, ``precision``, ``recall`` and ``floor``. Held-out figures are left out
    where fewer than two images are held out.
    """
    size = f"{len(generated) // 1000}k" if len(generated) % 1000 == 0 else str(len(generated))
    sets = {"train": training} | ({"held_out": held_out} if len(held_out) > 1 else {})
    total, done = 2 * len(sets) + 1 + 2 * SPLITS + 1, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress("perceptual figures", done, total)

    found: dict[str, Any] = {}
    for name, reference in sets.items():
        counts = {"n_generated": len(generated), "n_reference": len(reference)}
        found[f"fid{size}_{name}"] = {"value": frechet_distance(generated, reference), **counts}
        step()
        kid, deviation = kernel_distance(generated, reference, seed)
        found[f"kid{size}_{name}"] = {"value": kid, "deviation": deviation, **counts}
        step()
    found |= _covered(generated, training, seed)
    step()
    found["floor"] = _floor(generated, training, seed, step)
    if "held_out" in sets:
        rows = _subset(len(training), min(len(generated), len(training)), seed)
        found["floor"]["fid_held_out"] = frechet_distance(training[rows], held_out)
        found["floor"]["n_held_out"] = len(held_out)
    step()
    return found


def _covered(generated: Features, training: Features, seed: int) -> dict[str, Any]:
    """Precision and recall with their intervals."""
    generated = generated[:MOST_COVERED]
    counts = {"n_generated": len(generated), "n_reference": len(training)}
    shares = _shares(coverage(generated, training), seed)
    return {name: {"value": shares[name], "interval": shares[f"{name}_interval"], **counts} for name in ("precision", "recall")}


def _shares(found: Coverage, seed: int) -> dict[str, Any]:
    """``precision``, ``recall`` and the ``…_interval`` of each."""
    rng = np.random.default_rng(seed)
    return {
        "precision": found.precision,
        "precision_interval": _interval(found.realistic, rng),
        "recall": found.recall,
        "recall_interval": _interval(found.covered, rng),
    }


def _interval(inside: NDArray[np.bool_], rng: np.random.Generator) -> list[float]:
    """What holds 95 % of the bootstrap resamplings of a share."""
    shares = rng.binomial(len(inside), inside.mean(), BOOTSTRAPS) / len(inside)
    return [float(value) for value in np.quantile(shares, CONFIDENCE)]


def _floor(generated: Features, training: Features, seed: int, step: Any) -> dict[str, Any]:
    """Random halves of the training images against each other, and as many generated images against the second half."""
    size = min(len(training) // 2, len(generated))
    real, fake = [], []
    for split in range(SPLITS):
        order = np.random.default_rng([seed, split]).permutation(len(training))
        first, second = training[order[:size]], training[order[-size:]]
        mine = generated[_subset(len(generated), size, seed + split)]
        real.append(frechet_distance(first, second))
        step()
        fake.append(frechet_distance(mine, second))
        step()
        if split == 0:
            kid, deviation = kernel_distance(first, second, seed)
            shares, same_shares = (_shares(coverage(images, second), seed) for images in (first, mine))
    return {
        "meaning": "training images against training images, random halves; same_size: generated images in place of one half",
        "n_first": size,
        "n_second": size,
        "splits": SPLITS,
        "fid": float(np.mean(real)),
        "fid_range": [min(real), max(real)],
        "kid": kid,
        "kid_deviation": deviation,
        **shares,
        "same_size": {
            "fid": float(np.mean(fake)),
            "fid_range": [min(fake), max(fake)],
            **same_shares,
        },
    }


def _subset(total: int, size: int, seed: int) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = np.random.default_rng(seed).permutation(total)[:size]
    return chosen
