"""Files and standard streams that cannot be written: the one line that is said, and the exit status."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from galaxies.errors import GalaxyError
from galsynth.cli.outcome import status_of
from galsynth.cli.service import STDOUT, deliver
from galsynth.cli.streams import standard_streams, writing
from galsynth.client.blocking import Client, Job
from tests.full_disk import no_file_beyond
from tests.unit.galsynth.client.test_protocol import JOB

CONTENT = os.urandom(100_000)
NAMED = {**JOB["result"], "bytes": len(CONTENT), "digest": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"}


@pytest.fixture
def job() -> Job:
    """A job that has ended, of a service that has its result."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/result"):
            return httpx.Response(200, stream=httpx.ByteStream(CONTENT))
        return httpx.Response(200, json={**JOB, "result": NAMED})

    return Client("http://s", transport=httpx.MockTransport(answer)).job(JOB["id"])


@pytest.mark.parametrize(
    ("number", "status"),
    [
        *((each, 2) for each in ("ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "EROFS", "ENAMETOOLONG", "ELOOP")),
        *((each, 1) for each in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EMFILE", "EBADF")),
    ],
)
def test_only_a_wrong_path_is_the_callers_fault(number: str, status: int) -> None:
    with pytest.raises(GalaxyError, match=r"^x\.png cannot be written: [A-Z]") as caught, writing("x.png"):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))
    assert status_of(caught.value) == status


def test_a_disk_that_fills_is_exit_status_1_and_leaves_no_file(job: Job, tmp_path: Path) -> None:
    with pytest.raises(GalaxyError, match=r"galaxy\.png cannot be written: File too large") as caught, no_file_beyond(10_000):
        deliver(job, tmp_path / "galaxy.png", as_json=False)
    assert status_of(caught.value) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_temporary_files_that_fills_is_named(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(GalaxyError, match=f"^{tmp_path} cannot be written: File too large"), no_file_beyond(10_000):
        deliver(job, STDOUT, as_json=False)


def test_a_folder_that_is_missing_is_exit_status_2(job: Job, tmp_path: Path) -> None:
    with pytest.raises(GalaxyError, match="No such file or directory") as caught:
        deliver(job, tmp_path / "missing" / "galaxy.png", as_json=False)
    assert status_of(caught.value) == 2


def test_a_result_that_standard_output_does_not_take_is_exit_status_1(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    with suppress(OSError), open("/dev/full", "w") as full:  # closing it fails once more
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(GalaxyError, match="standard output cannot be written: No space left on device") as caught:
            deliver(job, STDOUT, as_json=False)
        assert status_of(caught.value) == 1
        monkeypatch.undo()


def said(*arguments: str, stdout: int | None = None) -> tuple[int, str]:
    """Exit status and standard error of a command whose standard output is ``stdout``, or closed."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    line = [sys.executable, "-m", "galsynth", *arguments]
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *line] if stdout is None else line
    done = subprocess.run(line, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=environ, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_standard_output_that_is_full_is_one_line(option: str) -> None:
    with open("/dev/full", "w") as full:
        done = said(option, stdout=full.fileno())
    assert done == (1, "galsynth: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_standard_output_that_is_closed_is_one_line(option: str) -> None:
    assert said(option) == (1, "galsynth: standard output cannot be written: Bad file descriptor\n")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_reader_that_has_left_is_no_word(option: str) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert said(option, stdout=write) == (1, "")
    finally:
        os.close(write)


def test_a_closed_standard_error_takes_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with standard_streams():
        assert not sys.stderr.isatty()
        assert sys.stderr.write("x.png: 1 galaxy\n")
    sys.stderr.close()
