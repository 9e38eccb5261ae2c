"""Scores of generated images beside those of real ones, by a published scorer (row E3: how the ETH report judges generators)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import BEST_SCORE, LOWEST_SCORE, ModelCard
from galaxies.errors import BadInput, Unsupported
from galaxies.scores import choose, misfit
from models.generator import Device
from models.scorer import OnnxScorer
from models.store import ModelStore
from models.versions import ScorerVersion, read_exported_scorer
from training.data.archive import Archive
from training.metrics.chunks import Chunks
from training.metrics.samples import Samples, real
from training.metrics.statistics import FEWEST, compare

CHUNK = 64
MOST = 2000
EDGES = np.linspace(LOWEST_SCORE, BEST_SCORE, 33)


def find_scorer(wanted: Path | None, store: ModelStore, card: ModelCard) -> ScorerVersion | None:
    """The scorer in the folder ``wanted``, else the newest of ``store`` that fits ``card``; None where there is none.

    Raises
    ------
    BadInput : the folder holds no scorer, or one that does not fit.
    """
    if wanted is not None:
        version = read_exported_scorer(wanted)
        why = misfit(version.card, card)
        if why:
            raise BadInput(f"scorer {version.card.reference} {why}; {card.reference} needs another one", field="scorer")
        return version
    versions = store.scorers()[0]
    try:
        chosen = choose([version.card for version in versions], None, card)
    except Unsupported:
        return None
    return next(version for version in versions if version.card == chosen)


def scores(
    version: ScorerVersion, card: ModelCard, generated: Samples, archive: Archive, chunks: Chunks, seed: int, threads: int
) -> dict[str, Any]:
    """What the scorer says of at most `MOST` generated images and as many held-out ones (training ones where few are held out).

    The floor is one half of those real images against the other. Distances are in points of the score.
    """
    scorer = OnnxScorer(version, Device(threads=threads))
    reference = _reference(archive, seed)

    def judged(samples: Samples) -> NDArray[np.float64]:
        """(N, 2): value and spread."""

        def make(start: int, stop: int, tick: Any) -> NDArray[np.float32]:
            found = scorer.scores(samples.signed(start, stop), card)
            tick(stop - start)
            return np.stack([found.value, found.spread], axis=1)

        follows_from = ["score", version.card.digest, samples.name, card.normalisation.model_dump(), card.display]
        count = min(samples.count, MOST)
        return chunks.rows(f"scores of {samples.what}", follows_from, count, CHUNK, make).astype(np.float64)

    mine, theirs = judged(generated), judged(reference)
    values = {"generated": mine[:, 0], "real": theirs[:, 0], "floor": theirs[1::2, 0]}
    return {
        "scorer": version.card.reference,
        "digest": version.card.digest,
        "meaning": version.card.meaning,
        "reference": reference.what,
        "n_generated": len(mine),
        "n_reference": len(theirs),
        "generated": compare(values["generated"], values["real"], 1.0, seed),
        "floor": compare(theirs[::2, 0], values["floor"], 1.0, seed),
        "mean": {name: float(each.mean()) for name, each in values.items()},
        "median": {name: float(np.median(each)) for name, each in values.items()},
        "spread": {"generated": float(mine[:, 1].mean()), "real": float(theirs[:, 1].mean())},
        "unit": "score, 0 to 8",
        "drawn": {"edges": EDGES.tolist()} | {name: _shares(each) for name, each in values.items()},
    }


def _shares(values: NDArray[np.float64]) -> list[float]:
    """What part of ``values`` lies in each bin of the histogram."""
    shares: list[float] = (np.histogram(values, EDGES)[0] / len(values)).tolist()
    return shares


def _reference(archive: Archive, seed: int) -> Samples:
    held_out = archive.held_out_indices()
    few = len(held_out) < 2 * FEWEST
    chosen = np.random.default_rng(seed).permutation(archive.training() if few else held_out)
    return real("training images" if few else "held-out images", archive, chosen)
