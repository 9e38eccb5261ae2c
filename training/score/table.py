"""The table of held-out errors: mean absolute error of every method, its spread over the splits, its interval, every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.score.regression import KINDS, Examples

SINGLE = ("mean", "plain", "wavelets", "scorer")
TITLES = {
    "mean": "mean of the training targets",
    "plain": "plain CNN",
    "wavelets": "Coiflet wavelets + gradient boosting",
    "scorer": "one scorer",
    "ensemble": "ensemble of all scorers",
}
RESAMPLES = 1000


def report(found: dict[str, NDArray[np.float32]], held_out: Examples, seed: int) -> dict[str, Any]:
    """Errors of every method from its held-out scores (members, N).

    ``mae`` of a single method is the mean over its members, ``spread`` their standard deviation; the ensemble's score is the mean
    of the scorers'. ``interval`` is the 95 % bootstrap interval over held-out objects.
    """
    scores = found | {"ensemble": found["scorer"].mean(axis=0, keepdims=True)}
    rows = {name: _row(np.abs(values - held_out.targets), held_out, seed) for name, values in scores.items()}
    disagreement = found["scorer"].std(axis=0)
    return {
        "methods": {name: rows[name] for name in TITLES},
        "ensemble_disagreement": {"mean": float(disagreement.mean()), "median": float(np.median(disagreement))},
    }


def _row(errors: NDArray[np.float32], held_out: Examples, seed: int) -> dict[str, Any]:
    each = errors.mean(axis=1)
    return {
        "mae": float(each.mean()),
        "spread": float(each.std(ddof=1)) if len(each) > 1 else None,
        "interval": _interval(errors.mean(axis=0), held_out.objects, seed),
        "members": [float(value) for value in each],
        "kinds": {kind: float(errors[:, held_out.kinds == kind].mean()) for kind in KINDS if (held_out.kinds == kind).any()},
    }


def _interval(errors: NDArray[np.float32], objects: NDArray[np.int64], seed: int) -> list[float]:
    """95 % bootstrap interval of the mean; all examples of an object are drawn together."""
    _, owner = np.unique(objects, return_inverse=True)
    sums, counts = np.bincount(owner, errors), np.bincount(owner)
    drawn = np.random.default_rng([seed, 3]).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [float(value) for value in np.quantile(means, [0.025, 0.975])]


def markdown(found: dict[str, Any]) -> str:
    """``score.md``."""
    options, counts = found["options"], found["examples"]
    lines = [
        "# Similarity score: held-out errors",
        "",
        f"Scores 0 … 8 of {counts['held_out']} examples made of objects that no method saw, side {options['side']} px, "
        f"after training on {counts['training']}; {options['members']} splits 90/10, seed {options['seed']}; trunk "
        f"{found['trunk']}. MAE: mean over the splits ± their standard deviation; interval: 95 %, bootstrap over held-out "
        "objects. The other columns are the MAE of each kind of example.",
        "",
        "| method | MAE | 95 % interval | " + " | ".join(KINDS) + " |",
        "|---|---|---|" + "---|" * len(KINDS),
    ]
    for name, row in found["methods"].items():
        spread = "" if row["spread"] is None else f" ± {row['spread']:.3f}"
        low, high = row["interval"]
        kinds = " | ".join(f"{row['kinds'][kind]:.3f}" if kind in row["kinds"] else "–" for kind in KINDS)
        lines.append(f"| {TITLES[name]} | {row['mae']:.3f}{spread} | {low:.3f} … {high:.3f} | {kinds} |")
    return "\n".join(lines) + "\n"
