"""The options of ``prepare``: what they are told, and what they refuse."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from galaxies.errors import BadInput
from training.cli import app


def prepared(*arguments: str | Path) -> str:
    """Output of the command; its error is raised."""
    done = CliRunner().invoke(app, ["prepare", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_options_reach_the_manifest(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).normal(size=(5, 16, 16, 2)).astype(np.float32)
    cube[3, 4, 5, 0] = np.nan
    np.savez(tmp_path / "a.npz", images=cube, other=cube)
    said = prepared(
        tmp_path / "a.npz", "--out", tmp_path / "out", "--resolution", 8, "--jobs", 1, "--bands", "g, r", "--unit", "nJy",
        "--zero-points", "31.4,31.4", "--wavelengths", "0.48,0.62", "--pixel-scale", 0.2, "--nan", "zero",
        "--normalisation", "minmax", "--resample", "sum", "--held-out", 0,
    )  # fmt: skip
    assert "mended (zero): 1 pixels that were not finite, in 1 images" in said
    assert "5 training and 0 held-out images" in said
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["band_details"][1] == {"name": "r", "unit": "nJy", "zero_point": 31.4, "wavelength_um": 0.62}
    assert manifest["normalisation"]["kind"] == "linear"
    assert manifest["pixel_scale_arcsec"] == 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nan", "mean"], "--nan 'mean': fail, zero, median are allowed"),
        (["--on-error", "ignore"], "--on-error 'ignore': fail, skip are allowed"),
        (["--bands", "g,r", "--zero-points", "1,2,3"], r"--zero-points has 3 values for 2 bands \(g, r\)"),
        (["--bands", "g", "--wavelengths", "blue"], "--wavelengths: 'blue' is not a number"),
        (["--bands", "g", "--zero-points", "nan"], "--zero-points: 'nan' is not a number"),
        (["--bands", "g,r", "--wavelengths", "0.5,inf"], "--wavelengths: 'inf' is not a number"),
        (["--bands", "g,r", "--wavelengths", "-1,0.6"], "--wavelengths -1,0.6: numbers above 0, in µm, are needed"),
        (["--bands", "g,r", "--wavelengths", "0.5,0"], "--wavelengths 0.5,0: numbers above 0"),
        (["--bands", "a,b,b"], "--bands a,b,b has b twice: every band needs a name of its own"),
        (["--unit", "nJy"], "belong to --bands"),
        (["--simulate", "ceers"], "a SOURCE or --simulate PRESET, and not both"),
        (["--class-column", "kind", "--min", "mag=3"], "--class-column, --min: of which table"),
        (["--rename-class", "1=merger"], "--rename-class: of which labels"),
        (["--rename-class", "merger"], "--rename-class 'merger': OLD=NEW is needed"),
        (["--label-key", "kind"], "--label-key kind is for an npz or HDF5 file of many objects, and .* is none"),
        (["--arms", "0.5"], "--arms and --mergers belong to --simulate"),
        (["--where", "flag"], "--where 'flag': COLUMN=VALUE is needed"),
        (["--max", "flag=low"], "--max: 'low' is not a number"),
        (["--reject", "ugly"], "--reject 'ugly': empty, saturated"),
        (["--reject", "empty=nan"], "--reject 'empty=nan': 'nan' is not a number"),
        (["--reject", "empty=high"], "--reject 'empty=high': 'high' is not a number"),
    ],
)
def test_wrong_options_are_one_clear_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        prepared(tmp_path, "--out", tmp_path / "out", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_error_before_anything_is_read_is_all_that_is_shown(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["prepare", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, BadInput)
    assert done.output == ""


@pytest.mark.parametrize("zipped", [False, True])
def test_files_that_are_left_out_are_counted(tmp_path: Path, zipped: bool) -> None:
    folder = tmp_path / "in"
    (folder / "more.d").mkdir(parents=True)
    for name in ("a.webp", "b.gif", "more.d/c.GIF", "notes", ".hidden.txt", "._a"):
        (folder / name).touch()
    for number, name in enumerate(("1_g.npy", "2_g.npy", "sky.npy")):
        np.save(folder / name, np.random.default_rng(number).normal(size=(16, 16)))
    (folder / "table.csv").write_text("file\n1\n2\n")
    source = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder)) if zipped else folder
    common = ["prepare", source, "--resolution", 16, "--jobs", 1, "--held-out", 0, "--csv", folder / "table.csv", "--pattern"]
    done = CliRunner().invoke(app, list(map(str, [*common, "{id}_{band}.npy", "--out", tmp_path / "out"])))
    assert done.exit_code == 0, done.output
    table = "1 .csv, " if zipped else ""
    assert f"left out: 2 .gif, 1 .webp, 1 without an ending, {table}which are not read" in done.output
    assert "left out: 1 .npy, which --pattern '{id}_{band}.npy' does not match" in done.output
    with pytest.raises(BadInput, match=r"--pattern '\{id\}-\{band\}\.npy' matches no file of .*, such as 1_g\.npy$"):
        prepared(*common[1:], "{id}-{band}.npy", "--out", tmp_path / "other")


def test_parts_of_arms_and_mergers_reach_the_catalogue_and_the_manifest(tmp_path: Path) -> None:
    prepared(
        "--simulate", "ceers-06", "--count", 12, "--arms", 1, "--mergers", 0, "--resolution", 16, "--jobs", 1,
        "--class-column", "kind", "--held-out", 0, "--out", tmp_path / "out",
    )  # fmt: skip
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [entry["name"] for entry in manifest["classes"]] == ["elliptical", "spiral"]
    assert (manifest["source"]["arms"], manifest["source"]["mergers"]) == (1.0, 0.0)
    with (tmp_path / "out" / "catalogue.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert all(bool(row["arms"]) == (row["kind"] == "spiral") for row in rows)
    assert not any(row["companion_flux_ratio"] for row in rows)
    with pytest.raises(BadInput, match="class 'disc' is unknown; there are elliptical, spiral"):
        prepared(
            "--simulate", "ceers-06", "--arms", 1, "--mergers", 0, "--class-column", "kind", "--mirror", "disc:spiral",
            "--out", tmp_path / "other",
        )  # fmt: skip


@pytest.mark.parametrize("option", ["--pixel-scale", "--softening", "--saturation", "--held-out", "--arms"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_no_option_takes_what_is_no_number(tmp_path: Path, option: str, value: str) -> None:
    done = CliRunner().invoke(app, ["prepare", str(tmp_path), "--out", str(tmp_path / "out"), option, value])
    assert done.exit_code == 2
    assert option in done.output
    assert list(tmp_path.iterdir()) == []
