"""Scores of generated images beside real ones: the same images are not told apart, noise is; which scorer judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galaxies.cards import ModelCard
from galaxies.errors import BadInput, BadModel
from models.scorer import OnnxScorer
from models.store import ModelStore
from models.versions import ScorerVersion
from tests.strategies import flux_card, style_card
from tests.tiny_models import publish_tiny_scorer
from training.data.archive import Archive
from training.data.describe import describe
from training.metrics.chunks import Chunks
from training.metrics.samples import Samples, real
from training.metrics.scores import find_scorer, scores
from training.report.charts import histogram
from training.report.summary import score as for_card


@pytest.fixture
def card(archive64: Archive) -> ModelCard:
    about = describe(archive64.manifest)
    return style_card(bands=about.bands, normalisation=about.normalisation, display=about.display)


@pytest.fixture
def scorer(tmp_path: Path, card: ModelCard) -> ScorerVersion:
    return publish_tiny_scorer(tmp_path / "store", card)


def judged(scorer: ScorerVersion, card: ModelCard, generated: Samples, archive: Archive, cache: Path) -> dict[str, object]:
    return scores(scorer, card, generated, archive, Chunks(cache, lambda what, done, total: None), 0, 1)


def test_real_images_score_as_real_ones_and_noise_does_not(
    archive64: Archive, card: ModelCard, scorer: ScorerVersion, tmp_path: Path
) -> None:
    archive64 = replace(archive64, held_out=np.arange(len(archive64.held_out)) > 3)
    held_out = archive64.held_out_indices()
    same = judged(scorer, card, real("generated images", archive64, held_out), archive64, tmp_path / "cache")
    assert same["reference"] == "held-out images"
    assert same["generated"]["ks"] == 0
    assert same["mean"]["generated"] == same["mean"]["real"]
    assert same["drawn"]["generated"] == same["drawn"]["real"]
    assert sum(same["drawn"]["floor"]) == pytest.approx(1)
    noise = np.random.default_rng(0).uniform(-1, 1, (40, 3, 64, 64)).astype(np.float32)
    other = judged(scorer, card, Samples("generated images", "noise", 40, lambda a, b: noise[a:b]), archive64, tmp_path / "cache")
    assert other["generated"]["ks"] > 0.6
    assert other["generated"]["p"] < 1e-4
    expected = OnnxScorer(scorer).scores(noise, card)
    assert other["mean"]["generated"] == pytest.approx(float(expected.value.mean()), abs=1e-5)
    assert "<svg" in histogram("score", other)
    assert for_card(other)["ks"] == other["generated"]["ks"]


def test_the_newest_scorer_that_fits_judges_unless_one_is_named(tmp_path: Path, card: ModelCard, scorer: ScorerVersion) -> None:
    store = ModelStore([tmp_path / "store"])
    assert find_scorer(None, store, card) == scorer
    assert find_scorer(None, store, flux_card()) is None
    assert find_scorer(scorer.folder, ModelStore([tmp_path / "nowhere"]), card) == scorer
    with pytest.raises(BadInput, match="needs another one"):
        find_scorer(scorer.folder, store, flux_card())
    with pytest.raises(BadModel, match="cannot be read"):
        find_scorer(tmp_path, store, card)
