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
LIMITS = {"float32": 1e-3, "float16": 5e-2}
"""Greatest difference that is allowed, as a share of the range of values (of the value where that is greater), by the
type in which weights are stored. `sdss-gz1-64` has 3e-6 and 2e-3."""

Values = NDArray[np.float32]
Pairs = Iterable[tuple[Values, Values]]


def compared(pairs: Pairs, values: tuple[float, float], reference: str) -> dict[str, Any]:
    """How far served and torch's results, batches of (n, …) arrays, are apart, for the card.

    ``values`` is the range of what the graphs make.

    Raises
    ------
    BadInput : a result is not finite.
    """
    worst, total, share, sizes = 0.0, 0.0, 0.0, []
    for served, expected in pairs:
        for whose, results in (("torch", expected), ("the exported graphs", served)):
            broken = int((~np.isfinite(results.reshape(len(results), -1))).any(axis=1).sum())
            if broken:
                raise BadInput(
                    f"{reference}: {broken} of {len(results)} results of {whose} are not finite (NaN or infinite); export an "
                    "earlier checkpoint"
                )
        difference = np.abs(served - expected)
        worst, total = max(worst, float(difference.max())), total + len(served) * float(difference.mean())
        share = max(share, float((difference / np.maximum(np.abs(expected), values[1] - values[0])).max()))
        sizes.append(len(served))
    return {
        "max_abs_difference": worst,
        "mean_abs_difference": total / sum(sizes),
        "max_share": share,
        "images": sum(sizes),
        "batches": sizes,
        "range": list(values),
    }


def check(found: dict[str, Any], values: tuple[float, float], reference: str) -> None:
    """Raise BadInput where the difference in ``found``, a card's parity, is not known or beyond its limit.

    Cards of older versions have no ``max_share``.
    """
    worst, weights = found.get("max_abs_difference"), found.get("weights", "float32")
    share = found.get("max_share", worst / (values[1] - values[0]) if isinstance(worst, int | float) else None)
    if not isinstance(worst, int | float) or not isinstance(share, int | float) or weights not in LIMITS:
        raise BadInput(f"{reference}: its card does not say how far ONNX and torch differ; export it again")
    if not share <= LIMITS[weights]:
        raise BadInput(
            f"{reference}: ONNX and torch differ by up to {worst:.2e}, {share:.2%} of the range {values[0]:g} … {values[1]:g} or "
            f"of the value; {LIMITS[weights]:.1%} is allowed for weights stored as {weights}: "
            + ("export it without --half" if weights == "float16" else "its graphs are not the model, export it again")
        )
