"""The commands chain from images to a published model, and bad input is one line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from tests.unit.training.conftest import DATA
from training.cli import app, main
from training.presets import find, resolve

ROOT = Path(__file__).parents[3]


def training(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("module", "said"), [("torch", "error: training needs torch, which is not installed; "), ("training.cli", "Traceback")]
)
def test_without_its_packages_training_says_what_brings_them(module: str, said: str) -> None:
    code = f"import runpy, sys; sys.modules[{module!r}] = None; runpy.run_module('training', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(said)


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
    said = ""
    for step in steps:
        done = training(*step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said = said + done.stdout
    assert re.search(r"model: small@1, greatest ONNX-torch difference \S+; at most \S+ of the range -1 … 1, or ", said)
    assert "published small@1 (sha256:" in done.stdout
    refused = training("publish", "model", "--store", "zoo", cwd=tmp_path)
    assert refused.returncode == 1
    assert "small@1 was never evaluated" in refused.stderr
    again = training("publish", "model", "--store", "zoo", "--unevaluated", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr.strip() == "error: small@1 is published already and never changes; choose another version"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "nowhere", "--out", "x"], "error: there is no nowhere: a folder, a zip, FITS, npy"),
        (["augmentations", "nowhere"], "error: nowhere is not a data set archive"),
        (["train", "run", "--data", "nowhere"], "error: nowhere is not a data set archive"),
        (["export", "nowhere", "--out", "x", "--name", "n"], "error: nowhere holds no checkpoint; train first"),
        (["publish", "nowhere"], "error: nowhere holds no exported model or scorer (card.json)"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = training(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "--out", "x", "--resolution", "3"], "--resolution 3: a number from 4 to 4096 is needed"),
        (["prepare", "--out", "x", "--held-out", "nan"], "--held-out nan: a number from 0 to 0.9 is needed"),
        (["prepare", "--out", "x", "--jobs", "0"], "--jobs 0: a number of 1 or more is needed"),
        (["augmentations", "set", "--image", "x"], "--image x: a whole number of 0 or more is needed"),
        (["publish", "x", "--stor", "y"], "No such option: --stor (Possible options: --store)"),
        (["prepare", "set"], "Missing option '--out'."),
        (["make"], "No such command 'make'."),
    ],
)
def test_a_command_line_that_is_not_understood_is_one_line(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["training", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {said}\n"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0), (["prepare", "--help"], 0)])
def test_help_is_no_error(
    arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["training", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == status
    said = capsys.readouterr()
    assert "Usage:" in said.out + said.err
    assert "error" not in said.err


def documented() -> list[list[str]]:
    """The arguments of every ``python -m training`` in the commands of README and guides."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if " -m training " in line]
    return [command[command.index("training") + 1 :] for command in commands]


@pytest.mark.parametrize("arguments", documented(), ids=" ".join)
def test_every_documented_command_is_understood(arguments: list[str]) -> None:
    name, *others = arguments
    command = typer.main.get_command(app).commands[name]
    values = command.make_context(name, others).params
    if values.get("preset"):
        assert find(values["preset"])
    if name == "train":
        resolve(values["preset"], values["settings"] or [], bands=3, resolution=64, classes=0)


def test_the_commands_from_simulated_to_real_galaxies_are_a_chain() -> None:
    """What one command of the guide takes, one before it has made."""
    text = (ROOT / "docs" / "training.md").read_text().split("### Few galaxies", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    commands = [shlex.split(line)[3:] for line in text.replace("\\\n", " ").splitlines()]
    assert [command[0] for command in commands] == ["prepare", "prepare", "train", "train", "export", "evaluate", "publish"]
    made: set[str] = set()
    for name, *others in commands:
        taken = {value for option, value in pairwise(others) if option in ("--normalise-like", "--data", "--transfer")}
        taken |= {others[0]} if name in ("export", "evaluate", "publish") else set()
        assert taken <= made
        made |= {others[0]} if name == "train" else {value for option, value in pairwise(others) if option == "--out"}


@pytest.mark.slow
def test_every_command_explains_itself(tmp_path: Path) -> None:
    done = training("--help", cwd=tmp_path)
    for command in ("prepare", "train", "export", "evaluate", "publish", "presets", "augmentations"):
        assert command in done.stdout
