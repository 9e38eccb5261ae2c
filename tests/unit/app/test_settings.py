"""Settings: each is described, read from its variable, and nothing listens to the network by accident."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings, check_exposure
from galaxies.errors import BadInput
from galsynth.server import free_port


def ended(program: str, own: dict[str, str]) -> tuple[int, str]:
    """Exit status and standard error of a program that cannot start with these settings of its ``own``."""
    done = subprocess.run([sys.executable, "-m", program], env=os.environ | own, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_every_setting_is_described() -> None:
    assert [name for name, info in Settings.model_fields.items() if not info.description] == []


def test_plain_and_prefixed_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://there:1/0")
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("GALSYNTH_MODELS_DIRS", "/a:/b")
    monkeypatch.setenv("GALSYNTH_MAX_IMAGES", "7")
    settings = Settings()
    assert (settings.redis_url, settings.port, settings.limits.images) == ("redis://there:1/0", 8123, 7)
    assert settings.models_dirs == [Path("/a"), Path("/b")]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    check_exposure(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_the_network_is_refused_unless_told_in_so_many_words(host: str) -> None:
    with pytest.raises(BadInput, match="ALLOW_PUBLIC_WITHOUT_KEYS"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, allow_public_without_keys=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "name", "value", "words"),
    [
        ("app", "HOST", "0.0.0.0", "needs API keys"),
        ("app", "MAX_IMAGES", "0", "setting GALSYNTH_MAX_IMAGES: Input should be greater than or equal to 1; got '0'"),
        ("app", "WEBHOOK_SECRET_FILE", "/nowhere/secret", "webhook_secret_file /nowhere/secret cannot be read"),
        ("app", "RESULTS_DIR", "/dev/null/results", "the result store /dev/null/results cannot be made: Not a directory"),
        ("app", "RESULTS_URL", "ftp://host", "results_url 'ftp://host' is not s3://bucket/prefix"),
        ("worker", "GPU", "first", "setting GALSYNTH_GPU: Input should be a valid integer"),
        ("worker", "RESULTS_DIR", "/dev/null/results", "the result store /dev/null/results cannot be made"),
    ],
)
def test_a_program_says_what_is_wrong_and_ends_with_2_in_text_or_json(program: str, name: str, value: str, words: str) -> None:
    status, text = ended(program, {f"GALSYNTH_{name}": value})
    assert status == 2
    assert words in text
    assert text.count("\n") == 1
    status, text = ended(program, {f"GALSYNTH_{name}": value, "GALSYNTH_LOG_JSON": "true"})
    assert status == 2
    record = json.loads(text)
    assert words in record["event"]
    assert record["level"] == "critical"


@pytest.mark.parametrize(
    ("program", "wrong"), [("app", {"GALSYNTH_HOST": "0.0.0.0"}), ("worker", {"GALSYNTH_RESULTS_DIR": "/dev/null/results"})]
)
def test_a_program_warns_of_a_mistyped_setting_as_it_starts(program: str, wrong: dict[str, str]) -> None:
    _, text = ended(program, wrong | {"GALSYNTH_BACTH_SIZE": "8", "GALSYNTH_DATA_DIR": "/data", "GALSYNTH_LOG_JSON": "true"})
    warning, _ = (json.loads(line) for line in text.splitlines())
    assert warning["event"] == "GALSYNTH_BACTH_SIZE is no setting and is ignored; did you mean GALSYNTH_BATCH_SIZE?"
    assert warning["level"] == "warning"


def test_an_address_that_is_taken_ends_the_program_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = {"GALSYNTH_PORT": str(taken.getsockname()[1]), "GALSYNTH_REDIS_URL": "redis://127.0.0.1:1"}
        status, text = ended("app", own | {"GALSYNTH_RESULTS_DIR": str(tmp_path)})
    assert status == 1
    assert "address already in use" in text
    assert "Traceback" not in text


def test_logs_go_to_standard_error() -> None:
    program = "import logging; from telemetry.logs import *; configure_logging('info', as_json=True); logging.warning('heard')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "heard" in done.stderr


def test_the_program_ends_once_all_is_closed_whatever_keeps_the_interpreter(tmp_path: Path) -> None:
    program = """if True:
        import runpy, threading
        threading.Thread(target=threading.Event().wait).start()
        runpy.run_module("app", run_name="__main__")
    """
    own = {"REDIS_URL": "redis://127.0.0.1:1/0", "PORT": str(free_port()), "GALSYNTH_RESULTS_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=os.environ | own, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert any("Uvicorn running" in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert "Finished server process" in process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize("program", ["app", "worker"])
@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"GALSYNTH_LOG_JSON": "maybe"}, "setting GALSYNTH_LOG_JSON: Input should be a valid boolean, .*; got 'maybe'"),
        ({"GALSYNTH_MODELS_DIRS": "[3"}, r"setting GALSYNTH_MODELS_DIRS: GALSYNTH_MODELS_DIRS is '\[3'; allowed are .*"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_variable_and_its_value(program: str, own: dict[str, str], said: str) -> None:
    status, text = ended(program, own)
    assert status == 2
    assert re.fullmatch(f"(worker: )?{said}\n", text)
