"""`docker-compose.yml` as compose itself reads it, with what an environment file says; it needs no engine for that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.programs import missing

ROOT = Path(__file__).parents[1]


def resolved(profile: str, env_file: Path = Path("/dev/null"), *more: Path) -> dict[str, dict[str, Any]]:
    """The services of ``profile``, with the files ``more`` laid over ours; nothing of whoever runs this is among it."""
    program = Path(sys.executable).with_name("docker-compose")
    if not program.exists():
        missing("docker-compose (pip install 'galsynth[dev]')")
    files = [word for file in ("docker-compose.yml", *map(str, more)) for word in ("--file", file)]
    command = [str(program), *files, "--env-file", str(env_file), "--profile", profile, "config", "--format", "json"]
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "ENV_FILE": str(env_file)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    services: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return services
