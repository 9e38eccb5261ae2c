"""A folder of ``score`` is known as one, finished or not, and what is wrong in it is one line that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from galaxies.errors import BadInput
from training.cli import app
from training.score.folder import claim

TABLE: dict[str, Any] = {
    "options": {"side": 32, "members": 1},
    "network": {},
    "dataset": {},
    "examples": {},
    "methods": {},
    "trunk": "",
    "ensemble_disagreement": {},
}


def export(folder: Path) -> None:
    arguments = ["export", str(folder), "--out", str(folder.parent / "out"), "--name", "n"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder of a run that was stopped before its first member was trained."""
    claim(tmp_path / "score", {"side": 32}, ["sha256:0"])
    return tmp_path / "score"


def test_an_export_of_an_unfinished_folder_says_what_goes_on_with_it(begun: Path) -> None:
    for _ in range(2):
        with pytest.raises(
            BadInput, match=r"score is not finished: there is no score\.json; the same `score` command goes on with it"
        ):
            export(begun)
        (begun / "members").mkdir(exist_ok=True)
    assert not (begun.parent / "out").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", r"score\.json cannot be read: Expecting .*; run the same `score` command once more"),
        ("{}", r"score\.json does not say its options, network, .*: it is damaged or of another version; run the same `score`"),
        (json.dumps(TABLE | {"network": None}), r"score\.json does not say its network: it is"),
        (json.dumps(TABLE), r"scorer-0\.safetensors cannot be read: .*; remove it and run the same .*: it is trained anew"),
    ],
)
def test_what_is_damaged_is_named_by_an_export(begun: Path, text: str, told: str) -> None:
    (begun / "score.json").write_text(text)
    (begun / "members").mkdir()
    (begun / "members" / "scorer-0.safetensors").write_bytes(b"cut")
    with pytest.raises(BadInput, match=told):
        export(begun)
    assert not (begun.parent / "out").exists()


@pytest.mark.parametrize("text", [None, "{", '{"preset": "x"}'])
def test_other_folders_are_none_of_a_score(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match="holds no checkpoint; train first"):
        export(tmp_path)
