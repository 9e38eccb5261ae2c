"""The OpenAPI document: the stored copy is the app's own, and it holds everything that the contract promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app import openapi
from app.main import create_app
from app.settings import Settings
from app.submission import parse_request
from galaxies.cards import Operation
from galaxies.requests import MEDIA_TYPES, OPERATIONS

STORED = Path(__file__).parents[3] / "docs" / "openapi.json"
ROUTES = {
    "/v1/generate": {"post"},
    "/v1/interpolate": {"post"},
    "/v1/mix": {"post"},
    "/v1/arithmetic": {"post"},
    "/v1/jobs": {"get"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}/result": {"get"},
    "/v1/jobs/{job_id}/cancel": {"post"},
    "/v1/galaxies/{model}/{seed}.png": {"get"},
    "/v1/galaxies/{model}/{seed}.fits": {"get"},
    "/v1/models": {"get"},
    "/v1/models/{reference}": {"get"},
    "/v1/models/{reference}/report": {"get"},
    "/v1/models/{reference}/samples.png": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def test_the_stored_document_is_the_apps_own() -> None:
    assert STORED.read_text() == openapi.text(), "run `python -m app.openapi > docs/openapi.json`"


def test_every_route_of_the_contract_is_there(document: dict[str, Any]) -> None:
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES


def test_every_error_is_a_problem_document_with_an_example(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            errors = {status: r for status, r in operation["responses"].items() if status >= "400"}
            assert errors or path == "/healthz"
            for response in errors.values():
                (media_type,) = response["content"]
                assert media_type == "application/problem+json"
                assert set(response["content"][media_type]["example"]) >= {"type", "title", "status", "detail", "instance"}


def test_every_operation_has_examples_that_are_accepted(document: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        media = document["paths"][f"/v1/{operation}"]["post"]["requestBody"]["content"]["application/json"]
        assert media["examples"]
        for example in media["examples"].values():
            parse_request(operation, example["value"])


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_every_format_of_an_operation_is_documented(document: dict[str, Any], operation: Operation) -> None:
    content = document["paths"][f"/v1/{operation}"]["post"]["responses"]["200"]["content"]
    assert set(content) == {MEDIA_TYPES[name] for name in OPERATIONS[operation].formats} | {"application/json"}


def test_references_resolve(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
