"""Quality filters: each gives an image a score and rejects it beyond a limit. ``FILTERS`` is the list."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import BadInput
from training.data.items import Pixels

MAD_TO_SIGMA = 1.4826
APART = 4
FRAME = 16  # the border is a sixteenth of the side on each edge, at least one pixel


@dataclass(frozen=True)
class Sight:
    """What filters look at: the prepared ``image`` (bands, H, W), and of the crop before it the shares of bad pixels."""

    image: Pixels
    nonfinite: float
    saturated: float


@dataclass(frozen=True)
class Filter:
    """``score`` of an image and its limit; ``low`` filters reject what lies below, others what lies above."""

    score: Callable[[Sight], float]
    limit: float
    meaning: str
    low: bool = False

    def rejects(self, sight: Sight, limit: float) -> float | None:
        """The score, if it is beyond ``limit``."""
        score = self.score(sight)
        return score if (score < limit if self.low else score > limit) else None


def empty(sight: Sight) -> float:
    """Best signal-to-noise over the bands: the brightest 3 × 3 mean in the central half, over the border's noise of one pixel."""
    best = 0.0
    quarter = sight.image.shape[-1] // 4
    for band in sight.image.astype(np.float64):
        level, noise = sky(band)
        centre = band[quarter : band.shape[0] - quarter, quarter : band.shape[1] - quarter]
        windows = np.lib.stride_tricks.sliding_window_view(centre, (3, 3)) if min(centre.shape) >= 3 else centre[..., None, None]
        best = max(best, float(windows.mean(axis=(2, 3)).max() - level) / noise)
    return best


def gradient(sight: Sight) -> float:
    """By how much corners, or the border, exceed the darkest corner (medians), in parts of the image's range."""
    grey = sight.image.astype(np.float64).mean(axis=0)
    box = max(grey.shape[0] // 6, 1)
    corners = [np.median(c) for c in (grey[:box, :box], grey[:box, -box:], grey[-box:, :box], grey[-box:, -box:])]
    low, high = np.percentile(grey, (0.5, 99.9))
    return float((max(*corners, sky(grey)[0]) - min(corners)) / (high - low)) if high > low else 0.0


def border(sight: Sight) -> float:
    """Greatest share of rows or of columns of one band that hold one value only: off the detector, or padding."""
    rows = np.ptp(sight.image, axis=2) == 0
    columns = np.ptp(sight.image, axis=1) == 0
    return float(max(rows.mean(axis=1).max(), columns.mean(axis=1).max()))


FILTERS: dict[str, Filter] = {
    "empty": Filter(empty, 5.0, "no source: best signal-to-noise in the centre", low=True),
    "saturated": Filter(lambda sight: sight.saturated, 0.01, "share of full pixels"),
    "gradient": Filter(gradient, 0.25, "corners or border differ, as by a halo: part of the image's range"),
    "nonfinite": Filter(lambda sight: sight.nonfinite, 0.1, "share of pixels that are NaN or infinite"),
    "border": Filter(border, 0.1, "share of rows or columns of one value: off the detector"),
}


def sky(band: NDArray[np.float64]) -> tuple[float, float]:
    """Median of the border and its noise, 1.4826 MAD of the differences of pixels four apart over √2; never 0.

    Differences, so that a slope or the wing of a galaxy does not count as noise; four apart, for drizzled noise is correlated.
    """
    depth = max(band.shape[0] // FRAME, 1)
    rows = np.concatenate([band[:depth], band[-depth:], band[:, :depth].T, band[:, -depth:].T])
    apart = min(APART, rows.shape[1] - 1)
    steps = rows[:, apart:] - rows[:, :-apart]
    noise = MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2.0)
    return float(np.median(rows)), max(noise, float(np.abs(band).max()) * 1e-6, 1e-30)


def filters_of(texts: list[str]) -> tuple[tuple[str, float], ...]:
    """``name`` or ``name=limit`` for every filter; ``all`` stands for all with their usual limits.

    Raises
    ------
    BadInput : a name is unknown or a limit is no number.
    """
    chosen: dict[str, float] = {}
    for text in texts:
        name, sign, limit = text.partition("=")
        if name == "all":
            chosen |= {key: value.limit for key, value in FILTERS.items()}
        elif name not in FILTERS:
            raise BadInput(f"--reject {name!r}: {', '.join(FILTERS)} or all are allowed")
        else:
            chosen[name] = _number(text, limit) if sign else FILTERS[name].limit
    return tuple(chosen.items())


def _number(text: str, limit: str) -> float:
    try:
        value = float(limit)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"--reject {text!r}: {limit!r} is not a number")
    return value
