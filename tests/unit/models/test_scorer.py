"""A scorer in the store: read, verified, judged; which one fits a model, and what it sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from galaxies.cards import AsinhNormalisation, Band, ModelCard
from galaxies.errors import BadInput, BadModel, NotFound, Unsupported
from galaxies.pixels import physical, signed_from_physical
from galaxies.scores import Scores, choose
from galaxies.seen import grey_levels, seen
from models.__main__ import main
from models.scorer import ROWS, OnnxScorer
from models.store import ModelStore
from models.versions import ScorerVersion, read_scorer
from tests.strategies import style_card
from tests.tiny_models import publish_style, publish_tiny_scorer


def display_card(**fields: object) -> ModelCard:
    bands = [Band(name=name) for name in ("red", "green", "blue")]
    return style_card(bands=bands, display=True, **fields)


@pytest.fixture
def card() -> ModelCard:
    return display_card()


@pytest.fixture
def version(tmp_path: Path, card: ModelCard) -> ScorerVersion:
    return publish_tiny_scorer(tmp_path / "store", card)


def images(count: int, side: int = 16) -> np.ndarray:
    values: np.ndarray = np.random.default_rng(1).uniform(-1, 1, (count, 3, side, side)).astype(np.float32)
    return values


def test_models_and_scorers_lie_in_one_store_and_do_not_mix(tmp_path: Path, card: ModelCard, version: ScorerVersion) -> None:
    model = publish_style(tmp_path / "store")
    store = ModelStore([tmp_path / "store"])
    assert [v.card.reference for v in store.versions()[0]] == [model.card.reference]
    assert [v.card.reference for v in store.scorers()[0]] == ["tiny-scorer@1"]
    assert store.versions()[1] == store.scorers()[1] == []
    assert store.get_scorer("tiny-scorer@1").card == version.card
    with pytest.raises(NotFound, match="scorer 'other@1' is unknown; there are tiny-scorer@1"):
        store.get_scorer("other@1")
    with pytest.raises(BadInput, match="published already and never changes"):
        publish_tiny_scorer(tmp_path / "store", card)


def test_a_scorer_that_was_changed_is_refused(tmp_path: Path, version: ScorerVersion) -> None:
    (version.folder / "scorer.onnx").write_bytes(b"something else")
    with pytest.raises(BadModel, match="its card says"):
        OnnxScorer(version)
    path = version.folder / "card.json"
    path.write_text(path.read_text().replace('"Tiny"', '"Large"'))
    with pytest.raises(BadModel, match="changed after publication"):
        read_scorer(version.folder)
    assert "changed after publication" in ModelStore([tmp_path / "store"]).scorers()[1][0]


def test_scores_lie_within_0_and_8_and_do_not_depend_on_the_batch(version: ScorerVersion, card: ModelCard) -> None:
    scorer = OnnxScorer(version)
    many = images(ROWS + 3)
    found = scorer.scores(many, card)
    assert found.value.shape == found.spread.shape == (ROWS + 3,)
    assert 0 <= found.value.min() < found.value.max() <= 8
    assert (found.spread > 0).all()
    alone = [scorer.scores(many[i : i + 1], card).value[0] for i in range(len(many))]
    np.testing.assert_array_equal(found.value, alone)


def test_members_are_clipped_before_they_are_averaged(version: ScorerVersion) -> None:
    found = Scores.of(version.card, np.array([[-5.0, 4.0, 20.0]], np.float32))
    assert found.value.tolist() == [4.0]
    assert found.spread[0] == pytest.approx(np.std([0, 4, 8]))


def test_a_scorer_sees_whole_grey_levels_at_its_side(version: ScorerVersion, card: ModelCard) -> None:
    large = images(2)
    levels = np.clip(np.rint(large * 127.5 + 127.5), 0, 255).mean(axis=1)
    expected = np.rint(levels.reshape(2, 8, 2, 8, 2).mean(axis=(2, 4))) / 127.5 - 1
    np.testing.assert_allclose(seen(large, card, version.card)[:, 0], expected, atol=1.01 / 127.5)
    assert seen(images(1, 4), card, version.card).shape == (1, 1, 8, 8), "smaller images are enlarged"
    flat = np.full((3, 4, 4), 0.5, np.float32)
    np.testing.assert_allclose(grey_levels(flat, 8), 191.0)


def test_fluxes_reach_a_scorer_in_its_own_normalisation(tmp_path: Path) -> None:
    bands = [Band(name=name, unit="nJy") for name in ("a", "b", "c")]
    ours = AsinhNormalisation(scale=[1.0] * 3, low=[0.0] * 3, high=[5.0] * 3)
    theirs = AsinhNormalisation(scale=[2.0] * 3, low=[0.0] * 3, high=[4.0] * 3)
    model = style_card(bands=bands, normalisation=ours, display=False)
    version = publish_tiny_scorer(tmp_path, style_card(bands=bands, normalisation=theirs, display=False))
    again = signed_from_physical(physical(images(2), ours), theirs)
    same = style_card(bands=bands, normalisation=theirs, display=False)
    np.testing.assert_array_equal(seen(images(2), model, version.card), seen(again, same, version.card))


def test_the_newest_scorer_that_fits_is_chosen_and_what_is_missing_is_named(tmp_path: Path, card: ModelCard) -> None:
    old = publish_tiny_scorer(tmp_path, card).card
    new = publish_tiny_scorer(tmp_path, card, version="2", created="2026-02-01T00:00:00Z").card
    grey_model = style_card(bands=[Band(name="i")], display=True, normalisation=ONE)
    grey = publish_tiny_scorer(tmp_path, grey_model, name="grey", created="2026-03-01T00:00:00Z").card
    flux_model = style_card(bands=[Band(name="i", unit="nJy")], display=False, normalisation=ONE)
    flux = publish_tiny_scorer(tmp_path, flux_model, name="flux").card
    everything = [old, new, grey]
    assert choose(everything, None, card) == new, "of its own bands, though grey is newer"
    assert choose(everything, None, grey_model) == grey
    assert choose([old, new], None, grey_model) == new, "a scorer sees the mean of the bands, so any display image can be judged"
    assert seen(images(2)[:, :1], grey_model, new).shape == (2, 1, 8, 8)
    assert choose(everything, "tiny-scorer", card) == new
    assert choose(everything, "tiny-scorer@1", card) == old
    with pytest.raises(Unsupported, match=r"no scorer is published; model .* makes display images of the bands red, green, blue"):
        choose([], None, card)
    with pytest.raises(Unsupported, match=r"no published scorer fits: .* flux@1 sees the bands i"):
        choose([flux], None, card)
    with pytest.raises(Unsupported, match=r"grey@1 was trained on display images"):
        choose([grey], None, flux_model)
    with pytest.raises(Unsupported, match="scorer 'other' is unknown; there are tiny-scorer@1, tiny-scorer@2, grey@1") as caught:
        choose(everything, "other", card)
    assert caught.value.field == "/score"


ONE = AsinhNormalisation(scale=[1.0], low=[0.0], high=[5.0])


def test_the_command_lists_and_verifies_scorers(
    tmp_path: Path, version: ScorerVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(tmp_path / "store")]
    assert main([*root, "scorers"]) == 0
    listed = json.loads(capsys.readouterr().out)["scorers"]
    assert {"name": "tiny-scorer", "members": 3}.items() <= next(s for s in listed if s["name"] == "tiny-scorer").items()
    assert main([*root, "verify"]) == 0
    assert "tiny-scorer@1: 1 files whole, runs on CPU" in capsys.readouterr().out
    (version.folder / "scorer.onnx").write_bytes(b"?")
    assert main([*root, "verify"]) == 1
