"""`score` in a request: which scorer is taken, what is refused, what the job says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from app.documents import JobDocument
from app.settings import Settings
from galaxies.jobs import ModelRef, ResultScores
from tests.strategies import flux_card, style_card
from tests.tiny_models import publish_tiny_scorer
from tests.unit.app.conftest import publish_card, served
from tests.unit.app.test_operations import WAIT, problem


@pytest.fixture
def root(settings: Settings) -> Path:
    publish_card(settings.models_dirs[0], flux_card(name="test-flux"))
    return settings.models_dirs[0]


@pytest.fixture
def client(settings: Settings, root: Path, worker: Any) -> Iterator[Client]:
    publish_tiny_scorer(root, style_card())
    with served(settings) as client:
        yield client


def test_a_scorer_that_does_not_fit_is_refused_with_what_is_missing(client: Client) -> None:
    found = problem(client.post("/v1/generate", json={"seeds": [1], "model": "test-flux", "score": True}), 422)
    assert found["errors"][0]["pointer"] == "/score"
    assert "no published scorer fits: model test-flux@1.0 makes fluxes of the bands F150W, F277W, F444W" in found["detail"]
    assert "tiny-scorer@1 sees the bands R, G, B" in found["detail"]
    found = problem(client.post("/v1/generate", json={"seeds": [1], "score": "other"}), 422)
    assert "scorer 'other' is unknown; there are galaxyness@1, tiny-scorer@1;" in found["detail"]
    found = problem(client.post("/v1/generate", json={"seeds": [1], "score": 3}), 422)
    assert found["errors"][0] == {"pointer": "/score", "detail": "3 is not true or false; or 3 is not a string"}


@pytest.mark.parametrize("wanted", [True, "tiny-scorer", "tiny-scorer@1"])
def test_the_scorer_is_echoed_with_its_version(client: Client, wanted: bool | str) -> None:
    for operation, body in (("generate", {"seeds": [7]}), ("arithmetic", {"terms": [{"latent": {"seed": 1}}]})):
        job = client.post(f"/v1/{operation}", json=body | {"score": wanted}).json()
        assert job["request"]["score"] == "tiny-scorer@1"
        again = client.post(f"/v1/{operation}", json=job["request"]).json()
        assert again["request"] == job["request"]


def test_score_false_is_as_none_at_all(client: Client) -> None:
    plain = client.post("/v1/generate", json={"seeds": [1]}, headers=WAIT)
    false = client.post("/v1/generate", json={"seeds": [1], "score": False}, headers=WAIT)
    assert plain.content == false.content
    job = client.get(false.headers["content-location"].removesuffix("/result")).json()
    assert "score" not in job["request"]
    assert "scores" not in job["result"], "the contract's shape where no scores are asked for"
    scored = client.post("/v1/generate", json={"seeds": [1], "score": True}, headers=WAIT)
    assert scored.content != plain.content, "another result, under a key of its own"


def test_the_job_document_says_the_scores(client: Client, worker: Any) -> None:
    ref = ModelRef(name="tiny-scorer", version="1", digest="sha256:" + "0" * 64)
    worker.scores = ResultScores(scorer=ref, mean=6.5, value=[6.0, 7.0], spread=[0.1, 0.2])
    answer = client.post("/v1/generate", json={"seeds": [1, 2], "score": True}, headers=WAIT)
    job = client.get(answer.headers["content-location"].removesuffix("/result")).json()
    JobDocument.model_validate(job)
    assert job["result"]["scores"] == {"scorer": ref.model_dump(), "mean": 6.5, "value": [6.0, 7.0], "spread": [0.1, 0.2]}
    again = client.post("/v1/generate", json=job["request"]).json()
    assert again["phase"] == "COMPLETED"
    assert again["result"]["scores"] == job["result"]["scores"], "a stored result brings its scores along"


def test_a_scorer_that_is_published_meanwhile_is_taken(client: Client, root: Path) -> None:
    publish_tiny_scorer(root, style_card(), version="2", created="2026-03-01T00:00:00Z")
    job = client.post("/v1/generate", json={"seeds": [9], "score": True}).json()
    assert job["request"]["score"] == "tiny-scorer@2"
