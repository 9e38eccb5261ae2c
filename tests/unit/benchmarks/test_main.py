from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("module", "said"), [("torch", "error: benchmarks needs torch, which is not installed; "), ("benchmarks.way", "Traceback")]
)
def test_without_its_packages_benchmarks_says_what_brings_them(module: str, said: str) -> None:
    code = f"import runpy, sys; sys.modules[{module!r}] = None; runpy.run_module('benchmarks', run_name='__main__')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
