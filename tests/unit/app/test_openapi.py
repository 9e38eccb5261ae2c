"""The OpenAPI document: the stored copy is the app's own, and it holds everything that the contract promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app import documents, examples, openapi
from app.main import create_app
from app.settings import Settings
from app.submission import parse_request
from galaxies.cards import ModelCard, Operation
from galaxies.requests import MEDIA_TYPES, OPERATIONS

STORED = Path(__file__).parents[3] / "docs" / "openapi.json"
ROUTES = {
    "/v1/generate": {"post"},
    "/v1/interpolate": {"post"},
    "/v1/mix": {"post"},
    "/v1/arithmetic": {"post"},
    "/v1/jobs": {"get"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}/events": {"get"},
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
    "/metrics": {"get"},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def test_the_stored_document_is_the_apps_own() -> None:
    assert STORED.read_text() == openapi.text(), "run `python -m app.openapi > docs/openapi.json`"


def test_a_service_that_asks_for_keys_says_so(document: dict[str, Any]) -> None:
    guarded = create_app(Settings(require_keys=True)).openapi()
    for path, item in guarded["paths"].items():
        for method, operation in item.items():
            needed = operation.get("security", [])
            assert needed == ([{"bearer": []}, {"apiKey": []}] if path.startswith("/v1/") or path == "/metrics" else [])
            assert document["paths"][path][method].get("security", []) == needed + ([{}] if needed else [])


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


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation and what to call it."""
    for path, item in document["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in item.items())


def check_example(document: dict[str, Any], schema: dict[str, Any], example: Any) -> None:
    """``example`` is as ``schema`` says, formats included."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"], "allOf": [schema]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(example)


def test_every_json_answer_has_an_example_of_its_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            for kind, media in response.get("content", {}).items():
                if kind.endswith("json"):
                    assert "example" in media, f"{name} {status} {kind}"
                    assert media["schema"], f"{name} {status} {kind}"
                    check_example(document, media["schema"], media["example"])


def test_every_parameter_has_examples_of_its_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["schema"].get("examples"), f"{name} {parameter['name']}"
            for example in parameter["schema"]["examples"]:
                check_example(document, parameter["schema"], example)


def test_everything_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{name} {parameter['name']}"
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, each in schema.get("properties", {}).items():
            assert each.get("description"), f"{name}.{field}"


def test_every_body_example_is_of_its_schema(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            for example in media["examples"].values():
                check_example(document, media["schema"], example["value"])


def test_the_examples_are_documents_that_our_own_models_take() -> None:
    for job in (examples.QUEUED, examples.COMPLETED, examples.ABORTED):
        documents.JobDocument.model_validate(job)
        parse_request(job["operation"], job["request"])
    documents.JobPage.model_validate(examples.JOB_PAGE)
    assert documents.ModelList.model_validate(examples.MODEL_LIST).models[0].name == ModelCard.model_validate(examples.CARD).name


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
