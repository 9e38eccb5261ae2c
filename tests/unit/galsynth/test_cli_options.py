"""Options of ``galsynth`` with values that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from galaxies.errors import BadInput
from galsynth.cli import app
from galsynth.cli.outcome import status_of
from galsynth.client.errors import WrongFormat


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("generate 42 --truncation abc -o x.png", "'abc'; a number is needed"),
        ("generate 42 --size 1.5 -o x.png", "'1.5'; a whole number is needed"),
        ("interpolate 1 2 --frames abc -o x.gif", "'abc'; a whole number is needed"),
        ("up --port 0", "'0'; a whole number in 1 … 65535 is needed"),
        ("up --workers abc", "'abc'; a whole number in 1 … 64 is needed"),
        ("jobs list --limit abc", "'abc'; a whole number of 1 or more is needed"),
        ("keys create x --unfinished-jobs -1", "'-1'; a whole number of 0 or more is needed"),
    ],
)
def test_a_wrong_number_is_told_with_what_is_allowed(line: str, needed: str) -> None:
    done = CliRunner().invoke(app, line.split(), env={"COLUMNS": "200"})
    option = next(word for word in line.split() if word.startswith("--"))
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': {needed}" in done.stderr


def test_an_empty_data_folder_is_refused_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["up", "--data", ""])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception) == "--data is empty; name a folder, or leave it out"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.png", "x.gif"])
def test_a_format_that_an_operation_lacks_is_refused_before_the_name_of_the_file(name: str) -> None:
    done = CliRunner().invoke(app, ["generate", "42", "--format", "gif", "-o", name])
    assert isinstance(done.exception, WrongFormat)
    assert str(done.exception) == "generate makes png, fits, zip, npz, not gif"
    assert status_of(done.exception) == 2
