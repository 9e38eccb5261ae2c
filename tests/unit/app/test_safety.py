"""Headers that protect, and requests that try to get out of their place: paths, headers, bodies."""

from __future__ import annotations

import gzip
import http.client
from typing import Any

import pytest
from httpx import Client

from tests.unit.app.conftest import FakeWorker
from tests.unit.app.test_operations import WAIT, problem

EVERYWHERE = [
    "/",
    "/docs",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/models",
    "/v1/jobs",
    "/v1/jobs/x",
    "/nothing",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_has_the_headers_that_protect(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    (policy,) = headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]


def test_results_too(client: Client) -> None:
    answer = client.post("/v1/generate", json={"seeds": [1]}, headers=WAIT)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


PATHS = [
    "/v1/jobs/..%2f..%2fetc%2fpasswd",
    "/v1/jobs/%00",
    "/v1/jobs/a%0d%0aset-cookie:%20x=1",
    "/v1/jobs/" + "a" * 5000,
    "/v1/jobs/%ff%fe",
    "/v1/jobs/*",
    "/v1/jobs/..%2f..%2fetc/result",
    "/v1/jobs/galsynth:load/events",
    "/v1/models/..%2f..%2f..%2fetc",
    "/v1/models/%2e%2e/report",
    "/v1/models/a@..%2f..%2fetc/samples.png",
    "/v1/galaxies/..%2f..%2fetc@1/1.png",
    "/static/x/..%2f..%2fmain.py",
    "/static/x/%2e%2e/%2e%2e/settings.py",
    "/docs/..%2f..%2fapp%2fsettings.py",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_nothing_outside(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422), answer.text
    assert "root:" not in answer.text
    assert "set-cookie" not in answer.headers
    assert "import " not in answer.text


@pytest.mark.parametrize("path", ["/v1/jobs/x", "/v1/nothing"])
def test_a_long_or_strange_value_is_not_echoed_at_length(client: Client, path: str) -> None:
    answer = client.get(path + "<script>alert(1)</script>" + "y" * 3000)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "<script>" not in client.get(path + "/%3Cscript%3E").headers.get("content-type", "")


HEADERS: list[tuple[str, str]] = [
    ("x-request-id", "a\tb"),
    ("x-request-id", "a" * 500),
    ("x-request-id", '"><script>'),
    ("prefer", "wait=1; x\xff"),
    ("prefer", "wait=" + "9" * 400),
    ("prefer", '"' * 4000),
    ("accept", "a/b;q=" + "9" * 1000),
    ("accept", ",".join(["*/*;q=0.1"] * 500)),
    ("idempotency-key", "\x80\xff"),
    ("idempotency-key", "a:b*c"),
    ("last-event-id", "9" * 1000),
    ("traceparent", "00-" + "z" * 500),
    ("x-forwarded-for", "127.0.0.1, 8.8.8.8"),
    ("host", "evil.example"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_a_strange_header_harms_nothing(client: Client, worker: FakeWorker, name: str, value: str) -> None:
    worker.paused = True
    raw = [(name.encode(), value.encode("latin-1")), (b"content-type", b"application/json")]
    answer = client.post("/v1/generate", content=b'{"seeds": [1]}', headers=raw)
    assert answer.status_code in (202, 200, 406, 422), answer.text
    assert "evil.example" not in answer.text + str(answer.headers)
    assert len(answer.headers["x-request-id"]) <= 128
    assert "script" not in answer.headers["x-request-id"]


def test_a_header_cannot_be_split(client: Client) -> None:
    """httpx refuses to send it, so it goes by hand."""
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80, timeout=10)
    connection.putrequest("GET", "/healthz")
    connection._output(b"x-request-id: a\rset-cookie: x=1")  # type: ignore[attr-defined]
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.getheader("set-cookie") is None
    connection.close()


def test_a_key_of_another_callers_namespace_is_just_a_key(client: Client, worker: FakeWorker) -> None:
    """Keys of Redis are made from ids and names; none of them lets a caller name another key."""
    worker.paused = True
    before = {str(name) for name in worker.client.keys("*")}
    job = client.post("/v1/generate", json={"seeds": [1]}, headers={"idempotency-key": "x galsynth:load"}).json()
    new = {str(name) for name in worker.client.keys("*")} - before
    assert {name for name in new if job["id"] not in name and not name.startswith("_kombu")} <= {
        "galaxies",
        "galsynth:load",
        "galsynth:open",
        "galsynth:waiting",
        "galsynth:jobs:",
        "galsynth:idempotency::x galsynth:load",
        *(name for name in new if name.startswith("galsynth:users:")),
    }


BODIES: list[tuple[bytes, dict[str, str], int]] = [
    (b"[" * 100_000, {}, 400),
    (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, {}, 413),
    (b'{"seeds": [' + b"1" * 5000 + b"]}", {}, 400),
    (b'{"seeds": [1e400]}', {}, 422),
    (b'{"seeds": [1], "seeds": [2]}', {}, 422),
    (b'{"seeds": ["\\ud800"]}', {}, 400),
    (b"\xff\xfe", {}, 400),
    (b"null", {}, 422),
    (b"", {}, 400),
    (gzip.compress(b'{"seeds": [1]}' + b" " * 10_000_000), {"content-encoding": "gzip"}, 415),
    (b'{"__class__": "os.system", "seeds": [1]}', {}, 422),
    (b'{"seeds": [1], "__proto__": {"x": 1}}', {}, 422),
]


@pytest.mark.parametrize(("body", "headers", "status"), BODIES, ids=range(len(BODIES)))
def test_a_strange_body_is_refused_by_its_reason(
    client: Client, worker: FakeWorker, body: bytes, headers: dict[str, str], status: int
) -> None:
    worker.paused = True
    answer = client.post("/v1/generate", content=body, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status, answer.text[:300]
    problem(answer, status)


@pytest.mark.parametrize(("fields", "told"), [(90, 20), (2000, 1)])
def test_the_answer_is_never_larger_than_needed(client: Client, fields: int, told: int) -> None:
    wrong: dict[str, Any] = {f"field-{i}": i for i in range(fields)}
    answer = client.post("/v1/generate", json={"seeds": [1], **wrong})
    assert len(problem(answer, 422)["errors"]) == told
    assert len(answer.content) < 10_000
