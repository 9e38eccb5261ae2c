"""The backup section of the operations guide, executed: with a stand-in for ``docker`` that has folders for volumes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.keys.store import KeyFile
from models.store import ModelStore
from models.versions import verify
from tests.cluster import Cluster
from tests.tiny_models import publish_style

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
VOLUMES = ("queue", "models", "keys")
PROJECT = "another-name"
"""What `docker compose` calls the deployment: volumes begin with it."""
DOCKER = f"""#!{sys.executable}
# `docker run --rm -v VOLUME:/volume -v FOLDER:/here IMAGE tar …` with VOLUMES/queue for PROJECT_queue, and what goes before it.
import os, subprocess, sys
if sys.argv[1:] == ["compose", "config"]:
    print("name: {PROJECT}\\nservices:\\n  redis:\\n    name: not this one")
    sys.exit()
if sys.argv[1:3] == ["volume", "inspect"]:
    sys.exit(not os.path.isdir(os.environ["VOLUMES"] + "/" + sys.argv[3].removeprefix("{PROJECT}_")))
(rm, v, volume, w, here), (image, program), rest = sys.argv[2:7], sys.argv[7:9], sys.argv[9:]
assert (sys.argv[1], rm, v, w, program) == ("run", "--rm", "-v", "-v", "tar"), sys.argv
volume, mounted = volume.rsplit(":", 1)
here, there = here.rsplit(":", 1)
places = {{mounted: os.environ["VOLUMES"] + "/" + volume.removeprefix("{PROJECT}_"), there: here}}
for name, folder in places.items():
    rest = [folder + a[len(name):] if a == name or a.startswith(name + "/") else a for a in rest]
sys.exit(subprocess.run(["tar", *rest]).returncode)
"""


def commands(heading: str) -> list[str]:
    """The lines of the block of commands after ``heading``."""
    section = GUIDE.read_text().split("### Backup and restore", 1)[1]
    match = re.search(rf"^{heading}.*?```sh\n(.*?)```", section, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1].splitlines()


class Host:
    """A machine with a queue server of its own, volumes as folders, and the folder of the compose file."""

    def __init__(self, folder: Path, compose: Path) -> None:
        self.cluster, self.compose = Cluster(folder), compose
        program = folder / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER)
        program.chmod(0o755)
        self.environ = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "VOLUMES": str(folder)}
        for name in VOLUMES:
            (folder / name).mkdir(exist_ok=True)

    def execute(self, lines: list[str]) -> list[str]:
        """Run the guide's lines; what they ask of ``docker compose`` is done to the queue server. Returns those lines."""
        asked = []
        for line in lines:
            if not line.startswith("docker compose"):
                shell = [other for other in lines if other.startswith(("project=", "copy()"))]
                subprocess.run(["bash", "-euc", "\n".join([*shell, line])], cwd=self.compose, env=self.environ, check=True)
                continue
            asked.append(line)
            if "stop" in line and self.cluster.queue is not None and self.cluster.queue.poll() is None:
                self.cluster.queue.terminate()
                assert self.cluster.queue.wait(20) == 0
            elif " start redis" in line or " up " in line:
                self.cluster.start_queue()
        return asked


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    folder = tmp_path / "compose"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "redis_password").write_text("a secret")
    (folder / ".env").write_text("COMPOSE_PROFILES=cpu\n")
    return folder


def test_what_the_guide_backs_up_is_a_whole_service_on_another_host(tmp_path: Path, compose: Path) -> None:
    old = Host(tmp_path / "old", compose)
    clusters = [old.cluster]
    try:
        publish_style(tmp_path / "old" / "models")
        key, _ = KeyFile(tmp_path / "old" / "keys" / "keys.json").create("alice")
        old.cluster.start_queue()
        port = old.cluster.start_api()
        jobs: list[dict[str, Any]] = [
            old.cluster.post(port, "generate", {"seeds": [n], "model": "tiny-style"}, f"key-{n}") for n in range(12)
        ]
        assert old.execute(commands("Backup")) == ["docker compose stop redis", "docker compose start redis"]
        assert {old.cluster.phase(port, job) for job in jobs} == {"QUEUED"}, "the old one goes on"
        assert {path.stat().st_mode & 0o777 for path in compose.glob("*.tar.gz")} == {0o600}
        old.cluster.close()
        for name in VOLUMES:
            shutil.rmtree(tmp_path / "old" / name)
        shutil.rmtree(compose / "secrets")

        new = Host(tmp_path / "new", compose)
        clusters.append(new.cluster)
        assert new.execute(commands("Restore"))[-1] == "docker compose up -d --wait"
        assert (compose / "secrets" / "redis_password").read_text() == "a secret"
        verify(ModelStore([tmp_path / "new" / "models"]).get("tiny-style@1"))
        assert KeyFile(tmp_path / "new" / "keys" / "keys.json").find(key) is not None
        port = new.cluster.start_api()
        new.cluster.start_worker()
        assert new.cluster.end(port, jobs) == ["COMPLETED"] * len(jobs)
        again = new.cluster.post(port, "generate", {"seeds": [3], "model": "tiny-style"}, "key-3")
        assert again["id"] == jobs[3]["id"], "the idempotency keys came along"
    finally:
        for cluster in clusters:
            cluster.close()
