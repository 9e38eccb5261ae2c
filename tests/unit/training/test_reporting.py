"""What a run tells: metrics while it trains, what it would cost, and its place among processes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training.architectures import build
from training.data.archive import read
from training.estimate import estimate, parameters
from training.checkpoints import DivergedError
from training.logs import Reporter
from training.settings import Place, place_of_torchrun


@pytest.mark.slow
def test_a_dry_run_measures_and_leaves_nothing(
    archives: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = tiny_config("stylegan2")
    found = estimate(config, archives[16])
    assert found.images_per_second > 0
    assert found.seconds == pytest.approx(config.kimg * 1000 / found.images_per_second)
    assert 0.05 < found.memory_gb < 4
    assert list(tmp_path.iterdir()) == []


def test_parameters_are_counted_without_making_them() -> None:
    config = tiny_config("stylegan2")
    generator, discriminator = build(config.network)
    assert discriminator is not None
    expected = {
        "generator": sum(p.numel() for p in generator.parameters()),
        "discriminator": sum(p.numel() for p in discriminator.parameters()),
    }
    assert parameters(config) == expected


def test_averages_go_to_json_lines_and_to_tensorboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(tmp_path, 0, 4000) as reporter:
        for value in (1.0, 3.0):
            reporter.add({"loss_g": torch.tensor(value)}, 2000)
        reporter.flush(5.0)
    record = json.loads((tmp_path / "log.jsonl").read_text())
    assert (record["kimg"], record["loss_g"]) == (2.0, 2.0)
    assert record["seconds"] > 5.0
    assert "loss_g 2.000" in capsys.readouterr().out
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"loss_g" in events.read_bytes()


def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with Reporter(tmp_path, 0, 4000, speaks=False) as reporter:
        reporter.add({"loss_g": torch.tensor(1.0)}, 16)
        reporter.add({"loss_g": torch.tensor(float("nan"))}, 32)
        with pytest.raises(DivergedError, match=r"loss_g is nan after 0\.0 kimg; no checkpoint was saved"):
            reporter.flush(0.0)
    assert not (tmp_path / "log.jsonl").exists()


def test_a_bar_on_a_terminal_shows_speed_and_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("training.logs.BAR_SECONDS", 0.0)
    with Reporter(tmp_path, 0, 4000) as reporter:
        assert reporter.bar is not None
        reporter.add({"loss_g": torch.tensor(1.0)}, 1000)
        task = reporter.bar.tasks[0]
        assert task.completed == 1000
        assert "images/s" in task.fields["speed"]
        assert ":" in task.fields["left"]
        reporter.waiting("metrics", 3, 9)
        assert reporter.bar.tasks[0].description == "metrics 3/9"


def test_place_follows_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert place_of_torchrun() is None
    for name, value in (("RANK", "3"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert place_of_torchrun() == Place(3, 1, 4)
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(BadInput, match="RANK 4 is outside"):
        place_of_torchrun()
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(BadInput, match="whole numbers are needed"):
        place_of_torchrun()


@pytest.mark.slow
def test_metrics_are_measured_while_training(tmp_path: Path, archives: dict[int, Path]) -> None:
    from training.loop import train

    config = replace(tiny_config("stylegan2"), kimg=0.016, metrics_kimg=0.008, metrics_images=8)
    train(config, read(archives[16]), tmp_path)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["kimg"] for r in records if "fid8" in r] == [0.008, 0.016]
