"""What an address says is what its route takes, said once, in plain digits; anything else is 422."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from tests.unit.app.test_openapi import ROUTES
from tests.unit.app.test_operations import problem

PINNED = "/v1/galaxies/test-style@1.0/42.png"
VALUES = {"job_id": "x", "model": "test-style@1.0", "seed": 42, "reference": "test-style"}
OPERATIONS = [(method, path) for path, methods in ROUTES.items() for method in sorted(methods)]


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in OPERATIONS if path.startswith("/v1/")])
def test_a_parameter_that_the_route_does_not_take_is_refused(client: Client, method: str, path: str) -> None:
    answer = client.request(method, path.format(**VALUES), params={"stray": "1"})
    (error,) = problem(answer, 422)["errors"]
    assert error == {"pointer": "/query/stray", "detail": 'unknown parameter "stray"; leave it out'}


def test_a_post_that_would_wait_by_its_query_makes_no_job(client: Client) -> None:
    problem(client.post("/v1/generate?wait=10", json={"seeds": [1]}), 422)
    assert client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/docs", "/openapi.json"])
def test_the_page_and_the_probes_take_any_query(client: Client, path: str) -> None:
    assert client.get(path, params={"stray": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (f"{PINNED}?size=64&size=128", "size"),
        (f"{PINNED}?size=64&noise=none&size=64", "size"),
        ("/v1/galaxies/test-style/42.png?class=merger&class=spiral", "class"),
        ("/v1/jobs?phase=QUEUED&phase=ERROR", "phase"),
        ("/v1/jobs/x?wait=0&wait=1", "wait"),
    ],
)
def test_a_parameter_given_twice_is_refused(client: Client, address: str, name: str) -> None:
    (error,) = problem(client.get(address), 422)["errors"]
    assert error == {"pointer": f"/query/{name}", "detail": f'"{name}" is given 2 times; send it once'}


@pytest.mark.parametrize("number", ["1_28", "+128", "%2B128", "%20128", "128.0", "-128", "0x80", "%D9%A1%D9%A2%D9%A8"])
@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        (PINNED + "?size={}", "/query/size"),
        ("/v1/jobs?limit={}", "/query/limit"),
        ("/v1/galaxies/test-style@1.0/{}.png", "/path/seed"),
    ],
)
def test_an_integer_of_an_address_is_decimal_digits(client: Client, address: str, pointer: str, number: str) -> None:
    (error,) = problem(client.get(address.format(number)), 422)["errors"]
    assert error["pointer"] == pointer
    assert "is not a whole number in decimal digits" in error["detail"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        *(("truncation=" + text, 200) for text in ("-0.5", "1", "00.5", "5e-1", "1E0")),
        *(("truncation=" + text, 422) for text in ("0_1", "+1", "%201", ".5", "inf", "")),
        ("size=0128", 200),
    ],
)
def test_numbers_of_an_address_are_read_as_written_in_json_or_with_leading_zeros(client: Client, query: str, status: int) -> None:
    answer: Any = client.get(f"{PINNED}?{query}")
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("noise", ["foo", "const%0A", "-1", "12345678901", ""])
def test_noise_of_an_address_is_refused_in_words(client: Client, noise: str) -> None:
    (error,) = problem(client.get(f"{PINNED}?noise={noise}"), 422)["errors"]
    assert error["pointer"] == "/query/noise"
    assert error["detail"].endswith("is not const, none or a seed of 0 … 4294967295")
