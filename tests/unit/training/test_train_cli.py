"""``train`` as a command: what it refuses is one clear error, before anything is written."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from galaxies.errors import BadInput
from training import chaining, launch, loop
from training.claim import claimed
from training.cli import app
from training.config import TrainConfig
from training.data.archive import read
from training.presets import resolve_for


def train(run: Path, data: Path, *arguments: str) -> str:
    return CliRunner().invoke(app, ["train", str(run), "--data", str(data), *arguments], catch_exceptions=False).output


def test_a_file_is_no_run(tmp_path: Path, archives: dict[int, Path]) -> None:
    (tmp_path / "run").write_text("a file of mine")
    with pytest.raises(BadInput, match="run is a file; the folder of a run is needed"):
        train(tmp_path / "run", archives[16])
    assert (tmp_path / "run").read_text() == "a file of mine"


def test_a_dry_run_under_torchrun_is_refused(tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "1"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match="run it without torchrun, with --set processes=2"):
        train(tmp_path / "run", archives[16], "--dry-run")


STYLE, STYLEGAN, DCGAN, CHAIN = "stylegan2-64-cpu", "stylegan-c1-cpu", "dcgan-f1-cpu", "fussell-moews-f4"


def test_a_run_says_that_it_is_done_or_goes_on_with_other_settings(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["network.channel_base=64", "network.channel_max=8", "network.w_dim=8", "batch=4", "kimg=0.008", "processes=1"]
    source = read(archives[16])
    loop.train(resolve_for(source, STYLE, small), source, tmp_path)
    launched: list[TrainConfig] = []
    monkeypatch.setattr(launch, "launch", lambda config, data, run: launched.append(config))
    again = [word for setting in small for word in ("--set", setting)]
    said = train(tmp_path, archives[16], *again, "--set", "seed=9")
    assert "has seen 8 images, so kimg=0.008 is done" in said
    assert launched == []
    assert not (tmp_path / "config.json").exists()
    said = train(tmp_path, archives[16], *again, "--set", "kimg=0.016", "--set", "seed=9")
    assert "goes on with other settings: it had kimg 0.008 (now 0.016), seed 0 (now 9)" in said
    assert [config.seed for config in launched] == [9]
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 9


def test_a_run_that_another_command_trains_is_refused_and_untouched(tmp_path: Path, archives: dict[int, Path]) -> None:
    with claimed(tmp_path / "run"), pytest.raises(BadInput, match="run is being trained by another process"):
        train(tmp_path / "run", archives[64])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_told_to_stop_says_how_far_it_is_and_is_no_success(
    told: signal.Signals, tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "launch", lambda config, data, run: told)
    arguments = ["train", str(tmp_path / "run"), "--data", str(archives[64]), "--set", "kimg=7.5", "--set", "processes=1"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 128 + told
    assert ended.stderr.endswith("run stopped at 0 of 7.5 kimg; the same command goes on\n")
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "0"), ("WORLD_SIZE", "1")):
        monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, "torchrun would call another status a failure"
    assert ended.stderr.endswith("run stopped at 0 of 7.5 kimg; the same command goes on\n")


def test_a_chain_that_was_told_to_stop_names_the_stage(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaining, "launch", lambda config, data, run: signal.SIGTERM)
    arguments = ["train", str(tmp_path / "run"), "--data", str(archives[64]), "--preset", CHAIN, "--set", "kimg=2"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 143
    assert ended.stderr.endswith("run/first-stage stopped at 0 of 4 kimg; the same command goes on\n")


@pytest.mark.parametrize(
    ("preset", "setting", "message"),
    [
        (STYLE, "kimg=NaN", "kimg nan: a finite number above 0 is allowed"),
        (STYLE, "kimg=Infinity", "kimg inf: a finite number above 0 is allowed"),
        (STYLE, "kimg=0", "kimg 0: a finite number above 0 is allowed"),
        (STYLE, "kimg=1" + "0" * 400, "0: a finite number above 0 is allowed"),
        (STYLE, "snapshot_kimg=NaN", "snapshot_kimg nan: a finite number, 0.001 or more, is allowed"),
        (STYLE, "lr_generator=-0.1", "lr_generator -0.1: a finite number, 0 or more, is allowed"),
        (STYLE, "lr_generator=NaN", "lr_generator nan: a finite number, 0 or more, is allowed"),
        (STYLE, "beta1=1.5", "beta1 1.5: 0 … 1 without 1 is allowed"),
        (STYLE, "beta1=1", "beta1 1: 0 … 1 without 1 is allowed"),
        (STYLE, "beta2=-1.0", "beta2 -1.0: 0 … 1 without 1 is allowed"),
        (STYLE, "r1_gamma=-5.0", "r1_gamma -5.0: a finite number, 0 or more, is allowed"),
        (STYLE, "ema_kimg=-3.0", "ema_kimg -3.0: a finite number, 0 or more, is allowed"),
        (STYLE, "augment_p=5.0", "augment_p 5.0: 0 … 1 is allowed"),
        (STYLE, "augment_p=-1.0", "augment_p -1.0: 0 … 1 is allowed"),
        (STYLE, "augment_target=NaN", "augment_target nan: a finite number is allowed"),
        (STYLE, "seed=-1", "seed -1: 0 … 4294967295 is allowed"),
        (STYLE, "seed=5000000000", "seed 5000000000: 0 … 4294967295 is allowed"),
        (STYLE, "metrics_images=1", "metrics_images 1: 2 … 1000000 is allowed"),
        (STYLE, "threads=1000000000000", "threads 1000000000000: 1 … 1024 is allowed"),
        (STYLE, "network.bands=1", "network.bands 1: the data set decides it and allows 3"),
        (STYLE, "network.resolution=50", "network.resolution 50: the data set decides it and allows 64, 32, 16, 8, 4, 2, 1"),
        (STYLE, "network.resolution=0", "network.resolution 0: the data set decides it and allows 64, "),
        (STYLE, "network.classes=2", "network.classes 2: the data set decides it and allows 0, 6"),
        (STYLE, "network.classes=9", "network.classes 9: the data set decides it and allows 0, 6"),
        (STYLE, "network.z_dim=-2", "network.z_dim -2: 1 … 1000000 is allowed"),
        (STYLE, "network.z_dim=0", "network.z_dim 0: 1 … 1000000 is allowed"),
        (STYLE, "network.w_dim=0", "network.w_dim 0: 1 … 1000000 is allowed"),
        (STYLE, "network.mapping_depth=0", "network.mapping_depth 0: a finite number, 1 or more, is allowed"),
        (STYLE, "network.style_mixing=7.0", "network.style_mixing 7.0: 0 … 1 is allowed"),
        (STYLE, "network.softening=-1", "network.softening -1: 0 … 1 is allowed"),
        (STYLE, "freeze_discriminator=99", "freeze_discriminator 99: this network has 7 layers that can be frozen"),
        (STYLE, "freeze_generator=10", "freeze_generator 10: this network has 9 layers that can be frozen"),
        (STYLE, "network.channel_max=0", "network.channel_max 0: 1 … 1000000 is allowed"),
        (STYLEGAN, "network.channel_max=0", "network.channel_max 0: 1 … 1000000 is allowed"),
        (STYLEGAN, "network.mapping_depth=0", "network.mapping_depth 0: a finite number, 1 or more, is allowed"),
        (STYLEGAN, "network.fade_kimg=-1", "network.fade_kimg -1: a finite number, 0 or more, is allowed"),
        (DCGAN, "network.dropout=2", "network.dropout 2: 0 … 1 is allowed"),
        (DCGAN, "network.width=0", "network.width 0: 1 … 1000000 is allowed"),
        (DCGAN, "network.classes=6", "network.classes 6: this architecture has no class input, 0 is allowed"),
        (CHAIN, "network.width=0", "network.width 0: 1 … 1000000 is allowed"),
        ("fussell-moews-f3", "network.pixel_weight=NaN", "network.pixel_weight nan: a finite number, 0 or more, is allowed"),
        ("eth-e1", "network.blocks=4", "network.blocks 4: 1 … 3 is allowed"),
        ("eth-e4-vae", "network.kl_weight=-1", "network.kl_weight -1: a finite number, 0 or more, is allowed"),
        ("tribhuvan-t2", "network.width=0", "network.width 0: 1 … 1000000 is allowed"),
    ],
)
def test_a_value_out_of_range_is_one_error_and_nothing_is_written(
    preset: str, setting: str, message: str, tmp_path: Path, archives: dict[int, Path]
) -> None:
    with pytest.raises(BadInput) as refused:
        train(tmp_path / "run", archives[64], "--preset", preset, "--set", setting)
    assert message in refused.value.message
    assert list(tmp_path.iterdir()) == []
