"""The commands chain from images to a published model, and bad input is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.training.conftest import DATA


def training(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_images_become_a_published_model(tmp_path: Path) -> None:
    steps: list[list[str | Path]] = [
        ["prepare", DATA / "galaxies.zip", "--csv", DATA / "galaxies.csv", "--class-column", "gz1_class", "--resolution", "16",
         "--max", "mean_luma=25", "--mirror", "spiral_cw:spiral_acw", "--out", "set"],
        ["train", "run", "--data", "set", "--set", "kimg=0.032", "--set", "batch=8", "--set", "network.channel_base=64",
         "--set", "network.z_dim=8", "--set", "network.w_dim=8"],
        ["export", "run", "--out", "model", "--name", "small", "--title", "Small galaxies"],
        ["publish", "model", "--store", "zoo", "--unevaluated"],
    ]  # fmt: skip
    for step in steps:
        done = training(*step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "published small@1 (sha256:" in done.stdout
    refused = training("publish", "model", "--store", "zoo", cwd=tmp_path)
    assert refused.returncode == 1
    assert "small@1 was never evaluated" in refused.stderr
    again = training("publish", "model", "--store", "zoo", "--unevaluated", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr.strip() == "error: small@1 is published already and never changes; choose another version"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "nowhere", "--out", "x"], "error: nowhere is neither a folder nor a zip file"),
        (["augmentations", "nowhere"], "error: nowhere is not a data set archive"),
        (["train", "run", "--data", "nowhere"], "error: nowhere is not a data set archive"),
        (["export", "nowhere", "--out", "x", "--name", "n"], "error: nowhere holds no checkpoint; train first"),
        (["publish", "nowhere"], "error: nowhere/card.json cannot be read: there is no such file"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = training(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_command_explains_itself(tmp_path: Path) -> None:
    done = training("--help", cwd=tmp_path)
    for command in ("prepare", "train", "export", "evaluate", "publish", "presets", "augmentations"):
        assert command in done.stdout
