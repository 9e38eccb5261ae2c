"""A run is a function of its configuration: it resumes exactly, and processes change nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch._dynamo.utils import counters
from torch._inductor import config as inductor

from galaxies.errors import BadInput, GalaxyError
from tests.full_disk import no_file_beyond
from tests.unit.training.conftest import tiny_config
from training import checkpoints, cli
from training.architectures import ARCHITECTURES
from training.architectures.dcgan import DCGANConfig
from training.data.archive import read
from training.launch import _told, launch
from training.loop import train
from training.trainer import Trainer

RESOLUTION = {name: 16 if name.startswith("stylegan") else 64 for name in ARCHITECTURES}
CPU = torch.device("cpu")


EVERYTHING = {
    "augment": "galaxy",
    "augment_interval": 3,
    "augment_target": -1.0,
    "augment_speed_kimg": 0.05,
    "pl_weight": 2.0,
    "loss": "relativistic",
    "generator_from_kimg": 0.008,
}
"""Settings that give a run every kind of state; three steps an interval, so that the break falls into one."""


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("stylegan2", {}),
        ("stylegan2", EVERYTHING),
        ("stylegan2", {"augment": "galaxy", "augment_signal": "r_v", "augment_target": -9.0, "augment_speed_kimg": 0.1}),
        ("stylegan2", {"loss": "wgan-gp", "critic_steps": 2}),
        ("stylegan", {"loss": "bce-smooth", "augment": "concepcion"}),  # the break falls into the fading of 16 pixels
        *((name, {}) for name in sorted(ARCHITECTURES.keys() - {"stylegan2", "stylegan"})),
    ],
)
def test_resumed_run_equals_the_unbroken_one_bit_for_bit(
    architecture: str, settings: dict[str, object], tmp_path: Path, archives: dict[int, Path]
) -> None:
    archive = read(archives[RESOLUTION[architecture]])
    config = replace(tiny_config(architecture), snapshot_kimg=0.016, **settings)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(replace(config, kimg=0.032), archive, whole)
    train(replace(config, kimg=0.016), archive, broken)
    train(replace(config, kimg=0.032), archive, broken)
    for stem in ("networks", "ema", "optimisers"):
        expected = checkpoints.load(whole / "checkpoints" / "000000032", stem)
        actual = checkpoints.load(broken / "checkpoints" / "000000032", stem)
        assert expected.keys() == actual.keys()
        assert all(torch.equal(expected[name], actual[name]) for name in expected), stem
    states = [checkpoints.read_state(run / "checkpoints" / "000000032") for run in (whole, broken)]
    assert states[0]["strength"] == states[1]["strength"]
    assert states[0]["path_mean"] == states[1]["path_mean"]
    if settings.get("augment") == "galaxy":
        assert states[0]["strength"]["controller"]["p"] > 0


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), batch=8, kimg=0.024, augment="galaxy", augment_speed_kimg=0.1, pl_weight=2.0)
    config = replace(config, network=replace(config.network, softening=0.03))
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
    assert {"loss_g", "loss_d", "r_t", "r1", "images_per_second", "memory_gb"} <= records[-1].keys()
    assert "r_v" in records[0], "held-out images are looked at from the first step"
    assert list((tmp_path / "tensorboard").iterdir())
    with Image.open(tmp_path / "growing-up.gif") as film:
        assert film.n_frames == 2
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["000000008.png", "000000016.png"]
    assert "ETA 0:00:00" in capsys.readouterr().out


def test_not_a_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    config = replace(tiny_config("stylegan2"), kimg=0.008)
    train(config, archive, tmp_path)
    with pytest.raises(checkpoints.DivergedError, match="the last checkpoint is good"):
        train(replace(config, kimg=4, lr_discriminator=1e30), archive, tmp_path)
    assert [p.name for p in checkpoints.list_checkpoints(tmp_path)] == ["000000008"]


@pytest.mark.parametrize("network", ["generator", "discriminator", "ema"])
def test_weights_that_are_not_finite_are_never_a_checkpoint(network: str, tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(tiny_config("stylegan2"), read(archives[16]), tmp_path, 0, CPU)
    name, weight = next(iter(getattr(trainer, network).named_parameters()))
    good = weight.detach().clone()
    with torch.no_grad():
        weight.view(-1)[0] = torch.inf
    with pytest.raises(
        checkpoints.DivergedError, match=rf"{name} .* is not finite after 0\.0 kimg; no checkpoint was saved: begin"
    ):
        trainer.save()
    assert list(tmp_path.iterdir()) == []
    with torch.no_grad():
        weight.copy_(good)
    trainer.save()
    with torch.no_grad():
        weight.view(-1)[0] = torch.nan
    with pytest.raises(checkpoints.DivergedError, match="the last checkpoint is good: resume"):
        trainer.save()
    assert checkpoints.load(tmp_path / "checkpoints" / "000000000", "ema").keys() == trainer.ema.state_dict().keys()


def test_ema_follows_the_generator_and_starts_fast(tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(tiny_config("stylegan2"), read(archives[16]), tmp_path, 0, CPU)
    before = trainer.ema.state_dict()["synthesis.const"].clone()
    trainer.one_step()
    after, live = trainer.ema.state_dict()["synthesis.const"], trainer.generator.state_dict()["synthesis.const"]
    weight = 1 - 0.5 ** (4 / (4 * 0.05))
    torch.testing.assert_close(after, before + weight * (live - before))


def test_progressive_networks_grow_with_the_images_seen(tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(tiny_config("stylegan"), read(archives[16]), tmp_path, 0, CPU)
    levels = []
    for _ in range(8):
        trainer.one_step()
        assert trainer.ema.synthesis.level == trainer.generator.synthesis.level == trainer.discriminator.level  # type: ignore[union-attr]
        levels.append(trainer.ema.synthesis.level)  # type: ignore[union-attr]
    assert levels == [3, 3, 3, 3.25, 3.5, 3.75, 4, 4]


def test_only_training_images_are_shown(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    trainer = Trainer(tiny_config("stylegan2"), archive, tmp_path, 0, CPU)
    assert not archive.held_out[trainer.feed.training].any()


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


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, archives: dict[int, Path]) -> None:
    trainer = Trainer(tiny_config("stylegan2"), read(archives[16]), tmp_path, 0, CPU)
    with no_file_beyond(10_000), pytest.raises(checkpoints.UnwrittenError, match=r"written: .*; there is none before it"):
        trainer.save()
    trainer.save()
    trainer.one_step()
    with no_file_beyond(10_000), pytest.raises(checkpoints.UnwrittenError, match=r"000000004 .*; the earlier ones are good"):
        trainer.save()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["000000000"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path, archives: dict[int, Path]) -> None:
    left_over = tmp_path / "checkpoints" / ".000000008.77"
    left_over.mkdir(parents=True)
    Trainer(tiny_config("stylegan2"), read(archives[16]), tmp_path, 0, CPU).save()
    assert not left_over.exists()


def test_a_run_of_another_network_is_not_resumed(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), kimg=0.008)
    train(config, read(archives[16]), tmp_path)
    other = replace(config, kimg=0.016, network=replace(config.network, z_dim=4))
    with pytest.raises(BadInput, match=r"is of a run with network\.z_dim 8 \(now 4\); it cannot go on with another network: use"):
        train(other, read(archives[16]), tmp_path)
    with pytest.raises(BadInput, match=r"is of a run with architecture stylegan2 \(now stylegan\); it cannot go on"):
        train(tiny_config("stylegan"), read(archives[16]), tmp_path)


def test_a_run_on_another_archive_is_not_resumed(tmp_path: Path, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    Trainer(tiny_config("stylegan2"), archive, tmp_path, 0, CPU).save()
    other = replace(archive, manifest=archive.manifest | {"digest": "sha256:other"})
    with pytest.raises(BadInput, match=rf"on the archive {archive.manifest['digest']}; it cannot go on with sha256:other"):
        Trainer(tiny_config("stylegan2"), other, tmp_path, 0, CPU).resume()


@pytest.mark.slow
def test_compiled_passes_compute_what_plain_ones_do(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    network = DCGANConfig(resolution=16, z_dim=4, width=2)
    config = replace(tiny_config("dcgan"), network=network)
    weights = []
    counters.clear()
    with inductor.patch(compile_threads=1):
        for compiled in (False, True):
            trainer = Trainer(replace(config, compile=compiled), read(archives[16]), tmp_path, 0, CPU)
            trainer.one_step()
            weights.append(trainer.generator.state_dict())
            assert (counters["stats"]["unique_graphs"] > 0) == compiled
    for name, plain in weights[0].items():
        torch.testing.assert_close(weights[1][name], plain, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_torchrun_does_what_our_launcher_does(tmp_path: Path, archives: dict[int, Path]) -> None:
    settings = ["batch=8", "kimg=0.024", "network.channel_base=64", "network.channel_max=8", "network.z_dim=8",
                "network.w_dim=8", "precision=float32"]  # fmt: skip
    options = [word for setting in settings for word in ("--set", setting)]
    ours = [sys.executable, "-m", "training"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "training"]
    found = {}
    for name, program in (("ours", ours), ("torchrun", torchrun)):
        command = [*program, "train", str(tmp_path / name), "--data", str(archives[16]), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr
        found[name] = checkpoints.load(checkpoints.newest(tmp_path / name), "ema")
    for key, value in found["ours"].items():
        torch.testing.assert_close(value, found["torchrun"][key], atol=2e-3, rtol=1e-3)


@pytest.mark.slow
def test_an_error_in_a_child_process_is_one_message(
    tmp_path: Path, archives: dict[int, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    config = replace(tiny_config("stylegan2"), kimg=1, lr_discriminator=1e30, processes=2)
    with pytest.raises(GalaxyError, match="no checkpoint was saved"):
        launch(config, archives[16], tmp_path)
    assert "Terminating process" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_that_is_killed_is_one_message(processes: int, tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), kimg=1000, snapshot_kimg=1000, processes=processes)

    def kill_the_last() -> None:
        while not (tmp_path / "tensorboard").exists():
            time.sleep(0.1)
        children = [process.pid for process in multiprocessing.active_children() if process.pid]
        os.kill(max(children), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_last)
    killer.start()
    with pytest.raises(
        GalaxyError, match=r"^a training process was killed \(SIGKILL\), perhaps for lack of memory; .* begins again"
    ):
        launch(config, archives[16], tmp_path)
    killer.join()
    assert multiprocessing.active_children() == []


def test_what_torch_refuses_and_a_full_memory_are_one_line_and_our_errors_are_not() -> None:
    with pytest.raises(GalaxyError, match=r"torch refuses a setting of this run: dropout probability .* 2.0"), _told():
        torch.nn.Dropout(2.0)
    with (
        pytest.raises(GalaxyError, match=r"the memory is too small for this run .*allocate"),
        _told(),
    ):
        torch.empty(2**50)
    with pytest.raises(ValueError, match="invalid literal"), _told():
        int("ours")
    with pytest.raises(RuntimeError, match="shape"), _told():
        torch.zeros(2).reshape(3)


@pytest.mark.slow
def test_a_value_that_only_torch_refuses_is_one_message(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = tiny_config("dcgan")
    network = replace(config.network, dropout_in="both")
    object.__setattr__(network, "dropout", 2.0)  # as if the configuration had not looked
    with pytest.raises(GalaxyError, match="torch refuses a setting of this run: dropout probability"):
        launch(replace(config, network=network, kimg=0.004), archives[64], tmp_path)


@pytest.mark.slow
def test_weights_that_do_not_fit_leave_nothing_of_a_new_run(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    Trainer(tiny_config("stylegan2"), read(archives[16]), source, 0, CPU).save()
    command = ["training", "train", str(tmp_path / "run"), "--data", str(archives[16]), "--transfer", str(source)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "only bands and classes may differ" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.slow
def test_ctrl_c_before_the_first_step_ends_without_a_traceback(tmp_path: Path, archives: dict[int, Path]) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "training", "train", str(run), "--data", str(archives[16]), "--set", "processes=2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (run / "config.json").exists():
        time.sleep(0.1)
    time.sleep(1)  # the children import torch, for several seconds
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.endswith("the same command goes on\n")


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
