"""What is published must be what was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from galaxies.errors import BadInput
from models.versions import Published
from tests.tiny_models import publish_style, publish_tiny_scorer
from training.publishing import publish


def exported(version: Published, difference: float | None) -> Path:
    """The folder of ``version``, whose card says how far ONNX and torch differ."""
    parity = {} if difference is None else {"max_abs_difference": difference}
    card = version.card.model_copy(update={"parity": parity})
    (version.folder / "card.json").write_text(card.model_dump_json())
    return version.folder


def test_a_model_whose_graphs_are_not_those_of_torch_is_not_published(tmp_path: Path) -> None:
    version = publish_style(tmp_path / "made", "m")
    for difference, message in ((0.1, r"m@1: .* up to 1\.00e-01, 5\.00% of the range -1 … 1"), (None, "does not say how far")):
        with pytest.raises(BadInput, match=message):
            publish(exported(version, difference), tmp_path / "store", unevaluated=True)
        assert not (tmp_path / "store").exists()
    assert publish(exported(version, 1e-5), tmp_path / "store", unevaluated=True).card.reference == "m@1"


def test_a_scorer_whose_graph_is_not_that_of_torch_is_not_published(tmp_path: Path) -> None:
    scorer = publish_tiny_scorer(tmp_path / "made", publish_style(tmp_path / "made", "m").card, "s")
    with pytest.raises(BadInput, match=r"s@1: .* up to 1\.00e-01, 1\.25% of the range 0 … 8"):
        publish(exported(scorer, 0.1), tmp_path / "store")
    assert publish(exported(scorer, 1e-5), tmp_path / "store").card.reference == "s@1"


def test_a_folder_that_was_not_exported_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text("{}")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadInput, match=rf"{folder} holds no exported model or scorer .*: run `python -m training export`"):
            publish(folder, tmp_path / "store")
