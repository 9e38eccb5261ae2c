"""A published scorer judges what a real worker has made, asked over HTTP by the client and by the command."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galsynth import Client
from models.scorer import OnnxScorer
from models.store import ModelStore
from tests.programs import Up, serving
from tests.tiny_models import publish_style, publish_tiny_scorer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_tiny_scorer(root, publish_style(root).card)
    return root


@pytest.fixture(scope="module")
def service(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with serving(tmp_path_factory.mktemp("up"), "--workers", "1", environ={"GALSYNTH_MODELS_DIRS": str(store)}) as up:
        yield up


def test_scores_reach_the_client_in_catalogue_fits_and_job(service: Up, store: Path, tmp_path: Path) -> None:
    seeds = list(range(6))
    with Client(service.url) as client:
        arrays = client.generate(seeds=seeds, model="tiny-style", score=True).result("npz").arrays()
        card = client.model("tiny-style")
        client.generate(seeds=seeds, model="tiny-style", score=True).save(tmp_path / "six.zip")
        job = client.generate(seeds=seeds, model="tiny-style", score="tiny-scorer@1").submit("fits")
        job.save(tmp_path / "six.fits")
    signed = (arrays["images"] / 127.5 - 1).astype(np.float32)
    expected = OnnxScorer(ModelStore([store]).get_scorer("tiny-scorer@1")).scores(signed, card)
    np.testing.assert_allclose(arrays["score"], expected.value, atol=1e-4)
    np.testing.assert_allclose(arrays["score_spread"], expected.spread, atol=1e-4)
    with zipfile.ZipFile(tmp_path / "six.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode())))
    np.testing.assert_allclose([float(row["score"]) for row in rows], expected.value, atol=2e-4)
    with fits.open(tmp_path / "six.fits") as hdus:
        np.testing.assert_allclose(hdus["LATENTS"].data["SCORE"], expected.value, atol=1e-4)
        assert hdus[0].header["SCORER"] == "tiny-scorer@1"
    scores = job.state.result.scores
    assert scores.scorer.reference == "tiny-scorer@1"
    np.testing.assert_allclose(scores.value, expected.value, atol=1e-3)


def test_the_command_says_the_mean_score(service: Up, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "galsynth", "generate", "1-3", "--model", "tiny-style", "--score", "-o", "three.png"]
    done = subprocess.run(
        [*command, "--url", service.url], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert " of 8 by tiny-scorer@1" in done.stderr
    assert (tmp_path / "three.png").is_file()
