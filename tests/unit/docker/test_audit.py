"""The audit without a network, on an OSV database of a few made-up advisories."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def affected(name: str = "shaky", **more: Any) -> dict[str, Any]:
    return {"package": {"ecosystem": "PyPI", "name": name}, **more}


def between(*events: dict[str, str]) -> dict[str, Any]:
    return affected(ranges=[{"type": "ECOSYSTEM", "events": list(events)}])


def audit(tmp_path: Path, pins: str, *advisories: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    (tmp_path / "constraints.txt").write_text(pins)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number, advisory in enumerate(advisories):
            archive.writestr(f"A-{number}.json", json.dumps({"id": f"A-{number}", "summary": "it breaks"} | advisory))
    command = [sys.executable, ROOT / "docker" / "audit.py", tmp_path / "constraints.txt", tmp_path / "all.zip"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_each_pin_is_compared_with_ranges_and_lists_of_versions(tmp_path: Path) -> None:
    advisories = [
        between({"introduced": "0"}, {"fixed": "1.2"}),
        between({"introduced": "1.2"}, {"fixed": "1.10"}),
        between({"introduced": "1.3"}, {"last_affected": "1.5"}),
        between({"introduced": "1.0"}, {"last_affected": "1.5.0"}),
        between({"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "1.4"}),
        affected(versions=["1.4", "1.5"]),
        affected(versions=["not a version", "1.6"]),
        affected(name="other", versions=["1.5"]),
        {"package": {"ecosystem": "npm", "name": "shaky"}, "versions": ["1.5"]},
    ]
    done = audit(tmp_path, "# pins\nShaky==1.5\nsteady==2.0 # why\n", *({"affected": [each]} for each in advisories))
    assert done.returncode == 1
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["A-1", "A-2", "A-3", "A-4", "A-5"]
    assert done.stdout.startswith("shaky 1.5: A-1 it breaks\n")


@pytest.mark.parametrize("more", [{"withdrawn": "2026-01-01T00:00:00Z"}, {"affected": []}])
def test_nothing_found_is_success(tmp_path: Path, more: dict[str, Any]) -> None:
    done = audit(tmp_path, "shaky==1.5\n", {"affected": [affected(versions=["1.5"])]} | more)
    assert (done.returncode, done.stdout) == (0, "")


def test_our_own_pins_are_read(tmp_path: Path) -> None:
    done = audit(tmp_path, (ROOT / "constraints.txt").read_text(), {"affected": [affected("celery", versions=["0.1"])]})
    assert done.returncode == 0
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    assert f"{len(lines)} versions" in done.stderr
