"""Row T1 as printed, 28 × 28 greyscale, from colour files: prepared, trained, exported; whoever gives it others is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from tests.unit.training.conftest import DATA, sdss_options
from training import checkpoints
from training.architectures.tribhuvan import Discriminator, TribhuvanConfig
from training.cli import app
from training.data.archive import read
from training.data.options import Reading
from training.data.prepare import prepare
from training.data.read_bytes import open_zip
from training.export import ExportOptions, export
from training.loop import train
from training.presets import PRESETS, replaced, resolve_for


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test galaxies, which are colour JPEGs, as the archive of row T1."""
    out = tmp_path_factory.mktemp("grey") / "set"
    arguments = ["prepare", DATA / "galaxies.zip", "--resolution", 28, "--grey", "--jobs", 1, "--out", out]
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize(
    ("share", "expected"), [(1.0, [0.3, 0.3, 0.3, 0.3, 0.4]), (0.5, [0.15, 0.15, 0.15, 0.15, 0.2]), (0.0, [0.0] * 5)]
)
def test_the_printed_dropout_is_scaled(share: float, expected: list[float]) -> None:
    discriminator = Discriminator(TribhuvanConfig(width=1, dropout=share))
    assert [layer.p for layer in discriminator.modules() if isinstance(layer, nn.Dropout)] == pytest.approx(expected)


@pytest.mark.parametrize(("first_norm", "kinds"), [(True, ["Conv2d", "BatchNorm2d"]), (False, ["Conv2d", "LeakyReLU"])])
def test_the_first_layer_can_be_without_batch_norm(first_norm: bool, kinds: list[str]) -> None:
    discriminator = Discriminator(TribhuvanConfig(width=1, first_norm=first_norm))
    assert [type(layer).__name__ for layer in discriminator.layers][:2] == kinds
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in discriminator.layers) == 4 + first_norm


def test_grey_is_the_luminance_of_pillow(tmp_path: Path) -> None:
    prepare(replace(sdss_options(tmp_path / "set", 64), reading=Reading(crop=64, grey=True)), lambda done, total: None)
    archive = read(tmp_path / "set")
    assert archive.manifest["band_details"] == [{"name": "luminance"}]
    with open_zip(DATA / "galaxies.zip").open(str(archive.files[0])) as stream, Image.open(stream) as picture:
        top = (picture.height - 64) // 2
        expected = np.asarray(picture.convert("L"))[top : top + 64, top : top + 64]
    np.testing.assert_array_equal(archive.images[0, 0], expected)


def test_one_command_prepares_for_t1_and_the_preset_stays_as_printed(grey: Path) -> None:
    assert read(grey).images.shape[1:] == (1, 28, 28)
    config = resolve_for(read(grey), "tribhuvan-t1", [])
    assert config == PRESETS["tribhuvan-t1"].config


@pytest.mark.slow  # the ONNX exporter takes seconds
def test_t1_trains_and_exports_at_28_px_in_grey(grey: Path, tmp_path: Path) -> None:
    train(resolve_for(read(grey), "tribhuvan-t1", ["kimg=0.008", "batch=4", "network.width=4"]), read(grey), tmp_path / "run")
    log = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert log["loss_g"] > 0
    assert log["loss_d"] > 0
    checkpoint = checkpoints.newest(tmp_path / "run")
    card = export(checkpoint, tmp_path / "out", ExportOptions("t1", "1", "T1", "for tests", "MIT"), lambda text: None)
    assert (card.resolution, [band.name for band in card.bands]) == (28, ["luminance"])
    assert card.parity["max_abs_difference"] < 1e-4


@pytest.mark.slow
def test_whoever_trains_a_preset_at_another_size_is_told(grey: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    arguments = ["train", str(tmp_path / "run"), "--dry-run", "--preset", "tribhuvan-t1"]
    arguments += [word for setting in ("network.width=1", "batch=2", "r1_interval=1") for word in ("--set", setting)]
    said = CliRunner().invoke(app, [*arguments, "--data", str(archives[64])], catch_exceptions=False).stderr
    assert said.splitlines()[0] == (
        "preset tribhuvan-t1 is for 28 px, bands 1; with this archive its network is one of 64 px, bands 3"
    )
    assert replaced(resolve_for(read(grey), "tribhuvan-t1", []), read(grey)) == ""
    halved = resolve_for(read(archives[64]), "stylegan2-64", ["network.resolution=32"])
    assert replaced(halved, read(archives[64])) == "", "what the person asked for is no news"
