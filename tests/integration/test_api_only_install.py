"""The distribution as images install it: regular, not editable, with the ``api`` extra alone, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROBE = """
import importlib.util, json, sys
import app.main
names = ["torch", "onnxruntime", "av", "torchvision", "onnx"]
ours = {name: importlib.util.find_spec(name).origin for name in sys.argv[1:]}
print(json.dumps({"found": [n for n in names if importlib.util.find_spec(n)], "ours": ours}))
"""

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the fresh environment's Python, far from the checkout."""
    folder = tmp_path_factory.mktemp("fresh")
    source = folder / "source"
    source.mkdir()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    for name in {package.split(".")[0] for package in packages}:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, source / name)
    venv.create(folder / "venv", with_pip=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(folder / "venv" / "bin" / "python"), *arguments]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(source / "constraints.txt"), f"{source}[api]")
    shutil.rmtree(source)
    return run


def test_the_api_needs_neither_torch_nor_onnxruntime(installed: Run) -> None:
    packages = ["app", "galaxies", "galsynth", "jobstore", "models"]
    report = json.loads(installed("-c", PROBE, *packages).stdout)
    assert report["found"] == []
    assert all("site-packages" in origin and str(ROOT) not in origin for origin in report["ours"].values())


def test_bundled_models_are_installed_and_whole(installed: Run) -> None:
    listing = json.loads(installed("-m", "galsynth", "models", "list", "--json").stdout)
    assert listing["models"]
    assert "not run: ONNX Runtime is not installed" in installed("-m", "galsynth", "models", "verify").stdout


def test_the_command_is_installed(installed: Run) -> None:
    assert installed("-c", "from galsynth.cli import main; import sys; sys.argv[1:] = ['--version']; main()").stdout.startswith(
        "galsynth "
    )
