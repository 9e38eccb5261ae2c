"""A finished score folder becomes one graph, with a card, in the store; it says what the networks say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from galaxies.seen import seen
from models.scorer import OnnxScorer
from models.store import ModelStore
from tests.strategies import style_card
from tests.unit.training.score.test_ensemble import TINY, run
from training.data.archive import Archive
from training.export import ExportOptions
from training.publishing import publish
from training.score import wavelets
from training.score.ensemble import scorer, sizes
from training.score.export import export_scorer, read_ensemble
from training.score.fit import predict
from training.score.folder import is_score_folder
from training.score.networks import Scorer

pytestmark = pytest.mark.slow  # the exporter takes seconds


def like(scorer: OnnxScorer) -> ModelCard:
    """The card of a model that makes such images as the scorer was trained on."""
    card = scorer.card
    return style_card(bands=card.bands, normalisation=card.normalisation, display=card.display)


OPTIONS = ExportOptions("galaxyness", "1", "Galaxyness", "of SDSS galaxies", "MIT", half=True)


def test_a_published_scorer_says_what_its_networks_say(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wavelets, "ITERATIONS", 5)
    narrow = replace(TINY, head_width=32)
    run(archive64, tmp_path / "score", narrow)
    assert is_score_folder(tmp_path / "score")
    card = export_scorer(tmp_path / "score", tmp_path / "out", replace(OPTIONS, half=False), lambda said: None)
    assert card.parity["max_abs_difference"] < 1e-4
    version = publish(tmp_path / "out", tmp_path / "store")
    assert [v.card for v in ModelStore([tmp_path / "store"]).scorers()[0]] == [version.card]
    table = json.loads((tmp_path / "score" / "score.json").read_text())
    assert card.metrics["ensemble"]["mae"] == table["methods"]["ensemble"]["mae"]
    assert (card.side, card.members, card.display) == (32, 2, True)
    assert [band.name for band in card.bands] == archive64.manifest["bands"]
    assert "8 for a galaxy" in card.meaning
    images = archive64.signed(np.arange(5))
    found = OnnxScorer(ModelStore([tmp_path / "store"]).get_scorer("galaxyness@1"))
    levels = ((seen(images, like(found), found.card) + 1) * 127.5).round().astype(np.uint8)
    members = []
    for k in range(2):
        member = scorer(narrow)
        member.load_state_dict(load_file(tmp_path / "score" / "members" / f"scorer-{k}.safetensors"))
        members.append(predict(member, levels, 5))
    scores = found.scores(images, like(found))
    np.testing.assert_allclose(scores.value, np.mean(members, axis=0), atol=1e-4)
    np.testing.assert_allclose(scores.spread, np.std(members, axis=0), atol=1e-4)
    half = export_scorer(tmp_path / "score", tmp_path / "half", OPTIONS, lambda said: None)
    assert half.files["scorer.onnx"].bytes < 0.6 * card.files["scorer.onnx"].bytes
    assert half.parity["max_abs_difference"] < 0.05
    (tmp_path / "score" / "members" / "scorer-1.safetensors").unlink()
    with pytest.raises(BadInput, match=r"scorer-1\.safetensors is missing"):
        export_scorer(tmp_path / "score", tmp_path / "new", OPTIONS, lambda said: None)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_names_no_width_has_the_printed_one(tmp_path: Path) -> None:
    """As those have that were made before there was a choice."""
    trained = Scorer(sizes(32))
    (tmp_path / "members").mkdir()
    save_file(trained.state_dict(), tmp_path / "members" / "scorer-0.safetensors")
    found = read_ensemble(tmp_path, {"options": {"side": 32, "members": 1}, "network": {}, "dataset": {}})
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), trained.parameters(), strict=True))
