"""The wavelet baseline of row E3: shares of energy in Coiflet coefficients, then histogram gradient boosting."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pywt
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from galaxies.cards import BEST_SCORE, LOWEST_SCORE
from training.score.regression import Examples

WAVELET, MOST_LEVELS = "coif1", 10
ITERATIONS, LEAVES = 500, 100


def shares(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 1, S, S) → (N, 1 + 3 · levels): the shares of energy of the approximation and of every detail, coarse to fine.

    Levels: as many as halve the side to one pixel (10 at 1000 px, 6 at 64), at most 10. Which Coiflet is not printed; `WAVELET`
    with periodic borders, which keeps the energy, is chosen here. A black image has no energy and the shares 0.
    """
    levels = min(MOST_LEVELS, math.ceil(math.log2(images.shape[-1])))
    return np.stack([_shares(image[0] / 255.0, levels) for image in images])


def _shares(image: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():  # beyond a certain level every coefficient sees the border, which is periodic here
        warnings.filterwarnings("ignore", message="Level value", category=UserWarning)
        approximation, *details = pywt.wavedec2(image, WAVELET, mode="periodization", level=levels)
    bands = [approximation, *(band for level in details for band in level)]
    energies = np.array([np.square(band).sum() for band in bands])
    return np.asarray(energies / max(energies.sum(), 1e-12))


def boosting(features: NDArray[np.float64], targets: NDArray[np.float32], seed: int) -> HistGradientBoostingRegressor:
    """The regressor as printed: absolute loss, 500 iterations, 100 leaves; no early stop.

    One thread: more of them, on so few features, only wait for each other.
    """
    made = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=ITERATIONS, max_leaf_nodes=LEAVES, early_stopping=False, random_state=seed
    )
    with threadpool_limits(1, "openmp"):
        return made.fit(features, targets)


def scores(training: Examples, held_out: Examples, seed: int) -> NDArray[np.float32]:
    """Scores (N,) of ``held_out``, clipped to 0 … 8, by a regressor of ``training``."""
    model = boosting(shares(training.images), training.targets, seed)
    found: NDArray[np.float64] = model.predict(shares(held_out.images))
    return np.clip(found, LOWEST_SCORE, BEST_SCORE).astype(np.float32)
