"""The study of Fussell & Moews says what its checkpoints are, whatever it is asked for the second time."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import training.study
from galaxies.errors import BadInput
from training.architectures import Generator
from training.config import TrainConfig
from training.data.archive import Archive, read
from training.stopping import ToldToStop
from training.study import VARIANTS, distinct, study
from training.trainer import Trainer

SETTINGS = ["kimg=0.009", "batch=4", "network.width=2", "network.z_dim=4"]


class Bench:
    """Stands for training and for the FID network: remembers what was asked of it, and can be killed while it measures."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.measured: list[tuple[int, int]] = []
        self.killed = False

    def launch(self, config: TrainConfig, data: Path, run: Path) -> None:
        """A checkpoint after the first step that reaches ``kimg``, and the line that a run writes."""
        self.trained.append(run.name)
        trainer = Trainer(config, read(data), run, 0, torch.device("cpu"))
        trainer.images_seen = 12
        trainer.save()
        (run / "log.jsonl").write_text(json.dumps({"kimg": 0.012, "images_per_second": 5.0, "loss_d": 1, "loss_g": 1}) + "\n")

    def fid(self, archive: Archive, count: int, device: torch.device) -> Bench:
        """In place of `RunningFid`."""
        self.measured.append((count, len(archive.images)))
        return self

    def measure(self, generator: Generator, progress: Callable[[int, int], None]) -> dict[str, float]:
        """Another FID for every count."""
        if self.killed:
            raise KeyboardInterrupt
        assert not generator.training
        count = self.measured[-1][0]
        return {f"fid{count}": count + 0.25, f"kid{count}": 0.0}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(training.study, "launch", made.launch)
    monkeypatch.setattr(training.study, "RunningFid", made.fid)
    return made


def run(archives: dict[int, Path], out: Path, *more: str, only: str = "base", images: int = 10) -> list[dict[str, object]]:
    return study(archives[64], out, [*SETTINGS, *more], [only], images, lambda text: None)


def test_finished_variants_are_measured_anew_and_stay_in_the_table(
    archives: dict[int, Path], tmp_path: Path, bench: Bench
) -> None:
    (row,) = run(archives, tmp_path)
    assert row["kimg"] == 0.012, "what the checkpoint has seen, not what was asked for"
    assert (row["fid"], row["fid_images"]) == (10.2, 10)
    (row,) = run(archives, tmp_path, images=20)
    assert (row["fid"], row["fid_images"]) == (20.2, 20)
    bench.killed = True
    with pytest.raises(KeyboardInterrupt):
        run(archives, tmp_path, only="kernel 6", images=20)
    bench.killed = False
    rows = run(archives, tmp_path, only="kernel 6", images=20)
    assert [row["variant"] for row in rows] == ["base", "kernel 6"]
    assert all(row["fid"] == 20.2 for row in rows)
    assert json.loads((tmp_path / "study.json").read_text())["rows"] == rows
    assert [line.split("|")[1].strip() for line in (tmp_path / "study.md").read_text().splitlines()[2:4]] == [
        "base",
        "kernel 6",
    ]
    assert "base" in (tmp_path / "study.svg").read_text()
    assert (tmp_path / "study.md").read_text().endswith(f"with {', '.join(f'`{setting}`' for setting in SETTINGS)}.\n")
    assert bench.trained == ["base", "kernel-6"], "nothing is trained twice"
    assert len(bench.measured) == 4, "nor measured twice: the second one was killed while it was"


def test_the_base_is_what_is_set_and_is_not_trained_twice(archives: dict[int, Path]) -> None:
    source = read(archives[64])
    for settings, same in (([], "width 128"), (["network.width=32"], "width 32"), (["loss=bce-smooth"], "label smoothing")):
        chosen = distinct(source, settings)
        assert chosen[0] == "base"
        assert VARIANTS.keys() - set(chosen) == ({same} if same != "label smoothing" else {same, "width 128"})


def test_a_folder_of_other_settings_or_data_is_refused(archives: dict[int, Path], tmp_path: Path, bench: Bench) -> None:
    run(archives, tmp_path)
    table = (tmp_path / "study.md").read_text()
    for more, told in (
        (["kimg=0.005"], r"kimg 0\.009 \(now 0\.005\): give the same again"),
        (["seed=1", "lr_generator=0.1"], r"lr_generator 0\.0002 \(now 0\.1\), seed 0 \(now 1\): give"),
        (["network.width=4"], r"base was begun with network\.width 2 \(now 4\): give"),
    ):
        for only in ("base", "kernel 6"):
            with pytest.raises(BadInput, match=told):
                run(archives, tmp_path, *more, only=only)
    run(archives, tmp_path, "metrics_kimg=0.004")
    with pytest.raises(BadInput, match="begun with data set sha256:"):
        study(archives[16], tmp_path, SETTINGS, ["base"], 10, lambda text: None)
    assert (tmp_path / "study.md").read_text() == table
    assert bench.trained == ["base"]


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("file", r"^\S*file is a file; a folder is needed$"),
        ("file/new", r"^\S*file is a file; a folder for \S*file/new is needed$"),
        ("/proc/new", r"^/proc/new cannot be written: No such file or directory; choose another place$"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_said(
    out: str, told: str, archives: dict[int, Path], tmp_path: Path, bench: Bench
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=told):
        study(archives[64], tmp_path / out, SETTINGS, ["base"], 10, pytest.fail)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert not bench.trained


@pytest.mark.parametrize(("told", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 143)])
def test_a_variant_that_is_told_to_stop_ends_the_command_with_the_signals_status(
    archives: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: signal.Signals | None, status: int
) -> None:
    monkeypatch.setattr(training.study, "launch", lambda *_: told)
    with pytest.raises(ToldToStop, match="base was told to stop; the same command goes on") as raised:
        study(archives[64], tmp_path / "out", SETTINGS, ["base"], 10, lambda _: None)
    assert raised.value.status == status
