"""A run is a function of its configuration: it resumes exactly, and processes change nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from galaxies.errors import BadInput, GalaxyError
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.data.archive import read
from training.launch import launch
from training.loop import DivergedError, Trainer, train

RESOLUTION = {"stylegan2": 16, "stylegan": 16, "dcgan": 64}
CPU = torch.device("cpu")


@pytest.mark.parametrize("architecture", sorted(RESOLUTION))
def test_resumed_run_equals_the_unbroken_one_bit_for_bit(architecture: str, tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[RESOLUTION[architecture]])
    config = replace(tiny_config(architecture), snapshot_kimg=0.016)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(replace(config, kimg=0.032), archive, whole)
    train(replace(config, kimg=0.016), archive, broken)
    train(replace(config, kimg=0.032), archive, broken)
    for stem in ("networks", "ema", "optimisers"):
        expected = checkpoints.load(whole / "checkpoints" / "000000032", stem)
        actual = checkpoints.load(broken / "checkpoints" / "000000032", stem)
        assert expected.keys() == actual.keys()
        assert all(torch.equal(expected[name], actual[name]) for name in expected), stem


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), batch=8, kimg=0.024)
    launch(config, archives[16], tmp_path / "one")
    launch(replace(config, processes=2), archives[16], tmp_path / "two")
    one = checkpoints.load(checkpoints.list_checkpoints(tmp_path / "one")[-1], "ema")
    two = checkpoints.load(checkpoints.list_checkpoints(tmp_path / "two")[-1], "ema")
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=2e-3, rtol=1e-3)


def test_logs_and_pictures_tell_the_progress(
    tmp_path: Path, archives: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    train(replace(tiny_config("stylegan2"), kimg=0.016), read(archives[16]), tmp_path)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["kimg"] for r in records] == [0.008, 0.016]
    assert {"loss_g", "loss_d", "r_t", "r1", "images_per_second"} <= records[-1].keys()
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["000000008.png", "000000016.png"]
    assert "ETA 0:00:00" in capsys.readouterr().out


def test_not_a_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    config = replace(tiny_config("stylegan2"), kimg=0.008)
    train(config, archive, tmp_path)
    with pytest.raises(DivergedError, match="the last checkpoint is good"):
        train(replace(config, kimg=4, lr_discriminator=1e30), archive, tmp_path)
    assert [p.name for p in checkpoints.list_checkpoints(tmp_path)] == ["000000008"]


def test_ema_follows_the_generator_and_starts_fast(tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(tiny_config("stylegan2"), read(archives[16]), tmp_path, 0, CPU)
    before = trainer.ema.state_dict()["synthesis.const"].clone()
    trainer.one_step()
    after, live = trainer.ema.state_dict()["synthesis.const"], trainer.generator.state_dict()["synthesis.const"]
    weight = 1 - 0.5 ** (4 / (4 * 0.05))
    torch.testing.assert_close(after, before + weight * (live - before))


def test_only_training_images_are_shown(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    trainer = Trainer(tiny_config("stylegan2"), archive, tmp_path, 0, CPU)
    assert not archive.held_out[trainer.indices].any()


def test_old_checkpoints_keep_only_what_is_exported(tmp_path: Path, archives: dict[int, Path]) -> None:
    train(replace(tiny_config("stylegan2"), kimg=0.032), read(archives[16]), tmp_path)
    full = [p.name for p in checkpoints.list_checkpoints(tmp_path) if (p / "networks.safetensors").exists()]
    assert full == ["000000024", "000000032"]
    assert len(checkpoints.list_checkpoints(tmp_path)) == 4


def test_damaged_checkpoint_is_one_clear_error(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    config = replace(tiny_config("stylegan2"), kimg=0.008)
    train(config, archive, tmp_path)
    (tmp_path / "checkpoints" / "000000008" / "networks.safetensors").write_bytes(b"PK\x03\x04 not safetensors")
    with pytest.raises(BadInput, match=r"networks\.safetensors cannot be read"):
        train(replace(config, kimg=0.016), archive, tmp_path)


def test_half_written_checkpoint_is_not_found(tmp_path: Path) -> None:
    aside = tmp_path / "checkpoints" / ".000000008.77"
    aside.mkdir(parents=True)
    (tmp_path / "checkpoints" / "000000016").mkdir()
    assert checkpoints.list_checkpoints(tmp_path) == []


@pytest.mark.slow
def test_an_error_in_a_child_process_is_one_message(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), kimg=1, lr_discriminator=1e30)
    with pytest.raises(GalaxyError, match="the last checkpoint is good"):
        launch(config, archives[16], tmp_path)


@pytest.mark.slow
def test_sigterm_saves_and_returns(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), kimg=1000, snapshot_kimg=1000)
    child = multiprocessing.get_context("spawn").Process(target=launch, args=(config, archives[16], tmp_path / "run"))
    child.start()
    for _ in range(600):
        if (tmp_path / "run").exists() or not child.is_alive():
            break
        time.sleep(0.1)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGTERM)
    child.join(60)
    assert child.exitcode == 0
    assert len(checkpoints.list_checkpoints(tmp_path / "run")) == 1
