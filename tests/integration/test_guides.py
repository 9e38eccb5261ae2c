"""The commands of README and guides, word by word: every ``sh`` block after ``<!-- tested -->``, in order, in a folder a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/user-guide.md", "docs/client.md")
BLOCK = re.compile(r"^<!-- tested -->\n+```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
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
BLOCKS = [(page, block) for page in PAGES for block in BLOCK.findall((ROOT / page).read_text())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader stands; later commands of a page may use the files of earlier ones."""
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_asks_a_service_is_tested(page: str) -> None:
    asking = [block for block in ANY_BLOCK.findall((ROOT / page).read_text()) if re.search(r"\bcurl |\bgalsynth ", block)]
    assert asking
    assert [block for block in asking if (page, block) not in BLOCKS] == []


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda text: text.strip().splitlines()[0][:60])
def test_command_works(page: str, block: str, folder: Path, service: str) -> None:
    environ = os.environ | {
        "BASE": service,
        "GALSYNTH_URL": service,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    place = folder / Path(page).stem
    place.mkdir(exist_ok=True)
    command = ["bash", "-euo", "pipefail", "-c", re.sub(r"\bcurl ", "curl --fail-with-body ", block.replace(ADDRESS, service))]
    before = set(place.iterdir())
    done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    new = set(place.iterdir()) - before
    assert {path.name for path in new} == set(re.findall(r" -o (\S+\.\w+)", block))
    for path in new:
        assert path.read_bytes().startswith(BEGINS[path.suffix]), f"{path.name} begins with {path.read_bytes()[:80]!r}"
