"""``galsynth models`` where a service, or a model store, is not what it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from galaxies.errors import NotFound
from galsynth.cli import app
from galsynth.cli.outcome import status_of
from galsynth.client.blocking import Client
from galsynth.client.errors import BadAnswer

CARD: dict[str, Any] = json.loads(next((Path(__file__).parents[3] / "models" / "zoo").glob("*/*/card.json")).read_text())
SUMMARY = {**CARD, "operations": ["generate"]}


def asking(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[Result, list[str]]:
    """What comes of a command whose service answers the same to everything, and the addresses that it asked for."""
    asked: list[str] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json=answer)

    service = Client("http://s", transport=httpx.MockTransport(answered))
    monkeypatch.setattr("galsynth.cli.models.Client", lambda _: service)
    return CliRunner().invoke(app, ["models", *arguments, "--url", "http://s"], env={"COLUMNS": "200"}), asked


@pytest.mark.parametrize("answer", [{}, {"jobs": [], "next": None}, {"default": 1, "models": [{}]}])
@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["show"], ["show", "a-model"], ["show", "a-model", "--json"]]
)
def test_an_answer_that_is_no_card_or_list_is_said_to_be_none(
    answer: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = asking(monkeypatch, answer, *arguments)
    assert isinstance(done.exception, BadAnswer)
    assert "is this a galsynth service, and not an older one?" in str(done.exception)


def test_a_card_of_a_newer_service_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {**CARD, "new": 1, "bands": [{**band, "new": 1} for band in CARD["bands"]]}
    done, _ = asking(monkeypatch, newer, "show", CARD["name"])
    assert CARD["title"] in done.output
    done, _ = asking(monkeypatch, newer, "show", CARD["name"], "--json")
    assert json.loads(done.output) == newer


def test_a_list_of_a_newer_service_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {**SUMMARY, "bands": [{**band, "new": 1} for band in CARD["bands"]]}
    done, _ = asking(monkeypatch, {"default": None, "models": [newer]}, "list")
    assert CARD["title"] in done.output


def test_a_service_without_a_default_model_has_none_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    done, asked = asking(monkeypatch, {"default": None, "models": []}, "show")
    assert isinstance(done.exception, NotFound)
    assert (status_of(done.exception), asked) == (3, ["/v1/models"])


@pytest.mark.parametrize(
    ("reference", "segment"), [("m@1.0", "m@1.0"), ("../jobs", "..%2Fjobs"), ("..", "%2E%2E"), ("a?b#c", "a%3Fb%23c")]
)
def test_a_reference_is_one_segment_of_the_address(reference: str, segment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking(monkeypatch, CARD, "show", reference)[1] == [f"/v1/models/{segment}"]
