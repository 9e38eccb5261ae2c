"""Scores of a job's images: what the scorer says, in every result that has a place for them, and never dependent on company."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table, validate

from galaxies.jobs import MOST_SCORES, Job, ModelRef, Phase, Result
from models.scorer import OnnxScorer
from models.store import ModelStore
from models.versions import ScorerVersion, Version
from tests.strategies import generate_body, interpolate_body, resolved
from tests.tiny_models import publish_style, publish_tiny_scorer
from tests.worker_fakes import Bench, bench
from worker.watch import Running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def style(store: Path) -> Version:
    return publish_style(store)


@pytest.fixture(scope="module")
def scorer(store: Path, style: Version) -> ScorerVersion:
    return publish_tiny_scorer(store, style.card)


@pytest.fixture
def worker(store: Path, style: Version, scorer: ScorerVersion, tmp_path: Path) -> Iterator[Bench]:
    with bench(store, tmp_path / "results") as running:
        yield running


def scored(worker: Bench, style: Version, scorer: ScorerVersion, body: dict[str, Any], ref: ModelRef | None = None) -> Job:
    """The ended job of ``body`` with scores of ``scorer``, or of the one that ``ref`` names."""
    card = scorer.card
    ref = ref or ModelRef(name=card.name, version=card.version, digest=card.digest)
    return worker.run(style.card, body, request=resolved(style.card, body | {"score": True}, card), scorer=ref)


def content(worker: Bench, job: Job) -> bytes:
    assert job.phase is Phase.COMPLETED, job.failure
    return worker.results.read(job.result_key)


def test_scores_are_what_the_scorer_says_in_every_format(worker: Bench, style: Version, scorer: ScorerVersion) -> None:
    seeds = list(range(11))
    job = scored(worker, style, scorer, generate_body(seeds, "npz"))
    with np.load(io.BytesIO(content(worker, job)), allow_pickle=False) as arrays:
        value, spread = arrays["score"], arrays["score_spread"]
        signed = (arrays["images"] / 127.5 - 1).astype(np.float32)
    expected = OnnxScorer(scorer).scores(signed, style.card)
    np.testing.assert_allclose(value, expected.value, atol=1e-4)
    np.testing.assert_allclose(spread, expected.spread, atol=1e-4)
    assert np.ptp(value) > 0
    assert job.done == 11
    assert job.result is not None
    assert job.result.scores is not None
    np.testing.assert_allclose(job.result.scores.value, value, atol=6e-4)
    np.testing.assert_allclose(job.result.scores.spread, spread, atol=6e-4)
    assert job.result.scores.mean == pytest.approx(value.mean(), abs=6e-4)
    assert job.result.scores.scorer.reference == "tiny-scorer@1"
    table = io.BytesIO(content(worker, scored(worker, style, scorer, generate_body(seeds, "zip"))))
    with zipfile.ZipFile(table) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode())))
        votable = parse_single_table(io.BytesIO(archive.read("catalogue.vot")))
        assert json.loads(archive.read("request.json"))["request"]["score"] == "tiny-scorer@1"
    np.testing.assert_allclose([float(row["score"]) for row in rows], value, atol=6e-5)
    np.testing.assert_allclose([float(row["score_spread"]) for row in rows], spread, atol=6e-5)
    np.testing.assert_allclose(votable.array["score"], value, atol=6e-5)
    with fits.open(io.BytesIO(content(worker, scored(worker, style, scorer, generate_body(seeds, "fits"))))) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus["LATENTS"].data["SCORE"], value)
        np.testing.assert_array_equal(hdus["LATENTS"].data["SCORE_SD"], spread)
        assert hdus[0].header["SCORER"] == "tiny-scorer@1"
        assert hdus[0].header["SCORE"] == pytest.approx(value.mean())


def test_files_with_scores_are_as_their_standards_want_them(
    worker: Bench, style: Version, scorer: ScorerVersion, tmp_path: Path, fitsverify: str
) -> None:
    path = tmp_path / "scored.fits"
    path.write_bytes(content(worker, scored(worker, style, scorer, generate_body([1, 2, 3], "fits"))))
    report = subprocess.run([fitsverify, str(path)], capture_output=True, text=True, check=False)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout
    with zipfile.ZipFile(io.BytesIO(content(worker, scored(worker, style, scorer, generate_body([1, 2, 3], "zip"))))) as archive:
        catalogue = archive.extract("catalogue.vot", tmp_path)
    told = io.StringIO()
    assert validate(catalogue, told, xmllint=False), told.getvalue()


def test_a_score_does_not_depend_on_its_batch(worker: Bench, style: Version, scorer: ScorerVersion) -> None:
    def values(seeds: list[int]) -> list[float]:
        job = scored(worker, style, scorer, generate_body(seeds, "npz"))
        with np.load(io.BytesIO(content(worker, job)), allow_pickle=False) as arrays:
            found: list[float] = arrays["score"].tolist()
        return found

    together = values([1, 2, 3, 4, 5, 6])
    assert together == [values([seed])[0] for seed in (1, 2, 3, 4, 5, 6)]


def test_films_have_scores_too_and_the_job_names_the_first_ones(worker: Bench, style: Version, scorer: ScorerVersion) -> None:
    job = scored(worker, style, scorer, interpolate_body(MOST_SCORES + 20))
    assert content(worker, job)
    assert job.result is not None
    assert job.result.scores is not None
    assert len(job.result.scores.value) == len(job.result.scores.spread) == MOST_SCORES
    assert worker.results.find(job.result_key) == job.result, "a stored result brings its scores along"


def test_a_result_with_scores_is_another_result(worker: Bench, style: Version, scorer: ScorerVersion) -> None:
    with_scores = scored(worker, style, scorer, generate_body([1]))
    without = worker.run(style.card, generate_body([1]))
    assert with_scores.result_key != without.result_key
    assert without.result is not None
    assert without.result.scores is None
    other = with_scores.model_copy(update={"scorer": ModelRef(name="tiny-scorer", version="1", digest="sha256:" + "0" * 64)})
    assert other.result_key != with_scores.result_key


@pytest.mark.parametrize(
    ("name", "message"), [("gone", "scorer 'gone@1' is unknown"), ("tiny-scorer", "not the one that this job was accepted with")]
)
def test_a_worker_without_that_scorer_says_so(
    worker: Bench, style: Version, scorer: ScorerVersion, name: str, message: str
) -> None:
    wanted = ModelRef(name=name, version="1", digest="sha256:" + "0" * 64)
    job = scored(worker, style, scorer, generate_body([1]), wanted)
    assert job.phase is Phase.ERROR
    assert job.failure is not None
    assert message in job.failure.message
    assert job.failure.kind == "model"


def test_scorers_are_loaded_once_and_few_are_kept(store: Path, style: Version, worker: Bench) -> None:
    scorers = worker.renderer.scorers
    versions = [publish_tiny_scorer(store, style.card, name=f"kept-{k}").card for k in range(3)]
    refs = [ModelRef(name=card.name, version=card.version, digest=card.digest) for card in versions]
    first = scorers.get(refs[0])
    assert scorers.get(refs[0]) is first
    for ref in refs[1:]:
        scorers.get(ref)
    assert scorers.get(refs[0]) is not first, "the one longest unused has made room"
    assert ModelStore([store]).versions()[1] == []


def test_cancelling_while_images_are_judged_stops_both() -> None:
    class Ticket:
        done, cancelled = 3, False

        def cancel(self) -> None:
            self.cancelled = True

    images, judging = Ticket(), Ticket()
    running = Running("job", ticket=images, judging=judging, shows=True)  # type: ignore[arg-type]
    assert running.progress == 3
    running.cancel()
    assert images.cancelled
    assert judging.cancelled


def test_the_description_of_the_longest_scores_fits_behind_a_result(
    worker: Bench, style: Version, scorer: ScorerVersion, tmp_path: Path
) -> None:
    long = ModelRef(name="n" * 64, version="1" * 32, digest="sha256:" + "f" * 64)
    scores = {"scorer": long, "mean": 7.123, "value": [7.123] * MOST_SCORES, "spread": [0.123] * MOST_SCORES}
    told = {"key": "", "format": "npz", "media_type": "application/x-npz", "bytes": 0, "digest": "", "images": 10_000}
    (tmp_path / "bytes").write_bytes(b"bytes")
    stored = worker.results.put("a" * 64, tmp_path / "bytes", Result.model_validate(told | {"scores": scores}))
    assert worker.results.find("a" * 64) == stored
