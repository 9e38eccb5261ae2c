"""The command line, in this process where that is enough and as a process where exit statuses and exec matter."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from app.documents import ModelList
from galaxies.errors import BadInput, BadModel, GalaxyError
from galaxies.jobs import Phase
from galsynth.cli import app
from galsynth.cli.outcome import lines_of, status_of
from galsynth.cli.service import interruptible
from galsynth.client.errors import Damaged, JobCancelled, JobFailed, Unreachable, WrongFormat, error_of
from galsynth.client.protocol import Observer
from tests.unit.galsynth.client.test_interrupts import CANCELLED, SENT, WAITED, Service, interrupted
from tests.unit.galsynth.client.test_protocol import JOB

OPERATIONS = ["generate", "interpolate", "mix", "arithmetic"]
JOBS = [f"jobs {name}" for name in ("list", "show", "fetch", "cancel", "delete")]
MODELS = [f"models {name}" for name in ("list", "show", "verify")]
KEYS = [f"keys {name}" for name in ("create", "list", "revoke", "webhook-secret")]
CLI_REFERENCE = Path(__file__).parents[3] / "docs" / "cli.md"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
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


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_model_is_exit_status_3_and_the_others_are_listed(command: str) -> None:
    done = run("models", command, "no-such-model")
    assert done.returncode == 3
    assert re.match("galsynth: .*there are", done.stderr)


TOLD = dict(re.findall(r"^\| (\d+) \| (.+) \|$", CLI_REFERENCE.read_text(), re.MULTILINE))
"""Exit status → what docs/cli.md says of it."""


def test_every_error_of_the_interface_has_the_exit_status_that_is_documented() -> None:
    document = json.loads((CLI_REFERENCE.parent / "openapi.json").read_text())
    answers = {int(s) for item in document["paths"].values() for route in item.values() for s in route["responses"] if s >= "400"}
    told = {int(code): int(status) for status, text in TOLD.items() for code in re.findall(r"\b[45]\d\d\b", text)}
    assert set(told) >= answers
    for code, status in told.items():
        answer = httpx.Response(code, json={"detail": "why"}, request=httpx.Request("GET", "http://s"))
        assert status_of(error_of(answer)) == status, code


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("a word that is no seed"), 2),
        (WrongFormat("galaxy.tiff"), 2),
        (JobFailed("its input was wrong", status=422), 2),
        (JobFailed("the worker failed", status=500), 1),
        (JobCancelled("by somebody"), 1),
        (Damaged("other bytes"), 1),
        (BadModel("other bytes"), 1),
        (Unreachable("nobody"), 4),
    ],
)
def test_errors_without_an_answer_have_exit_statuses_too(error: GalaxyError, status: int) -> None:
    assert status_of(error) == status
    assert str(status) in TOLD


def test_a_note_on_an_error_is_printed() -> None:
    error = Unreachable("nobody")
    error.add_note("a job may run")
    assert lines_of(error) == ["galsynth: nobody", "galsynth: a job may run"]


def test_ctrl_c_says_which_job_may_still_run(capsys: pytest.CaptureFixture[str]) -> None:
    why = KeyboardInterrupt()
    why.add_note("job 1 may still run")
    with pytest.raises(KeyboardInterrupt), interruptible():
        raise why
    assert capsys.readouterr().err == "galsynth: job 1 may still run\n"


def asking(service: Service, monkeypatch: pytest.MonkeyPatch, *arguments: str, progress: bool | Observer = False) -> Result:
    """What comes of a command whose service is ``service``."""
    for module in ("asked", "jobs"):
        monkeypatch.setattr(f"galsynth.cli.{module}.client_of", lambda *_, **__: service.client(progress=progress))
    return CliRunner().invoke(app, arguments)


def test_ctrl_c_between_the_order_and_the_waiting_cancels_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    monkeypatch.setattr("tempfile.TemporaryFile", interrupted)
    assert asking(service, monkeypatch, "generate", "42", "--format", "fits", "-o", "-").exit_code == 130
    assert service.asked == [SENT, CANCELLED]


def test_a_job_whose_file_cannot_be_written_is_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = Service()
    done = asking(service, monkeypatch, "generate", "42", "-o", str(tmp_path / "missing" / "x.png"))
    assert isinstance(done.exception, BadInput)
    assert service.asked == [SENT, CANCELLED]


@pytest.mark.parametrize("command", [["generate", "42"], ["jobs", "fetch", JOB["id"]]])
@pytest.mark.parametrize("folder", [".", "/tmp"])
def test_a_folder_is_no_file_and_is_named(command: list[str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    done = asking(service, monkeypatch, *command, "-o", folder)
    assert (done.exit_code, service.asked) == (2, [])
    assert f"'{folder}' is a directory" in done.stderr


@pytest.mark.parametrize("command", [["generate", "42"], ["jobs", "fetch", JOB["id"]]])
def test_no_result_is_written_into_a_terminal(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    monkeypatch.setattr("galsynth.cli.service.sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    done = asking(service, monkeypatch, *command, "-o", "-")
    assert isinstance(done.exception, BadInput)
    assert "terminal" in str(done.exception)
    assert service.asked == []


def test_a_suffix_of_another_format_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    done = asking(service, monkeypatch, "generate", "42", "--format", "png", "-o", "x.fits")
    assert isinstance(done.exception, WrongFormat)
    assert service.asked == []


def test_who_loses_the_service_is_told_how_to_come_back_to_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    done = asking(Service(interrupt=httpx.ConnectError("gone")), monkeypatch, "generate", "42", "--format", "zip", "-o", "-")
    assert isinstance(done.exception, Unreachable)
    assert f"galsynth jobs fetch {JOB['id']}" in lines_of(done.exception)[-1]


@contextlib.contextmanager
def unheeded(number: signal.Signals) -> Iterator[None]:
    """A signal that nobody in here may heed but whoever takes it over, and gives it back."""

    def unheeded(*_: object) -> None:
        raise AssertionError(f"{number.name} would have ended the command at once")

    before = signal.signal(number, unheeded)
    try:
        yield
        assert signal.getsignal(number) is unheeded
    finally:
        signal.signal(number, before)


ENDING = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])


@ENDING
def test_a_signal_ends_the_waiting_of_jobs_fetch_and_leaves_the_job_and_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    service = Service()

    def end(_: object) -> None:
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        signal.raise_signal(number)

    with unheeded(number) if number != signal.SIGINT else contextlib.nullcontext():
        done = asking(service, monkeypatch, "jobs", "fetch", JOB["id"], "-o", str(tmp_path / "x.png"), progress=end)
    assert (done.exit_code, done.stderr) == (status, f"galsynth: job {JOB['id']} goes on\n")
    assert service.asked == [WAITED]
    assert list(tmp_path.iterdir()) == []


@ENDING
def test_a_signal_cancels_the_job_says_so_and_shows_the_cursor_again(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    class Ending(Service):
        def answer(self, request: httpx.Request) -> httpx.Response:
            if request.url.query:
                signal.raise_signal(number)
            return super().answer(request)

    service = Ending()
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then draws as on a terminal
    done = asking(service, monkeypatch, "generate", "42", "--format", "png", "-o", "-", progress=True)
    assert done.exit_code == status
    assert service.asked == [SENT, CANCELLED]
    assert done.stderr.rindex(HIDE_CURSOR) < done.stderr.rindex(SHOW_CURSOR)
    assert done.stderr.endswith(f"galsynth: cancelled job {JOB['id']}\n")
    assert str(status) in TOLD


def test_below_nohup_a_terminal_that_is_closed_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("text", ["-42 + 3", "-0.5*42+mean", "- mean + 7", "-7:merger"])
def test_a_sum_may_begin_with_a_minus(text: str) -> None:
    result = CliRunner().invoke(app, ["arithmetic", "--truncation", "-0.5", text])
    assert isinstance(result.exception, BadInput)
    assert result.exception.field == "output"  # the sum was read; what is missing is the file
    assert CliRunner().invoke(app, ["arithmetic", "--tuncation", "1", "42"]).exit_code == 2


@pytest.mark.parametrize("name", ["x.fits", "x.npz"])
@pytest.mark.parametrize("option", [["--size", "128"], ["--stretch", "asinh"], ["--set", "resample=nearest"]])
def test_options_of_pictures_are_refused_where_there_is_none(name: str, option: list[str]) -> None:
    result = CliRunner().invoke(app, ["generate", "42", *option, "-o", name])
    assert isinstance(result.exception, BadInput)
    assert "own pixels" in str(result.exception)


def test_a_sum_without_quotes_is_told_to_have_them() -> None:
    done = CliRunner().invoke(app, ["arithmetic", "42", "-", "1234", "-o", "x.png"], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "'- 1234' is beyond the sum: put all of it in quotes" in done.stderr


def test_a_noise_that_is_none_is_told_what_there_is() -> None:
    done = CliRunner().invoke(app, ["generate", "42", "--noise", "foo", "-o", "x.png"])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception) == "--noise 'foo' is neither const nor none nor a seed such as 7"


@pytest.mark.parametrize(("said", "noise"), [("const", "const"), ("none", "none"), ("7", {"seed": 7})])
def test_noise_is_a_word_or_a_seed(said: str, noise: object, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    asking(service, monkeypatch, "generate", "42", "--no-wait", "--noise", said)
    assert service.ordered["noise"] == noise


def test_every_phase_that_jobs_can_be_listed_by_is_told() -> None:
    shown = CliRunner().invoke(app, ["jobs", "list", "--help"], env={"COLUMNS": "200"}).output
    assert all(phase in shown for phase in Phase)


MIX = ["mix", "--rows", "1", "--columns", "2"]


@pytest.mark.parametrize(
    ("arguments", "other"),
    [
        (["generate", "42"], "seeds=[1]"),
        (["generate", "42", "--truncation", "0.5"], "truncation=1"),
        (["generate", "42", "--class", "merger"], "class=ring"),
        (["generate", "42", "--noise", "none"], "noise=const"),
        (["generate", "42", "--format", "png"], "format=fits"),
        (["generate", "42", "--set", "truncation_cutoff=1"], "truncation_cutoff=2"),
        (["generate", "--latent", "mean"], "latents=[]"),
        (["interpolate", "1", "2"], "path=[]"),
        (["arithmetic", "1 + 2"], "terms=[]"),
        (MIX, "layers=[0]"),
        (MIX, "headers=false"),
    ],
)
def test_a_field_that_is_said_already_is_refused_in_set(arguments: list[str], other: str) -> None:
    done = CliRunner().invoke(app, [*arguments, "--set", other, "-o", "-"])
    assert isinstance(done.exception, BadInput)
    assert re.fullmatch(f"--set '{re.escape(other)}': .* already; say it once", str(done.exception))


def test_set_says_what_its_option_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    stretch = {"kind": "asinh", "q": 8}
    others = [f"stretch={json.dumps(stretch)}", "truncation=0.5", "class=merger", "format=zip"]
    asking(service, monkeypatch, "generate", "42", "--no-wait", *(word for each in others for word in ("--set", each)))
    assert service.ordered == {"seeds": [42], "stretch": stretch, "truncation": 0.5, "class": "merger", "format": "zip"}


def test_the_default_of_an_option_is_shown() -> None:
    assert "[default: const]" in CliRunner().invoke(app, ["generate", "--help"]).output


@pytest.mark.parametrize("line", ["generate", "jobs fetch", "mix --layers"])
def test_bash_completes_what_is_typed_with_the_printed_script(line: str) -> None:
    *before, completed = line.split()
    typed = [*before, completed[:-3]]
    script = """
        source <(galsynth --show-completion)
        complete -p galsynth >&2
        COMP_WORDS=(galsynth "$@") COMP_CWORD=$#
        _galsynth_completion galsynth
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-euc", script, "bash", *typed],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "_galsynth_completion galsynth" in done.stderr
    assert done.stdout.split() == [completed]


def test_a_service_that_does_not_answer_is_one_line() -> None:
    done = run("models", "list", "--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "galsynth up" in done.stderr


def test_models_miss_a_store_only_where_one_was_named(tmp_path: Path) -> None:
    done = run("models", "list", GALSYNTH_MODELS_DIRS="", GALSYNTH_DATA_DIR=str(tmp_path / "new"))
    assert (done.returncode, done.stderr) == (0, "")
    done = run("models", "list", "--json", GALSYNTH_MODELS_DIRS="/nope")
    assert (done.returncode, done.stderr) == (0, "galsynth: GALSYNTH_MODELS_DIRS: there is no folder /nope\n")
    assert json.loads(done.stdout)["models"]
