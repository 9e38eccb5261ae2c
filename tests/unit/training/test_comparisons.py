"""The studies of Fussell & Moews and the comparison of augmentations: tables, figures, and no work done twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.ada import AdaOptions, ada
from training.data.archive import read
from training.data.subset import write_class
from training.study import VARIANTS, study

DCGAN = ["kimg=0.008", "batch=4", "network.width=2", "network.z_dim=4"]
STYLE = ("batch=4", "processes=1", "precision=float32", "network.channel_base=32", "network.channel_max=4", "network.z_dim=4",
         "network.w_dim=4", "generator_from_kimg=0", "snapshot_kimg=0.008", "augment_speed_kimg=0.02")  # fmt: skip


def quiet(text: str) -> None:
    """Says nothing."""


@pytest.mark.slow
def test_every_variant_is_trained_once_and_stands_in_the_table(archives: dict[int, Path], tmp_path: Path) -> None:
    only = ["base", "kernel 6", "dropout in both"]
    rows = study(archives[64], tmp_path, DCGAN, only, 10, quiet)
    assert [row["variant"] for row in rows] == only
    assert rows[1]["generator_parameters"] > rows[0]["generator_parameters"] == rows[2]["generator_parameters"]
    assert all(row["fid"] > 0 and row["kimg"] == 0.008 and row["fid_images"] == 10 for row in rows)
    assert json.loads((tmp_path / "study.json").read_text())["rows"] == rows
    assert (tmp_path / "study.md").read_text().count("\n| ") == len(only)
    drawn = (tmp_path / "study.svg").read_text()
    assert all(name in drawn for name in only)
    checkpoints = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert checkpoints
    assert study(archives[64], tmp_path, DCGAN, only, 10, quiet) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == checkpoints
    with pytest.raises(BadInput, match="variant kernel 7 is unknown"):
        study(archives[64], tmp_path, DCGAN, ["kernel 7"], 10, quiet)


def test_the_variants_are_those_of_the_work() -> None:
    assert {"kernel 6", "width 32", "width 64", "no batch norm", "label smoothing"} < VARIANTS.keys()
    assert {"dropout in G", "dropout in D", "dropout in both"} < VARIANTS.keys()


@pytest.mark.slow
def test_arms_see_one_class_and_are_measured_over_images_seen(archives: dict[int, Path], tmp_path: Path) -> None:
    options = AdaOptions(augment=("none", "galaxy"), kimg=0.016, every_kimg=0.008, images=10, settings=STYLE)
    report = ada(archives[64], tmp_path, options, quiet)
    mergers = read(archives[64])
    count = int((mergers.labels == mergers.classes.index("merger")).sum())
    assert report["images"]["training"] + report["images"]["held_out"] == count
    for arm in report["arms"].values():
        assert arm["kimg"] == [0.008, 0.016]
        assert len(arm["fid"]) == len(arm["kid"]) == 2
        assert arm["best"]["fid"] == min(arm["fid"])
    assert json.loads((tmp_path / "ada.json").read_text()) == report
    assert "augment galaxy" in (tmp_path / "ada.svg").read_text()
    assert "strength of the augmentation" in (tmp_path / "ada.svg").read_text()
    assert report["arms"]["none"]["strength"]["values"] == []
    assert 0 <= report["arms"]["galaxy"]["strength"]["values"][-1] <= 1
    assert report["arms"]["none"]["r_t"]["kimg"][-1] == 0.016
    assert (tmp_path / "ada.md").read_text().count("| none |") == 1
    assert ada(archives[64], tmp_path, options, quiet)["arms"] == report["arms"], "nothing is done twice"
    further = ada(archives[64], tmp_path, replace(options, augment=("none",), kimg=0.024), quiet)["arms"]["none"]
    assert further["kimg"] == [0.008, 0.016, 0.024], "a larger budget goes on"
    assert further["fid"][:2] == report["arms"]["none"]["fid"]
    with pytest.raises(BadInput, match=r"none was begun with seed 0 \(now 1\): give the same again"):
        ada(archives[64], tmp_path, replace(options, settings=(*STYLE, "seed=1")), quiet)
    with pytest.raises(BadInput, match="begun with another archive or class"):
        ada(archives[64], tmp_path, replace(options, class_="edge_on"), quiet)


def test_one_class_becomes_an_archive_with_the_same_pixels(archives: dict[int, Path], tmp_path: Path) -> None:
    whole = read(archives[64])
    made = write_class(whole, "merger", tmp_path / "mergers")
    chosen = np.flatnonzero(whole.labels == whole.classes.index("merger"))
    np.testing.assert_array_equal(made.images, whole.images[chosen])
    np.testing.assert_array_equal(made.held_out, whole.held_out[chosen])
    assert made.files.tolist() == whole.files[chosen].tolist()
    assert made.classes == []
    assert made.normalisation == whole.normalisation
    with pytest.raises(BadInput, match=r"class 'quasar' is not in .*; it has edge_on"):
        write_class(whole, "quasar", tmp_path / "quasars")
    with pytest.raises(BadInput, match="augment blur: choose from none"):
        ada(archives[64], tmp_path, AdaOptions(augment=("blur",)), quiet)
