"""Jobs and models in a terminal of 80 columns: nothing is cut, and an id can be copied."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from galaxies.cards import ModelCard
from galaxies.requests import OPERATIONS
from galsynth.cli.tables import card_view, job_view, jobs_table, made, models_table
from galsynth.client.documents import JobState, ModelList, parse
from tests.strategies import style_card, z_card

ID = "0123456789abcdef" * 2
REQUESTS: dict[str, dict[str, Any]] = {
    "generate": {"seeds": [1, 2, 3]},
    "interpolate": {"frames": 2000},
    "mix": {"rows": [{"seed": 1}] * 2, "columns": [{"seed": 2}] * 3},
    "arithmetic": {"terms": [{"latent": {"seed": 1}, "weight": 1}]},
}
TOTALS = {"generate": 3, "interpolate": 2000, "mix": 11, "arithmetic": 2}
"""Galaxies to make, with the sources that a grid or a sum shows."""


def printed(table: Table) -> str:
    stream = io.StringIO()
    Console(file=stream, width=80).print(table)
    assert max(map(len, stream.getvalue().splitlines())) <= 80
    assert "…" not in stream.getvalue()
    return stream.getvalue()


def job(operation: str = "generate", format_: str = "webp", phase: str = "EXECUTING", **changes: Any) -> JobState:
    now = datetime.now(UTC)
    document = {
        "id": ID,
        "operation": operation,
        "phase": phase,
        "progress": {"done": TOTALS[operation] // 2, "total": TOTALS[operation]},
        "created": (now - timedelta(minutes=3)).isoformat(),
        "expires": (now + timedelta(days=1)).isoformat(),
        "model": {"name": "a-model-with-a-long-name", "version": "2026.1", "digest": "sha256:" + "0" * 64},
        "request": {**REQUESTS[operation], "format": format_},
    }
    return parse(JobState, document | changes)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_job_is_one_line_with_its_whole_id(operation: str) -> None:
    head, line = printed(jobs_table([job(operation, "fits")])).splitlines()
    percent = f"{100 * (TOTALS[operation] // 2) // TOTALS[operation]}%"
    assert head.split() == ["id", "operation", "format", "phase", "done", "age"]
    assert line.split() == [ID, operation, "fits", "EXECUTING", percent, "3m"]


def test_a_job_is_shown_with_all_that_is_known() -> None:
    result = {"href": "/r", "media_type": "application/zip", "bytes": 1234567, "digest": "sha256:" + "ab" * 32, "images": 3}
    shown = printed(job_view(job(phase="COMPLETED", format_="zip", result=result)))
    for text in (ID, "3 galaxies, as zip", "a-model-with-a-long-name@2026.1", "application/zip, 1,234,567 bytes", "kept until"):
        assert text in shown
    assert "started" not in shown
    failed = printed(job_view(job(phase="ERROR", error={"detail": "the worker failed", "status": 500})))
    assert "the worker failed" in failed
    assert "number 2 in the queue" in printed(job_view(job(phase="QUEUED", queue_position=2)))


def test_what_a_job_makes_is_told_without_its_sources() -> None:
    told = {operation: made(job(operation)) for operation in OPERATIONS}
    assert told == {
        "generate": "3 galaxies",
        "interpolate": "film of 2000 frames",
        "mix": "2 × 3 mixes",
        "arithmetic": "sum of 1 term",
    }


def test_every_model_is_listed_whole() -> None:
    bands = [{"name": name} for name in ("F090W", "F115W", "F150W", "F200W", "F277W", "F356W", "F444W")]
    entry = {"name": "jwst-ceers-256-long-name", "version": "2026.11", "title": "CEERS galaxies in seven bands, 256 px"}
    entry |= {"resolution": 256, "bands": bands, "classes": [], "operations": ["generate", "mix"]}  # type: ignore[dict-item]
    older = entry | {"version": "2026.9"}
    listing = parse(ModelList, {"default": entry["name"], "models": [entry, older]})
    words = printed(models_table(listing.models[:1])).split()
    assert "".join(words).count("F444W") == 1
    assert {"CEERS", "seven", "yes", "256", "none", "(default)"} <= set(words)
    assert "(default)" not in printed(models_table(listing.models[1:]))  # a request without a version takes the newest


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "models" / "zoo").glob("*/*/card.json")), ids=str)
def test_a_bundled_card_reads_as_text(path: Path) -> None:
    document = json.loads(path.read_text())
    shown = printed(card_view(ModelCard.model_validate(document)))
    flat = " ".join(shown.split())
    assert document["description"] in flat
    assert document["training"]["credits"] in flat
    for each in document["classes"]:
        assert f"{each['name']} ({each['count']:,})" in flat
    assert f"metric floor {document['metrics']['floor']['meaning']}" in flat
    assert "{" not in shown
    assert "'" not in shown


def test_cards_with_little_in_them_are_shown_too() -> None:
    for card in (style_card(), z_card()):
        assert card.reference in printed(card_view(card))
