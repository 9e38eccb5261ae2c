"""The tutorial runs as it stands, with fewer repeats, and its galaxies are split as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models.store import ModelStore
from training.data.prepare import is_held_out

DOCS = Path(__file__).parents[2] / "docs"
CASES = ["real", "real, mergers repeated", "+ synthetic mergers", "+ synthetic of both"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_runs(service: str) -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "tutorial.py"), "2", "--json"],
        env=os.environ | {"GALSYNTH_URL": service},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["repeats"] == 2
    assert list(told["cases"]) == CASES
    assert told["cases"]["real, mergers repeated"]["auc"] > 0.6  # the classifier has learnt something
    assert all(0.4 < case["auc"] < 1 for case in told["cases"].values())
    assert all(case["half"] > 0 for name, case in told["cases"].items() if name != "real, mergers repeated")


def test_the_run_that_was_kept_is_of_the_model_that_is_used() -> None:
    text = (DOCS / "tutorial.py").read_text()
    model = re.search('^MODEL = "(.+)"$', text, re.MULTILINE)
    kept = re.search(r"^# `python docs/tutorial.py 5` \((\S+), .*\) printed:$", text, re.MULTILINE)
    quoted = re.search(r"\(FID ([\d.]+)\)", text)
    assert model
    assert kept
    assert quoted
    assert kept[1] == model[1]
    assert float(quoted[1]) == round(ModelStore().get(model[1]).card.metrics["fid5k_train"]["value"], 1)


def test_the_models_have_never_seen_the_tutorials_test_galaxies() -> None:
    names = zipfile.ZipFile(DOCS / "tutorial.zip").namelist()
    assert sum(name.startswith("test/merger/") for name in names) == 80
    for name in names:
        assert is_held_out(Path(name).stem, 0.1) == name.startswith("test/"), name
