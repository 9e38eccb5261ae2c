"""Similarity scores: which scorer fits a model, and what it says of images; `galaxies.seen` is what it sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import BEST_SCORE, LOWEST_SCORE, ModelCard, ScorerCard
from galaxies.errors import Unsupported

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """``value`` and ``spread`` (N,) float32: mean and standard deviation of what an ensemble says of N images."""

    scorer: ScorerCard
    value: Floats
    spread: Floats

    @classmethod
    def of(cls, scorer: ScorerCard, said: Floats) -> Scores:
        """From what the members say, (N, members); clipped to the range of scores."""
        clipped = np.clip(said, np.float32(LOWEST_SCORE), np.float32(BEST_SCORE))
        return cls(scorer, clipped.mean(axis=1, dtype=np.float32), clipped.std(axis=1, dtype=np.float32))


def misfit(scorer: ScorerCard, card: ModelCard) -> str:
    """Why ``scorer`` cannot judge images of ``card``; empty where it can.

    Display images are judged whatever their bands, since a scorer sees the mean of them; fluxes need the same bands and units.
    """
    if scorer.display and card.display:
        return ""
    if not _same_bands(scorer, card):
        return f"sees the bands {', '.join(band.name for band in scorer.bands)}"
    if scorer.display != card.display:
        return f"was trained on {'display images' if scorer.display else 'fluxes'}"
    units = [(a.unit, b.unit) for a, b in zip(scorer.bands, card.bands, strict=True) if a.unit != b.unit]
    return f"was trained on fluxes in {units[0][0]}" if units else ""


def _same_bands(scorer: ScorerCard, card: ModelCard) -> bool:
    return [band.name for band in scorer.bands] == [band.name for band in card.bands]


def choose(scorers: Sequence[ScorerCard], wanted: str | None, card: ModelCard) -> ScorerCard:
    """The scorer for images of ``card``: the one named ``wanted`` (``name`` or ``name@version``), else the newest that fits.

    One that has the model's own bands goes before all others.

    Raises
    ------
    Unsupported : there is none; the message says what is missing.
    """
    named = [one for one in scorers if wanted is None or wanted in (one.name, one.reference)]
    fitting = [one for one in named if not misfit(one, card)]
    if fitting:
        return max(fitting, key=lambda one: (_same_bands(one, card), one.created, one.version))
    kind = "display images" if card.display else "fluxes"
    need = f"model {card.reference} makes {kind} of the bands {', '.join(band.name for band in card.bands)}"
    if named:
        there = "; ".join(f"{one.reference} {misfit(one, card)}" for one in named)
        raise Unsupported(f"no published scorer fits: {need}, and {there}. Leave score out, or publish one", field="/score")
    there = ", ".join(one.reference for one in scorers) or "none"
    what = "no scorer is published" if wanted is None else f"scorer {wanted!r} is unknown; there are {there}"
    raise Unsupported(f"{what}; {need}. Leave score out, or publish one with `python -m training publish`", field="/score")
