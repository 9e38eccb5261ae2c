"""Row F4: two runs become one generator, which exports, serves and can be trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from galaxies.errors import BadInput
from models.generator import OnnxGenerator
from models.publish import publish
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import build
from training.architectures.stackgan import to_unit
from training.chaining import FIRST, SECOND, join, stages, train_chain
from training.cli import app
from training.data.archive import read
from training.export import ExportOptions, export
from training.loop import train
from training.presets import resolve
from training.report.write import read_log

SIZE = {"bands": 3, "resolution": 128, "classes": 0}
OPTIONS = ExportOptions("chained", "1", "Chained", "for tests", "MIT")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    """A first stage at 16 px and a second one at 32 px, both from the archive of 64 px."""
    folder, archive = tmp_path_factory.mktemp("chain"), read(archives[64])
    first = tiny_config("dcgan")
    train(replace(first, kimg=0.008, network=replace(first.network, resolution=16)), archive, folder / FIRST)
    train(replace(tiny_config("stackgan"), kimg=0.008), archive, folder / SECOND)
    return folder


@pytest.mark.slow
def test_the_chain_serves_what_its_stages_make_one_after_the_other(runs: Path, tmp_path: Path) -> None:
    checkpoint = join(runs / FIRST, runs / SECOND, tmp_path / "run")
    export(checkpoint, tmp_path / "out", OPTIONS, lambda text: None)
    version = publish(tmp_path / "out", tmp_path / "zoo")
    assert version.card.parity["max_abs_difference"] < 1e-4
    assert version.card.resolution == 32
    assert version.card.pixel_scale_arcsec == pytest.approx(51.2 / 32)
    seconds = [checkpoints.read_state(checkpoints.newest(runs / stage))["seconds"] for stage in (FIRST, SECOND)]
    assert version.card.training["seconds"] == pytest.approx(sum(seconds), abs=0.11)
    assert version.card.training["images_seen"] == 16, "of both stages, like the seconds"
    made_of = version.card.training["stages"]
    assert [(name, stage["architecture"]) for name, stage in made_of.items()] == [(FIRST, "dcgan"), (SECOND, "stackgan")]
    z = np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32)
    first, second = (load(runs / stage, name) for stage, name in ((FIRST, "dcgan"), (SECOND, "stackgan")))
    with torch.no_grad():
        expected = second.refiner(to_unit(first(torch.from_numpy(z))))  # type: ignore[operator]
    np.testing.assert_allclose(OnnxGenerator(version).generate(z), expected.numpy(), atol=1e-4)


def load(run: Path, architecture: str) -> torch.nn.Module:
    network = tiny_config(architecture).network
    generator, _ = build(replace(network, resolution=16) if architecture == "dcgan" else network)
    generator.load_state_dict(checkpoints.load(checkpoints.list_checkpoints(run)[-1], "ema"))
    return generator.eval()


def test_a_joined_chain_trains_on(runs: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    joined = checkpoints.read_state(join(runs / FIRST, runs / SECOND, tmp_path))
    config = replace(tiny_config("chain"), kimg=0.016)
    train(config, read(archives[64]), tmp_path)
    last = checkpoints.list_checkpoints(tmp_path)[-1]
    assert last.name == "000000016"
    state = checkpoints.read_state(last)
    assert (joined["images_seen"], joined["seen_before"]) == (8, 8), "the position is the second stage's"
    assert (state["images_seen"], state["seen_before"]) == (16, 8)


def test_stages_that_do_not_fit_are_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a run of stackgan; dcgan is needed here"):
        join(runs / SECOND, runs / FIRST, tmp_path)
    with pytest.raises(BadInput, match="holds no checkpoint"):
        join(tmp_path / "none", runs / SECOND, tmp_path)


def test_a_second_stage_alone_is_not_exported(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no latent input"):
        export(checkpoints.list_checkpoints(runs / SECOND)[-1], tmp_path / "out", OPTIONS)
    assert not list(tmp_path.iterdir())


def test_what_is_set_for_a_chain_holds_for_both_stages() -> None:
    set_ = {"lr_generator": 1e-3, "lr_discriminator": 3e-3, "lr_decay_kimg": 5.0, "ema_kimg": 7.0, "loss": "relativistic",
            "augment": "galaxy", "seed": 4, "flips": False, "dihedral": True, "beta1": 0.3}  # fmt: skip
    config = resolve("fussell-moews-f4", [f"{key}={json.dumps(value)}" for key, value in set_.items()], **SIZE)
    for stage in stages(config).values():
        assert {key: getattr(stage, key) for key in set_} == set_


def test_a_chain_keeps_what_its_second_stage_compares(runs: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    second = tiny_config("stackgan")
    second = replace(second, kimg=0.004, snapshot_kimg=0.004, network=replace(second.network, pixel="bands"))
    train(second, read(archives[64]), tmp_path / SECOND)
    state = checkpoints.read_state(join(runs / FIRST, tmp_path / SECOND, tmp_path / "run"))
    assert state["config"]["network"]["pixel"] == "bands"
    chain = resolve("fussell-moews-f4", ["network.pixel=bands"], **SIZE)
    assert stages(chain)[SECOND].network.pixel == "bands"  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="pixel 'colour': one of sum, bands is allowed"):
        resolve("fussell-moews-f4", ["network.pixel=colour"], **SIZE)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "transfer=runs/before",
            "transfer runs/before: both stages of a chain start afresh; train",
        ),
        ("metrics_kimg=1", "a stage of the chain cannot take metrics_kimg 1: stackgan refines images"),
    ],
)
def test_what_a_chain_cannot_take_is_refused_before_it_begins(override: str, message: str, tmp_path: Path) -> None:
    config = resolve("fussell-moews-f4", [override], **SIZE)
    with pytest.raises(BadInput, match=message):
        stages(config)
    with pytest.raises(BadInput, match=message):
        train_chain(config, tmp_path / "no archive", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_dry_run_says_what_each_stage_costs(archives: dict[int, Path], tmp_path: Path) -> None:
    small = ("width=4", "channels=4", "blocks=1", "discriminator_width=4", "z_dim=8", "resolution=32")
    settings = ["batch=4", "r1_interval=1", *(f"network.{each}" for each in small)]
    command = ["train", str(tmp_path / "run"), "--dry-run", "--preset", "fussell-moews-f4", "--data", str(archives[64])]
    command += [word for setting in settings for word in ("--set", setting)]
    said = CliRunner().invoke(app, command, catch_exceptions=False).stdout.splitlines()
    assert [said.index(line) for line in ("first-stage:", "second-stage:")]
    kimg = [float(line.split(" for ")[1].split(" kimg")[0].replace(",", "")) for line in said if " kimg (h:mm:ss)" in line]
    assert kimg == [pytest.approx(300 * 61.578, rel=1e-4), pytest.approx(150 * 61.578, rel=1e-4)]
    assert said[-1].startswith("together: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_command_trains_both_stages_and_joins_them(archives: dict[int, Path], tmp_path: Path) -> None:
    config = replace(tiny_config("chain"), kimg=0.008)
    train_chain(config, archives[64], tmp_path)
    state = checkpoints.read_state(checkpoints.list_checkpoints(tmp_path)[-1])
    assert state["config"]["architecture"] == "chain"
    assert state["stages"][FIRST]["network"]["resolution"] == 16
    assert read_log(tmp_path) == read_log(tmp_path / SECOND), "a report on the chain shows its second stage's curves"
