"""``publish``, and what a model must have shown before."""

from __future__ import annotations

import json
from pathlib import Path

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from models.publish import publish as publish_version
from models.publish import publish_scorer
from models.versions import ScorerVersion, Version, read_exported, read_exported_scorer
from training import parity


def publish(folder: Path, store: Path, *, allow_memorised: bool = False, unevaluated: bool = False) -> Version | ScorerVersion:
    """Add the exported model or scorer in ``folder`` to ``store``, a model only if its evaluation lets it.

    Raises
    ------
    BadInput : the folder holds no card; the model was never evaluated, or its images lie too near to training images, and nobody
        said to go on all the same; its graphs are not what torch makes (`training.parity`); or that version exists.
    BadModel : the folder is not a whole version.
    """
    if not (folder / "card.json").exists():
        raise BadInput(
            f"{folder} holds no exported model or scorer (card.json): run `python -m training export` on a run or on a folder of "
            "`score` first, and publish the folder that it makes"
        )
    if is_scorer(folder):
        scorer = read_exported_scorer(folder).card
        parity.check(scorer.parity, parity.SCORES, scorer.reference)
        return publish_scorer(folder, store)
    card = read_exported(folder).card
    parity.check(card.parity, parity.IMAGES, card.reference)
    check(card, allow_memorised=allow_memorised, unevaluated=unevaluated)
    return publish_version(folder, store)


def check(card: ModelCard, *, allow_memorised: bool, unevaluated: bool) -> None:
    """Raise BadInput where ``card`` does not say that the model was evaluated and passed the memorisation gate."""
    verdict = card.metrics.get("memorisation")
    if verdict is None:
        if not unevaluated:
            raise BadInput(
                f"{card.reference} was never evaluated, so nobody knows whether it copies its training images: run "
                "`python -m training evaluate` first, or say --unevaluated"
            )
    elif not verdict["passed"] and not allow_memorised:
        raise BadInput(
            f"{card.reference} fails the memorisation gate: its images lie closer to training images than {verdict['reference']} "
            f"do ({'; '.join(verdict['failures'])}). See its report; to publish copies of training images all the same, say "
            "--allow-memorised"
        )


def is_scorer(folder: Path) -> bool:
    """Whether ``folder`` holds a scorer; its card may be wrong all the same."""
    try:
        return bool(json.loads((folder / "card.json").read_bytes())["kind"] == "scorer")
    except (OSError, ValueError, KeyError, TypeError):
        return False
