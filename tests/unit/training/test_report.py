"""The report is one page that needs nothing beside itself, and says what the figures say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxies.errors import BadInput
from models.generator import OnnxGenerator
from models.store import ModelStore
from training.journal import read_log
from training.report import charts, summary
from training.report.page import page
from training.report.pictures import data_uri, difference, grid
from training.report.write import samples


def part(wasserstein: float, apart: bool, shift: float = 0.1) -> dict[str, Any]:
    figures = {"ks": 0.2, "ks_interval": [0.1, 0.3], "wasserstein": wasserstein, "wasserstein_interval": [0.0, 1.0], "p": 0.5}
    drawn = {"edges": [0.0, 1.0, 2.0], "generated": [0.5, 0.5], "real": [0.4, 0.6], "floor": [0.6, 0.4]}
    medians = {"generated": 1 + shift, "real": 1.0, "floor": 1.0}
    return {"unit": "<mag>", "generated": figures, "floor": figures, "told_apart": apart, "median": medians, "drawn": drawn}


PHYSICAL: dict[str, Any] = {
    "n": 100,
    "statistics": {"Gini": part(0.1, False), "M20": part(0.4, True), "asymmetry": part(0.9, True, -0.1)},
    "joint_energy": {"generated": {"value": 0.2}, "floor": {"value": 0.01}},
    "colour_magnitude": {"share": {"generated": 0.7, "real": 0.8, "floor": 0.79}},
}


def test_the_biggest_failures_come_first() -> None:
    assert summary.ranked(PHYSICAL) == ["asymmetry", "M20", "Gini"]
    brief = summary.physical(PHYSICAL)
    assert (brief["told_apart"], brief["statistics"], brief["worst"]) == (2, 3, ["asymmetry", "M20"])


def test_the_summary_says_which_statistics_are_told_apart() -> None:
    failed = {"passed": False, "failures": ["distance at the 1% quantile"], "reference": "held-out images", "n_reference": 50}
    cover = {"precision": 0.5, "recall": 0.25}
    perceptual = {"floor": {"n_first": 50, "fid": 3.0, **cover, "same_size": {"fid": 9.0, **cover}}}
    said = summary.sentences({"memorisation": failed, "perceptual": perceptual, "physical": PHYSICAL})
    assert said[0].startswith("The memorisation gate fails")
    assert "FID 9.0" in said[1]
    assert re.search(r"biggest failures first: asymmetry \(0.90 σ.*lower\); M20 \(0.40 σ.*higher\)", said[2])
    assert said[3] == "Not to be told apart from real at 100 galaxies: Gini."
    assert "70%" in said[4]


def test_charts_take_the_colours_of_the_page_and_keep_identifiers_apart() -> None:
    first, second = charts.histogram("Gini", part(0.1, False)), charts.histogram("M20", part(0.1, False))
    assert "var(--made)" in first
    assert "currentColor" in first
    assert not re.search(r"#01020\d", first)
    identifiers = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (first, second)]
    assert not identifiers[0] & identifiers[1]
    assert all(target in identifiers[0] for target in re.findall(r'(?:href="|url\()#([^")]+)', first))
    assert "&lt;mag&gt;" in first


def test_a_grid_keeps_every_image() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 3, 2, 2), np.uint8)
    made = grid(images, 2)
    assert made.shape == (6, 4, 3)
    assert made[2, 3, 0] == 3
    assert made[4, 0, 0] == 4
    assert data_uri(made).startswith("data:image/webp;base64,")


def test_equal_images_differ_by_grey() -> None:
    images = np.full((1, 3, 2, 2), 7, np.uint8)
    assert (difference(images, images) == 128).all()


def test_a_log_that_was_cut_off_is_read(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        '{"kimg": 1, "loss_g": 2.0, "event": "resumed"}\n{"kimg": 2, "loss_g": 1.0}\n{"kimg": 3, "lo'
    )
    rows = read_log(tmp_path)
    assert len(rows) == 2
    assert list(charts.curves(rows)) == ["loss_g"]
    with pytest.raises(BadInput, match="the folder of a training run is needed"):
        read_log(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "last"), [("sdss-gz1-64@2", 9), ("jwst-ceers@1", 59)])
def test_a_report_names_the_seeds_that_it_shows(name: str, last: int) -> None:
    version = ModelStore().get(name)
    report = json.loads((version.folder / "report" / "report.json").read_text())
    text = page(version.card, report, {"samples": {"full": ""}, "nearest": {"mse": "", "cropped_l1": ""}}, [])
    assert f"not chosen: seeds 0 … {last} at ψ = 1" in text
    shown = samples(OnnxGenerator(version), 1.0)
    assert len(shown) == (last + 1) * max(1, len(version.card.classes))
