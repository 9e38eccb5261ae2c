"""What a run tells: metrics while it trains, and its place among processes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from galaxies.errors import BadInput
from tests.full_disk import no_file_beyond
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import Generator
from training.checkpoints import DivergedError
from training.data.archive import read
from training.events import Events
from training.journal import read_log
from training.launch import launch
from training.logs import Reporter
from training.loop import train
from training.metrics.running import RunningFid
from training.settings import Place, place_of_torchrun


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


def test_speed_and_time_left_stay_those_of_the_steps_while_metrics_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    seconds = [0.0]

    def shown() -> tuple[str, str]:
        assert reporter.bar is not None
        return reporter.bar.tasks[0].fields["speed"], reporter.bar.tasks[0].fields["left"]

    with Reporter(tmp_path, 0, 4000, now=lambda: seconds[0]) as reporter:
        reporter.waiting("metrics", 0, 9)
        assert shown() == ("", "–"), "nothing was measured yet"
        seconds[0] = 10.0
        reporter.add({"loss_g": torch.tensor(1.0)}, 1000)
        assert shown() == ("100.0 images/s", "0:00:30")
        seconds[0] = 20.0
        reporter.waiting("metrics", 1, 9)  # metrics alone
        assert shown() == ("100.0 images/s", "0:00:30")
        reporter.pause(10.0)
        reporter.flush(0.0)
        reporter.waiting("metrics", 2, 9)  # metrics after a checkpoint, which writes a line
        assert shown() == ("100.0 images/s", "0:00:30")
        reporter.pause(60.0)
        seconds[0] = 84.0
        reporter.add({"loss_g": torch.tensor(1.0)}, 1200)
        assert shown() == ("50.0 images/s", "0:00:56")


def test_a_pipe_has_a_line_where_metrics_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(tmp_path, 8000, 16000) as reporter:
        reporter.begin("metrics of 1000 images")
        reporter.waiting("metrics", 32, 1000)
    assert capsys.readouterr().out == "     8.0 / 16 kimg  metrics of 1000 images …\n"


def test_a_pipe_has_a_line_every_twenty_seconds_while_metrics_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = [0.0]
    with Reporter(tmp_path, 8000, 16000, now=lambda: seconds[0]) as reporter:
        seconds[0] = 100.0
        reporter.begin("metrics of 5000 images")
        for done in range(500, 5500, 500):
            seconds[0] += 8.0
            reporter.waiting("metrics", done, 5000)
        reporter.waiting("saving")
    begin, *lines = capsys.readouterr().out.splitlines()
    assert begin.endswith("metrics of 5000 images …")
    assert lines == [
        "     8.0 / 16 kimg  metrics  1,500/5,000  0:00:24  ETA 0:00:56",
        "     8.0 / 16 kimg  metrics  3,000/5,000  0:00:48  ETA 0:00:32",
        "     8.0 / 16 kimg  metrics  4,500/5,000  0:01:12  ETA 0:00:08",
    ]


def test_a_short_run_shows_how_long_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(tmp_path, 0, 300) as reporter:
        reporter.say("begins")
    assert "/ 0.3 kimg" in capsys.readouterr().out


def test_a_run_that_was_killed_goes_on_with_the_rows_of_its_checkpoint(tmp_path: Path) -> None:
    rows = [{"kimg": kimg, "loss_g": 1.0} for kimg in (8.0, 16.0, 16.0, 24.0)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"kimg": 32.0, "lo')
    assert read_log(tmp_path) == rows
    with Reporter(tmp_path, 16_000, 32_000) as reporter:
        reporter.add({"loss_g": torch.tensor(2.0)}, 24_000)
        reporter.flush(0.0)
    assert [(row["kimg"], row["loss_g"]) for row in read_log(tmp_path)] == [(8.0, 1.0), (16.0, 1.0), (16.0, 1.0), (24.0, 2.0)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "tensorboard"]


def test_a_run_without_a_checkpoint_begins_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"kimg": 4.0, "loss_g": 1.0}\n')
    with Reporter(tmp_path, 0, 32_000):
        assert read_log(tmp_path) == []


def test_events_that_cannot_be_written_are_an_error_at_once(tmp_path: Path) -> None:
    events = Events(tmp_path, 1)
    with no_file_beyond(1000), pytest.raises(OSError, match="File too large"):
        events.picture(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8), 2)
    events.close()


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
@pytest.mark.parametrize("processes", [1, 2])
def test_metrics_are_measured_while_training(tmp_path: Path, archives: dict[int, Path], processes: int) -> None:
    config = replace(tiny_config("stylegan2"), kimg=0.016, metrics_kimg=0.008, metrics_images=8, processes=processes)
    launch(config, archives[16], tmp_path)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["kimg"] for r in records if "fid8" in r] == [0.008, 0.016]
    assert all("kid8" in r for r in records if "fid8" in r)


def test_a_run_that_is_told_to_stop_gives_its_metrics_up(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: RunningFid, generator: Generator, progress: Callable[[int, int], None]) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        progress(1, 2)
        raise AssertionError("the measurement goes on")

    monkeypatch.setattr(RunningFid, "measure", stopped)
    config = replace(tiny_config("stylegan2"), kimg=1000, metrics_kimg=0.008, metrics_images=8)
    train(config, read(archives[16]), tmp_path)
    assert "metrics are left out, as the run was told to stop" in capfd.readouterr().out
    assert [int(path.name) for path in checkpoints.list_checkpoints(tmp_path)] == [8, 8 + config.batch]
