from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "said"), [("typer", "galsynth needs typer, which images of the API leave out: "), ("galsynth.cli", "Traceback")]
)
def test_in_an_image_of_the_api_the_command_says_where_it_is(module: str, said: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from galsynth.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
