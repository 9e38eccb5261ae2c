"""One table of all published models: with and without reports, measured side by side, as Markdown, JSON and figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from galaxies.errors import BadInput
from models.store import BUNDLED
from tests.strategies import z_card
from tests.tiny_models import publish_style, publish_z
from training.compare import CompareOptions, compare, newest, parameters
from training.report.figures import Panel, bars

FAST = CompareOptions(seconds=0.01, rounds=1, batch=2)
METRICS = {
    "fid5k_train": {"value": 12.34, "n_generated": 5000, "n_reference": 4385},
    "kid5k_train": {"value": 0.0123, "deviation": 0.001, "n_generated": 5000, "n_reference": 4385},
    "precision": {"value": 0.61, "interval": [0.6, 0.62], "n_generated": 5000, "n_reference": 4385},
    "recall": {"value": 0.25, "interval": [0.2, 0.3], "n_generated": 5000, "n_reference": 4385},
    "floor": {"fid": 6.2, "kid": 0.0},
    "physical": {"mean_ks": 0.2, "mean_ks_floor": 0.05, "joint_energy": 0.5, "joint_energy_floor": 0.01},
    "score": {"scorer": "s@1", "value": 6.1, "real": 7.2},
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    publish_style(root, metrics=METRICS, training={"dataset": "sdss", "images_seen": 391_040, "seconds": 5409.6, "device": "cpu"})
    publish_style(root, version="0", created="2020-01-01T00:00:00Z")
    publish_z(root)
    return root


def test_the_table_holds_every_model_its_figures_and_its_speed(store: Path, tmp_path: Path) -> None:
    said = list[str]()
    found = compare([store], tmp_path / "docs" / "systems", FAST, said.append)
    assert [row["model"] for row in found["rows"]] == ["tiny-style@1", "tiny-z@1"], "the newest version of each"
    style, z = found["rows"]
    assert (style["fid"]["value"], style["recall"], style["training_images_per_second"]) == (12.34, 0.25, 72.3)
    assert z["fid"] is None
    assert all(row["serving_images_per_second"] > 0 for row in found["rows"])
    assert json.loads((tmp_path / "docs" / "systems.json").read_text()) == found
    table = (tmp_path / "docs" / "systems.md").read_text()
    line = next(line for line in table.splitlines() if line.startswith("| `tiny-style@1`"))
    assert "| 12.3 (5,000 : 4,385) | 12.3 | 0.61 | 0.25 | 0.200 (floor 0.050) | 0.500 (floor 0.010) | 6.10 (real 7.20) |" in line
    assert "| 391 | 72.3 (cpu) |" in line
    line = next(line for line in table.splitlines() if line.startswith("| `tiny-z@1`"))
    assert line.count("no report") == 7
    columns = {line.count("|") for line in table.splitlines() if line.startswith("|")}
    assert columns == {16}
    assert "Real against real, FID: sdss 6.2." in table
    drawn = (tmp_path / "docs" / "systems.svg").read_text()
    assert "](systems.svg)" in table
    assert drawn.lstrip().startswith("<?xml")
    assert any("no report" in text for text in said)


def test_names_choose_and_unknown_ones_are_named(store: Path, tmp_path: Path) -> None:
    assert [version.card.name for version in newest([store], ["tiny-z"])] == ["tiny-z"]
    with pytest.raises(BadInput, match=r"model other is not in .*; there are tiny-style, tiny-z"):
        newest([store], ["other"])
    with pytest.raises(BadInput, match="there are none"):
        newest([tmp_path / "empty"], [])


def test_parameters_are_those_of_the_bundled_cards_configuration() -> None:
    (style,) = newest([BUNDLED], ["sdss-gz1-64"])
    assert parameters(style.card) == {"generator": 781_960, "discriminator": 896_272}
    (plain,) = newest([BUNDLED], ["gz1-64-dcgan"])
    assert parameters(plain.card) == {"generator": 1_100_227, "discriminator": 694_689}, "without running statistics"
    assert parameters(z_card()) is None, "a card without a configuration of ours"


def test_bars_say_what_is_not_known() -> None:
    drawn = bars(["a", "b"], [Panel("FID", [10.0, None], [5.0, None]), Panel("speed", [None, None], logarithmic=True)])
    assert drawn.count("not measured") == 3
