"""Where a file cannot be written, one line names it and the reason, and what was there before stays."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.full_disk import no_file_beyond
from tests.unit.training.conftest import tiny_config
from training import cli, journal
from training.aside import folder_aside, write_text
from training.data.archive import read
from training.export import ExportOptions, _write_discriminator
from training.launch import _child
from training.sheets import write_sheet
from training.trainer import Trainer

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What ``python -m training`` says on stderr when it fails."""
    monkeypatch.setattr("sys.argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("table.json", lambda path: write_text(path, "second" * 1000)),
        ("sheet.png", lambda path: write_sheet(NOISE, path)),
        ("log.jsonl", lambda path: journal.append(path.parent, {"kimg": 1.0, "text": "second" * 1000})),
    ],
)
def test_a_file_keeps_what_it_held_and_the_error_names_it(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / name
    for before in (None, "first\n"):
        if before is not None:
            path.write_text(before)
        with no_file_beyond(1000), pytest.raises(OSError, match="File too large") as failed:
            write(path)
        assert failed.value.filename == str(path)
        assert [entry.read_text() for entry in tmp_path.iterdir() if entry.stat().st_size] == ([before] if before else [])


def test_train_on_a_full_disk_is_one_line(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_file_beyond(100):
        said = command(monkeypatch, capsys, "train", tmp_path / "run", "--data", archives[64])
    assert said == f"error: {tmp_path / 'run' / 'config.json'}: File too large\n"
    assert not (tmp_path / "run").exists()


def test_a_run_below_a_file_is_one_line(
    tmp_path: Path, archives: dict[int, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    said = command(monkeypatch, capsys, "train", tmp_path / "file" / "run", "--data", archives[64])
    assert said == f"error: {tmp_path / 'file' / 'run'}: Not a directory\n"


def test_what_a_process_of_a_run_cannot_write_crosses_to_its_parent(tmp_path: Path, archives: dict[int, Path]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "samples").touch()
    with pytest.raises(SystemExit):
        _child(0, replace(tiny_config("stylegan2"), kimg=0.008), archives[16], run, tmp_path)
    assert (tmp_path / "error-0").read_text() == f"{run / 'samples'}: File exists"


def test_an_export_on_a_full_disk_leaves_nothing_and_names_it(tmp_path: Path, archives: dict[int, Path]) -> None:
    out, config = tmp_path / "model", tiny_config("dcgan")
    checkpoint = Trainer(config, read(archives[64]), tmp_path / "run", 0, torch.device("cpu")).save()
    with no_file_beyond(1000), pytest.raises(OSError, match="File too large") as failed, folder_aside(out) as folder:
        _write_discriminator(checkpoint, config, folder, ExportOptions("tiny", "1", "T", "t", "MIT"))
    assert failed.value.filename.endswith("discriminator.safetensors")
    with no_file_beyond(1000), pytest.raises(OSError, match="File too large") as failed, folder_aside(out) as folder:
        (folder / "graph.onnx").write_bytes(bytes(2000))
    assert failed.value.filename == str(out)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_error_without_a_file_says_what_it_can(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "app", full)
    assert command(monkeypatch, capsys) == "error: standard output or a file: No space left on device\n"
