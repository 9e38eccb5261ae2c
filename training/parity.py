"""How far exported graphs are from the torch model that they come from, and how far they may be.

Both are measured through the class that serves. Rounding is far below the limits, so a difference beyond them is a wrong graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import BEST_SCORE, LOWEST_SCORE
from galaxies.errors import BadInput

IMAGES = (-1.0, 1.0)
SCORES = (LOWEST_SCORE, BEST_SCORE)
LIMITS = {"float32": 1e-3, "float16": 2e-2}
"""Greatest difference that is allowed, as a share of the range of values (or of the largest one, where it lies far beyond), by
the type in which weights are stored. `sdss-gz1-64` has 3e-6 and 2e-3."""

Values = NDArray[np.float32]
Pairs = Iterable[tuple[Values, Values]]


def compared(pairs: Pairs, reference: str) -> dict[str, Any]:
    """Greatest and mean absolute difference of served and of torch's values, batches of (n, …) arrays, for the card.

    Raises
    ------
    BadInput : a value is not finite.
    """
    worst, total, largest, sizes = 0.0, 0.0, 0.0, []
    for served, expected in pairs:
        for whose, values in (("torch", expected), ("the exported graphs", served)):
            broken = int((~np.isfinite(values.reshape(len(values), -1))).any(axis=1).sum())
            if broken:
                raise BadInput(
                    f"{reference}: {broken} of {len(values)} results of {whose} are not finite (NaN or infinite); export an "
                    "earlier checkpoint"
                )
        difference = np.abs(served - expected)
        worst, total = max(worst, float(difference.max())), total + len(served) * float(difference.mean())
        largest = max(largest, float(np.abs(expected).max()))
        sizes.append(len(served))
    return {
        "max_abs_difference": worst,
        "mean_abs_difference": total / sum(sizes),
        "largest_value": largest,
        "images": sum(sizes),
        "batches": sizes,
    }


def check(found: dict[str, Any], values: tuple[float, float], reference: str) -> None:
    """Raise BadInput where the difference in ``found``, a card's parity, is not known or beyond its limit.

    ``values`` is the range of what the graphs make.
    """
    worst, weights, largest = found.get("max_abs_difference"), found.get("weights", "float32"), found.get("largest_value", 0.0)
    if not isinstance(worst, int | float) or not isinstance(largest, int | float) or weights not in LIMITS:
        raise BadInput(f"{reference}: its card does not say how far ONNX and torch differ; export it again")
    limit = LIMITS[weights] * max(values[1] - values[0], largest)
    if not worst <= limit:
        raise BadInput(
            f"{reference}: ONNX and torch differ by up to {worst:.2e}; {limit:.2e} is allowed for values in {values[0]:g} … "
            f"{values[1]:g} and weights stored as {weights}: "
            + ("export it without --half" if weights == "float16" else "its graphs are not the model, export it again")
        )
