"""A finished ``score`` folder → one ONNX graph of the whole ensemble with a card, which is published as a scorer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from galaxies.cards import CardFile, ScorerCard
from galaxies.errors import BadInput
from galaxies.seen import as_seen
from models.scorer import OnnxScorer
from models.versions import ScorerVersion, describe
from training.aside import folder_aside
from training.data.describe import describe as describe_data
from training.export import ExportOptions, to_onnx
from training.half import store_half
from training.parity import SCORES, Values, check, compared
from training.score.ensemble import sizes
from training.score.folder import MEMBERS, ONCE_MORE, TABLE, load_member, table_of
from training.score.networks import HEAD_WIDTH, Scorer
from training.score.regression import MEANING

PARITY_BATCHES = (1, 7, 16)
GRAPH = "scorer.onnx"


class Ensemble(nn.Module):
    """Images (N, 1, S, S) in -1 … 1 → what every member says (N, members), not clipped."""

    def __init__(self, members: list[Scorer]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Scores."""
        return torch.stack([member(images) for member in self.members], dim=1)


def export_scorer(folder: Path, out: Path, options: ExportOptions, say: Callable[[str], None] = print) -> ScorerCard:
    """Write the new folder ``out`` (aside first, then renamed) and return its card.

    Raises
    ------
    BadInput : the folder was not made by this version of ``score``, is not finished or damaged, or ``out`` exists.
    """
    found = table_of(folder)
    ensemble = read_ensemble(folder, found)
    with folder_aside(out) as made:
        say("exporting the ensemble …")
        batch = torch.export.Dim("batch", min=1, max=65_536)
        side = found["options"]["side"]
        to_onnx(ensemble, (torch.zeros(2, 1, side, side),), made / GRAPH, ["images"], "scores", batch)
        if options.half:
            store_half(made / GRAPH)
        shutil.copyfile(folder / TABLE, made / TABLE)
        files = {GRAPH: describe(made / GRAPH, "scorer"), TABLE: describe(made / TABLE, "report_json")}
        card = _card(found, options, files)
        say(f"measuring parity on {sum(PARITY_BATCHES)} images …")
        measured = parity(ScorerVersion(card, made), ensemble, "float16" if options.half else "float32")
        card = card.model_copy(update={"parity": measured})
        card = card.model_copy(update={"digest": card.compute_digest()})
        (made / "card.json").write_text(card.model_dump_json(indent=1) + "\n")
    return card


def read_ensemble(folder: Path, found: dict[str, Any]) -> Ensemble:
    """The trained members of a ``score`` folder whose table is ``found``.

    Raises
    ------
    BadInput : a member is missing or damaged.
    """
    options = found["options"]
    config = replace(sizes(options["side"]), **found["network"])
    members = []
    for k in range(options["members"]):
        path = folder / MEMBERS / f"scorer-{k}.safetensors"
        if not path.is_file():
            raise BadInput(f"{path} is missing: {ONCE_MORE}")
        member = Scorer(config, options.get("head_width", HEAD_WIDTH))
        load_member(member, path)
        members.append(member)
    ensemble = Ensemble(members)
    return ensemble.eval().requires_grad_(False)


def parity(version: ScorerVersion, ensemble: Ensemble, weights: str = "float32") -> dict[str, Any]:
    """Absolute ONNX - torch difference of scores (0 … 8), greatest and mean, on images of random levels.

    Raises
    ------
    BadInput : a score is not finite, or the difference is beyond the limit of ``weights``.
    """
    served = OnnxScorer(version)
    found = compared(_scores(served, version.card.side, ensemble), SCORES, version.card.reference)
    found |= {"provider": served.providers[0], "weights": weights}
    check(found, SCORES, version.card.reference)
    return found


@torch.no_grad()
def _scores(served: OnnxScorer, side: int, ensemble: Ensemble) -> Iterator[tuple[Values, Values]]:
    rng = np.random.default_rng(0)
    for batch in PARITY_BATCHES:
        images = as_seen(rng.integers(0, 256, (batch, 1, side, side)).astype(np.uint8))
        yield served.judge(images), ensemble(torch.from_numpy(images)).numpy()


def _card(found: dict[str, Any], options: ExportOptions, files: dict[str, CardFile]) -> ScorerCard:
    dataset = found["dataset"]
    about = describe_data(dataset)
    return ScorerCard(
        name=options.name,
        version=options.version,
        title=options.title,
        description=options.description,
        created=datetime.now(UTC).replace(microsecond=0),
        licence=options.licence,
        files=files,
        side=found["options"]["side"],
        bands=about.bands,
        normalisation=about.normalisation,
        display=about.display,
        members=found["options"]["members"],
        meaning=MEANING,
        training={
            "dataset": dataset["name"],
            "dataset_digest": dataset["digest"],
            "unknown_digest": found.get("unknown"),
            "credits": dataset["credits"],
            "examples": found["examples"],
            "trunk": found["trunk"],
            "config": found["options"] | found["network"],
        },
        metrics=_metrics(found),
    )


def _metrics(found: dict[str, Any]) -> dict[str, Any]:
    """Held-out mean absolute errors: of the ensemble, of its members with their spread, of the baselines."""
    methods = found["methods"]
    kept = ("mae", "spread", "interval")
    return {
        "held_out": found["examples"]["held_out"],
        **{name: {key: row[key] for key in kept} for name, row in methods.items()},
        "disagreement": found["ensemble_disagreement"],
    }
