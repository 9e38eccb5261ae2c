"""Galaxies by address, models, readiness, documentation."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
import redis
from httpx import Client

from app.settings import Settings
from galaxies.cards import ModelCard
from jobstore.layout import now
from jobstore.workers import WorkerBeacons, WorkerInfo
from tests.strategies import style_card
from tests.unit.app.conftest import publish_card, served
from tests.unit.app.test_operations import problem

PINNED = "/v1/galaxies/test-style@1.0/42"


@pytest.mark.parametrize("extension", ["png", "fits"])
def test_a_pinned_galaxy_may_be_kept_for_ever(client: Client, extension: str) -> None:
    answer = client.get(f"{PINNED}.{extension}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get(f"{PINNED}.{extension}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_a_bare_name_leads_to_the_pinned_address_with_its_query(client: Client) -> None:
    answer = client.get("/v1/galaxies/test-style/42.png?size=128&noise=none")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{PINNED}.png?size=128&noise=none")


def test_an_address_is_the_equal_post(client: Client) -> None:
    image = client.get(f"{PINNED}.png?truncation=0.5&noise=7&size=100&class=merger").content
    body = {"seeds": [42], "truncation": 0.5, "noise": {"seed": 7}, "size": 100, "class": "merger", "format": "png"}
    assert client.post("/v1/generate", json=body).json()["phase"] == "COMPLETED"
    assert client.post("/v1/generate", json=body, headers={"prefer": "wait=5"}).content == image


@pytest.mark.parametrize(
    ("address", "status", "pointer"),
    [
        ("/v1/galaxies/unknown/42.png", 404, "/path/model"),
        ("/v1/galaxies/test-style@9/42.png", 404, "/path/model"),
        ("/v1/models/unknown", 404, "/path/reference"),
        ("/v1/models/test-style@9/samples.png", 404, "/path/reference"),
        ("/v1/galaxies/test-style@1.0/-1.png", 422, "/path/seed"),
        ("/v1/galaxies/test-style@1.0/4294967296.png", 422, "/path/seed"),
        (f"{PINNED}.png?size=5000", 422, "/query/size"),
        (f"{PINNED}.png?noise=loud", 422, "/query/noise"),
        (f"{PINNED}.png?noise=4294967296", 422, "/query/noise"),
        (f"{PINNED}.png?truncation=nan", 422, "/query/truncation"),
        (f"{PINNED}.png?class=comet", 422, "/query/class"),
        (f"{PINNED}.png?stretch=lupton", 422, "/query/stretch"),
        (f"{PINNED}.png?colour=red", 422, "/query/colour"),
        (f"{PINNED}.jpg", 404, None),
    ],
)
def test_a_wrong_address_is_told(client: Client, address: str, status: int, pointer: str | None) -> None:
    document = problem(client.get(address), status)
    if pointer:
        assert document["errors"][0]["pointer"] == pointer
        assert pointer in document["detail"] or not document["detail"].startswith("/")


def test_a_galaxy_that_takes_too_long_is_503(settings: Settings, worker: Any) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"galaxy_wait_seconds": 0.2})) as client:
        answer = client.get(f"{PINNED}.png")
        problem(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        worker.paused = False
        assert client.get(f"{PINNED}.png", headers={"accept": "*/*"}).status_code in (200, 503)


def test_the_list_names_every_readable_version(client: Client, settings: Settings) -> None:
    root = settings.models_dirs[0]
    publish_card(root, style_card(version="1.1", created="2026-02-01T00:00:00Z"))
    (root / "test-z" / "broken").mkdir()
    (root / "test-z" / "broken" / "card.json").write_text('{"format": "galaxy-model/1"')
    answer = client.get("/v1/models").json()
    mine = [(m["name"], m["version"]) for m in answer["models"] if m["name"].startswith("test-")]
    assert mine == [("test-style", "1.1"), ("test-style", "1.0"), ("test-z", "1.0")]
    assert answer["default"] == "test-style"
    assert next(m for m in answer["models"] if m["name"] == "test-z")["operations"] == ["generate", "interpolate", "arithmetic"]
    assert client.get("/v1/models/test-style").json()["version"] == "1.1"
    problem(client.get("/v1/models/test-z@broken"), 503)
    problem(client.post("/v1/generate", json={"seeds": [1], "model": "test-z@broken"}), 503)


def test_the_card_is_the_same_document_as_on_disk(client: Client, settings: Settings) -> None:
    stored = json.loads((settings.models_dirs[0] / "test-style" / "1.0" / "card.json").read_text())
    answer = client.get("/v1/models/test-style@1.0")
    assert answer.json() == stored
    etag = answer.headers["etag"]
    for tags, status in ((etag, 304), (f'"other", W/{etag}', 304), ("*", 304), (f'"x{etag}', 200), ('"other"', 200)):
        assert client.get("/v1/models/test-style", headers={"if-none-match": tags}).status_code == status
    problem(client.get("/v1/models/none"), 404)
    problem(client.get("/v1/models/..%2f..%2fetc"), 404)


def with_files(settings: Settings, **files: tuple[str, bytes]) -> ModelCard:
    """A version with these files: role → (name, content)."""
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "role": role}
        for role, (name, content) in files.items()
    }
    card = style_card(name="told", files=entries)
    publish_card(settings.models_dirs[0], card)
    for name, content in files.values():
        (settings.models_dirs[0] / "told" / card.version / name).write_bytes(content)
    return card


def test_report_and_samples(client: Client, settings: Settings) -> None:
    with_files(settings, report_html=("r.html", b"<p>"), report_json=("r.json", b"{}"), samples=("s.png", b"png"))
    report = "/v1/models/told/report"
    assert client.get(report).headers["content-type"].startswith("text/html")
    assert client.get(report, headers={"accept": "application/json"}).json() == {}
    assert "default-src 'none'" in client.get(report).headers["content-security-policy"]
    problem(client.get(report, headers={"accept": "image/png"}), 406)
    assert client.get("/v1/models/told/samples.png").content == b"png"
    for name in ("report", "samples.png"):
        problem(client.get(f"/v1/models/test-style/{name}"), 404)


@pytest.mark.parametrize(
    ("path", "kind"), [("report", "text/html"), ("report", "application/json"), ("samples.png", "image/png")]
)
def test_a_models_file_is_sent_whole_or_not_at_all_where_its_etag_is_known(
    client: Client, settings: Settings, path: str, kind: str
) -> None:
    with_files(settings, report_html=("r.html", b"<p>"), report_json=("r.json", b"{}"), samples=("s.png", b"png"))
    address, accept = f"/v1/models/told/{path}", {"accept": kind}
    whole = client.get(address, headers=accept)
    for range_ in ("bytes=99999999-", "bytes=abc", "bytes=5-2", "items=0-5", "foo", "bytes=0-0"):
        answer = client.get(address, headers={**accept, "range": range_})
        assert (answer.status_code, answer.content) == (200, whole.content)
    known = client.get(address, headers={**accept, "if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["content-security-policy"] == whole.headers["content-security-policy"]
    assert client.get(address, headers={**accept, "if-none-match": '"other"'}).status_code == 200
    head = client.head(address, headers=accept)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole.content)))


def test_a_models_file_that_is_gone_is_a_404(client: Client, settings: Settings) -> None:
    card = with_files(settings, samples=("s.png", b"png"))
    assert client.get("/v1/models/told/samples.png").status_code == 200
    (settings.models_dirs[0] / "told" / card.version / "s.png").unlink()
    assert "missing" in problem(client.get("/v1/models/told/samples.png"), 404)["detail"]


def test_a_card_cannot_serve_files_from_elsewhere(client: Client, settings: Settings) -> None:
    with_files(settings, samples=("../../secret", b"secret"))
    assert "outside its folder" in problem(client.get("/v1/models/told/samples.png"), 503)["detail"]


def test_ready_needs_redis_results_and_a_warm_worker(client: Client, settings: Settings, worker: Any) -> None:
    beacons = WorkerBeacons(worker.client)

    def announce(*warm: str) -> None:
        info = WorkerInfo(worker_id="w", pid=1, device="cpu", providers=[], warm=list(warm), started=now())
        beacons.announce("w", info, 5)

    assert "no worker" in problem(client.get("/readyz"), 503)["checks"]["worker"]
    announce("test-z@1.0")
    assert "test-style@1.0" in problem(client.get("/readyz"), 503)["checks"]["worker"]
    announce("test-style@1.0")
    assert client.get("/readyz").json() == {"status": "ready", "checks": {"redis": "ok", "results": "ok", "worker": "ok"}}
    publish_card(settings.models_dirs[0], style_card(version="2.0", created=datetime(2100, 1, 1, tzinfo=UTC)))
    assert client.get("/readyz").status_code == 200, "until the new version is warm the old one serves"
    (settings.results_dir / "scratch").rmdir()
    assert problem(client.get("/readyz"), 503)["checks"]["results"] != "ok"


def test_without_redis_everything_that_needs_it_is_503_and_the_rest_serves(settings: Settings) -> None:
    with served(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as client:
        for method, path in (("GET", "/v1/jobs"), ("GET", "/v1/jobs/x"), ("POST", "/v1/jobs/x/cancel"), ("GET", "/readyz")):
            answer = client.request(method, path)
            problem(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
        problem(client.post("/v1/generate", json={"seeds": [1]}, headers={"prefer": "wait=5"}), 503)
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/v1/models").status_code == 200


def test_lost_connections_are_made_again(client: Client, worker: Any, settings: Settings) -> None:
    def generate(seed: int) -> int:
        return client.post("/v1/generate", json={"seeds": [seed]}, headers={"prefer": "wait=10"}).status_code

    assert generate(1) == 200
    with redis.Redis.from_url(settings.redis_url) as admin:
        mine = {str(admin.client_id())}
        others = [found["id"] for found in admin.client_list() if found["name"] != worker.NAME and found["id"] not in mine]
        assert others, "the API has no connection: nothing was tested"
        for number in others:
            admin.client_kill_filter(_id=number)
    answers = [generate(seed) for seed in range(2, 8)]
    assert answers[-3:] == [200] * 3
    assert set(answers) <= {200, 503}


def test_docs_work_without_the_outside(client: Client) -> None:
    page = client.get("/docs").text
    assert "/docs/swagger-ui-bundle.js" in page
    assert "//cdn" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert client.get(f"/docs/{name}").status_code == 200
    assert client.get("/docs/__init__.py").status_code == 404
    assert client.get("/openapi.json").json()["openapi"].startswith("3.")


def test_an_unforeseen_error_is_a_500_problem_without_its_words(client: Client) -> None:
    with mock.patch("app.routes.models._list", side_effect=ZeroDivisionError("secret")):
        document = problem(client.get("/v1/models"), 500)
    assert "secret" not in json.dumps(document)
