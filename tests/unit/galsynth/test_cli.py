"""The command line, in this process where that is enough and as a process where exit statuses and exec matter."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.documents import ModelList
from galsynth.cli import app

OPERATIONS = ["generate", "interpolate", "mix", "arithmetic"]
JOBS = [f"jobs {name}" for name in ("list", "show", "fetch", "cancel", "delete")]
MODELS = [f"models {name}" for name in ("list", "show", "verify")]
KEYS = [f"keys {name}" for name in ("create", "list", "revoke", "webhook-secret")]
COMMANDS = ["up", "api", "worker", *OPERATIONS, "jobs", *JOBS, "models", *MODELS, "keys", *KEYS]


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "galsynth", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environ,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_a_help_text(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    found = typer.main.get_command(app)
    for part in command.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    assert found.help
    assert all(getattr(parameter, "help", "") for parameter in found.params)


def test_the_list_of_commands_is_complete() -> None:
    found = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    below = {f"{group} {name}" for group in ("jobs", "models", "keys") for name in found[group].commands}
    assert set(found) | below == set(COMMANDS)


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.output == f"galsynth {importlib.metadata.version('galsynth')}\n"


def test_wrong_use_is_exit_status_2() -> None:
    assert run("up", "--port", "0").returncode == 2
    assert run("fly").returncode == 2
    assert run("up", PORT="many").returncode == 2


def test_a_port_in_use_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = run("up", "--port", str(other.getsockname()[1]), "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be used" in done.stderr
    assert not (tmp_path / "data").exists()


def test_models_as_json_are_what_the_service_lists() -> None:
    done = run("models", "list", "--json")
    assert done.returncode == 0, done.stderr
    listing = json.loads(done.stdout)
    assert listing["default"] in {entry["name"] for entry in listing["models"]}
    assert ModelList.model_validate(listing).models
    shown = json.loads(run("models", "show", "--json").stdout)
    assert shown["name"] == listing["default"]


def test_a_table_names_every_model() -> None:
    listing = json.loads(run("models", "list", "--json").stdout)
    table = run("models", "list", COLUMNS="200").stdout
    assert all(f"{entry['name']}@{entry['version']}" in table for entry in listing["models"])
    assert all(", ".join(band["name"] for band in entry["bands"]) in table for entry in listing["models"])


def test_a_damaged_model_fails_verification_and_is_named(tmp_path: Path) -> None:
    source = next((Path(__file__).parents[3] / "models" / "zoo").glob("*/*/card.json"))
    card = json.loads(source.read_text())
    folder = tmp_path / card["name"] / "other"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(source.read_text().replace(card["title"], "Tampered"))
    done = run("models", "verify", GALSYNTH_MODELS_DIRS=str(tmp_path))
    assert done.returncode == 1
    assert str(folder) in done.stderr


def test_an_unknown_model_is_exit_status_1_and_lists_what_there_is() -> None:
    done = run("models", "show", "no-such-model")
    assert done.returncode == 1
    assert "there are" in done.stderr


def test_a_service_that_does_not_answer_is_one_line() -> None:
    done = run("models", "list", "--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "galsynth up" in done.stderr
