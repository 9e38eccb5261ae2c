"""Normalisation constants of a set, from its training images only, and the stretch that shows it best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import (
    AsinhNormalisation,
    AsinhStretch,
    Band,
    IdentityStretch,
    LinearNormalisation,
    LuptonStretch,
    Stretch,
)
from galaxies.errors import BadInput
from galaxies.pixels import DISPLAY_LEVELS
from training.data.archive import Constants
from training.data.items import Pixels
from training.data.options import Kind

SAMPLE_IMAGES, SAMPLE_VALUES = 2000, 2**24
TAILS = (0.1, 99.9)
LUPTON_Q = 8.0
LUPTON_BRIGHT = 98.0
SHOWN_PEAK = 90.0


def normalisation(
    kind: Kind, images: Pixels, indices: NDArray[np.int64], noise: NDArray[np.float64], softening: float
) -> Constants:
    """Constants, one a band, rounded to six digits.

    Parameters
    ----------
    kind : ``display`` keeps 0 … 255; ``asinh`` softens at ``softening`` times the noise and spans the set (Lupton et al. 1999);
        ``minmax`` spans the set without a curve (row C2's per-band form); ``linear`` spans its 0.1 to 99.9 percentiles;
        ``auto`` is ``display`` for levels and ``asinh`` for floats.
    images : (N, bands, H, W); may be a memory map, of which little is read into memory at a time.
    indices : of the training images.
    noise : (N, bands), of each image in its units.

    Raises
    ------
    BadInput : levels are asked of floats, or a band has one value only.
    """
    bands = images.shape[1]
    if kind == "auto":
        kind = "display" if images.dtype == np.uint8 else "asinh"
    if kind == "display":
        if images.dtype != np.uint8:
            raise BadInput("--normalisation display is for 8-bit images; these are floats: asinh, minmax or linear")
        return LinearNormalisation(low=[0.0] * bands, high=[DISPLAY_LEVELS] * bands)
    low, high = _percentiles(images, indices) if kind == "linear" else _extremes(images, indices)
    scale = _rounded(np.maximum(np.median(noise[indices], axis=0) * softening, (high - low) * 1e-6))
    if kind == "asinh" and all(scale):
        low, high = np.arcsinh(low / np.array(scale)), np.arcsinh(high / np.array(scale))
    lows, highs = _rounded(low), _rounded(high)
    for number, (least, most) in enumerate(zip(lows, highs, strict=True), 1):
        if not least < most:
            raise BadInput(f"band {number} has the same value in every pixel of the set")
    return AsinhNormalisation(scale=scale, low=lows, high=highs) if kind == "asinh" else LinearNormalisation(low=lows, high=highs)


def stretch_of(images: Pixels, indices: NDArray[np.int64], bands: Sequence[Band], *, display: bool) -> Stretch:
    """The stretch a viewer starts with: none for levels, Lupton for three bands, asinh for others.

    Black and white of three bands and of one follow from the set, so that a typical galaxy is well exposed and a faint one stays
    faint; of two or more than three bands each picture finds its own.
    """
    if display:
        return IdentityStretch()
    if len(bands) not in (1, 3):
        return AsinhStretch()
    grey = images[sample(images, indices)].mean(axis=1, dtype=np.float64).reshape(-1, images.shape[2] * images.shape[3])
    black = float(np.median(np.percentile(grey, 10.0, axis=1)))
    bright = float(np.median(np.percentile(grey, LUPTON_BRIGHT, axis=1)))
    if len(bands) == 1:
        peak = float(np.percentile(grey.max(axis=1), SHOWN_PEAK))
        return AsinhStretch(minimum=float(f"{black:.3g}"), maximum=float(f"{peak:.3g}")) if peak > black else AsinhStretch()
    return LuptonStretch(minimum=float(f"{black:.3g}"), stretch=float(f"{max(bright - black, 1e-30):.3g}"), q=LUPTON_Q)


def sample(images: Pixels, indices: NDArray[np.int64], most: int = SAMPLE_IMAGES) -> NDArray[np.int64]:
    """At most ``most`` of ``indices``, evenly spread, and so few that their pixels fit into memory."""
    count = max(min(most, SAMPLE_VALUES // int(np.prod(images.shape[1:])), len(indices)), 1)
    chosen: NDArray[np.int64] = indices[np.linspace(0, len(indices) - 1, count).astype(np.int64)]
    return chosen


def _extremes(images: Pixels, indices: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.full(images.shape[1], np.inf), np.full(images.shape[1], -np.inf)
    for index in indices:
        low, high = np.minimum(low, images[index].min(axis=(1, 2))), np.maximum(high, images[index].max(axis=(1, 2)))
    return low, high


def _percentiles(images: Pixels, indices: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.moveaxis(images[sample(images, indices)], 1, 0).reshape(images.shape[1], -1)
    low, high = np.percentile(values.astype(np.float64), TAILS, axis=1)
    return low, high


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
