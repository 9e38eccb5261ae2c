"""`docker/env.example`, which becomes `.env`, has every setting of API and workers, and what it says reaches them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import Settings
from tests.compose_file import ROOT, resolved
from worker.settings import WorkerSettings

EXAMPLE = (ROOT / "docker" / "env.example").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
FIXED = {
    *re.findall(r"(GALSYNTH_\w+)=", (ROOT / "docker" / "Dockerfile").read_text()),
    "GALSYNTH_REDIS_PASSWORD_FILE",
    "GALSYNTH_ALLOW_PUBLIC_WITHOUT_KEYS",
}
"""What is the containers' own, and no setting of a deployment."""
FIELDS = {**WorkerSettings.model_fields, **Settings.model_fields}
SETTABLE = {variable: field for name, field in FIELDS.items() if (variable := f"GALSYNTH_{name.upper()}") not in FIXED}
DEFAULTS = dict(re.findall(r"\${(\w+):-([^}]*)}", COMPOSE))
"""What the compose file takes where `.env` says nothing."""


@pytest.mark.parametrize("name", SETTABLE)
def test_every_setting_is_there_with_its_default(name: str) -> None:
    field = SETTABLE[name]
    default = "" if field.default is None else str(field.default)
    default = DEFAULTS.get(name, default.lower() if isinstance(field.default, bool) else default)
    assert f"\n# {field.description}\n#{name}={default}\n" in EXAMPLE


def test_there_is_nothing_that_nobody_reads() -> None:
    named = set(re.findall(r"^#?([A-Z]\w+)=", EXAMPLE, re.MULTILINE))
    assert {name for name in named if name.startswith("GALSYNTH_")} == set(SETTABLE)
    of_compose = {name for name in DEFAULTS if not name.startswith("GALSYNTH_")}
    assert {name for name in named if not name.startswith(("GALSYNTH_", "AWS_"))} == of_compose | {"COMPOSE_PROFILES"}


def test_defaults_of_the_deployment_are_those_of_the_compose_file() -> None:
    for name, default in DEFAULTS.items():
        assert f"\n#{name}={default}\n" in EXAMPLE, name


@pytest.mark.parametrize(("profile", "service"), [("cpu", "api"), ("cpu", "worker"), ("gpu", "worker-gpu")])
def test_what_it_says_reaches_the_containers(profile: str, service: str, tmp_path: Path) -> None:
    names = re.findall(r"^#((?:GALSYNTH|AWS)_\w+)=", EXAMPLE, re.MULTILINE)
    (tmp_path / "env").write_text("PORT=8000-8003\n" + "".join(f"{name}=own {name}\n" for name in names))
    found = resolved(profile, tmp_path / "env")[service]["environment"]
    lost = {name for name in names if found.get(name) != f"own {name}"}
    assert lost == ({"GALSYNTH_DEVICE"} if service == "worker-gpu" else set()), "a worker of the profile gpu has its own device"
    assert found.get("GALSYNTH_PORT", "8000") == "8000", "the container's, whatever is published"


def test_without_a_file_everything_has_its_default() -> None:
    found = resolved("cpu")
    for service in ("api", "worker"):
        environment = found[service]["environment"]
        assert environment["GALSYNTH_REDIS_URL"] == "redis://redis:6379/0"
        assert set(environment) <= FIXED | {"GALSYNTH_REDIS_URL", "GALSYNTH_LOG_JSON", "GALSYNTH_REQUIRE_KEYS"}
