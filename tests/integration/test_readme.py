"""The README's commands, word by word: every ``sh`` block after the comment ``<!-- tested -->``, in order, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^<!-- tested -->\n+```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BEGINS = {
    ".fits": b"SIMPLE  =",
    ".gif": b"GIF89a",
    ".mp4": b"\x00\x00\x00",
    ".npz": b"PK",
    ".png": b"\x89PNG\r\n\x1a\n",
    ".webp": b"RIFF",
    ".zip": b"PK",
}
"""What a file of that name begins with: a command that saves an error or a job as galaxy.png has not worked."""

ADDRESS = "http://127.0.0.1:8000"


def blocks() -> list[str]:
    return BLOCK.findall(README.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader stands; later commands may use the files of earlier ones."""
    return tmp_path_factory.mktemp("reader")


def test_there_are_commands_to_test() -> None:
    assert blocks(), "README.md has no `sh` block after <!-- tested -->"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.strip().splitlines()[0][:60])
def test_command_works(block: str, folder: Path, service: str) -> None:
    environ = os.environ | {
        "BASE": service,
        "GALSYNTH_URL": service,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    script = block.replace(ADDRESS, service)
    command = ["bash", "-euo", "pipefail", "-c", re.sub(r"\bcurl ", "curl --fail-with-body ", script)]
    before = set(folder.iterdir())
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    for path in set(folder.iterdir()) - before:
        assert path.read_bytes().startswith(BEGINS.get(path.suffix, b"")), f"{path.name} begins with {path.read_bytes()[:80]!r}"
