"""How jobs and models look in a terminal: all of it readable at 80 columns, nothing cut."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from galaxies.cards import ModelCard
from galsynth.client.documents import JobState, ModelSummary

UNNAMED = ("value", "meaning")
"""Members of a figure that stand for themselves."""
AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def made(job: JobState) -> str:
    """What a job makes, in words: ``3 galaxies``, ``film of 200 frames`` …"""
    request = job.request
    match job.operation:
        case "interpolate":
            return f"film of {request['frames']} frames"
        case "mix":
            return f"{len(request['rows'])} × {len(request['columns'])} mixes"
        case "arithmetic":
            return f"sum of {_number(len(request['terms']), 'term')}"
        case _:
            return _number(job.progress.total, "galaxy", "galaxies")


def jobs_table(jobs: list[JobState]) -> Table:
    """A line a job."""
    table = _table("id", "operation", "format", "phase", Column("done", justify="right"), Column("age", justify="right"))
    for job in jobs:
        table.add_row(job.id, job.operation, job.format, job.phase.value, _percent(job), _age(job.created))
    return table


def job_view(job: JobState) -> Table:
    """Everything about one job but its request."""
    result, error = job.result, job.error
    waiting = f"number {job.queue_position} in the queue" if job.queue_position else ""
    return _pairs(
        {
            "id": job.id,
            "operation": job.operation,
            "makes": f"{made(job)}, as {job.format}",
            "model": job.model.reference,
            "phase": ", ".join(filter(None, [job.phase.value, waiting])),
            "done": _percent(job),
            "created": _moment(job.created),
            "started": _moment(job.started),
            "ended": _moment(job.ended),
            "kept until": _moment(job.expires),
            "result": f"{result.media_type}, {result.bytes:,} bytes" if result else "",
            "digest": result.digest if result else "",
            "score": f"{result.scores.mean:.2f} of 8 by {result.scores.scorer.reference}" if result and result.scores else "",
            "error": str(error.get("detail", "")) if error else "",
        }
    )


def models_table(models: list[ModelSummary]) -> Table:
    """A line a model version."""
    table = _table("model", "title", Column("pixels", justify="right"), "bands", Column("classes", justify="right"), "mixes")
    for model in models:
        table.add_row(
            model.reference + (" (default)" if model.default else ""),
            model.title,
            str(model.resolution),
            ", ".join(band.name for band in model.bands),
            str(len(model.classes) or "none"),
            "yes" if "mix" in model.operations else "no",
        )
    return table


def card_view(card: ModelCard) -> Table:
    """A model card for people."""
    scale = f", {card.pixel_scale_arcsec:g} arcsec each" if card.pixel_scale_arcsec else ""
    training = card.training
    seen = f"{training['images_seen']:,} images seen" if "images_seen" in training else ""
    images = f"{training['images']:,} images" if "images" in training else ""
    return _pairs(
        {
            "model": card.reference,
            "title": card.title,
            "description": card.description,
            "pixels": f"{card.resolution} × {card.resolution}{scale}",
            "bands": ", ".join(f"{band.name} [{band.unit}]" if band.unit else band.name for band in card.bands),
            "values": "display levels, not fluxes" if card.display else "fluxes",
            "classes": ", ".join(f"{each.name} ({each.count:,})" for each in card.classes) or "none",
            "operations": ", ".join(card.operations),
            "latents": f"z {card.z_dim}" + (f", w {card.w_dim} in {card.num_ws} layers" if card.has_w else ""),
            "layers": "; ".join(f"{name} {_brief(layers)}" for name, layers in card.layers.items()),
            "truncation": f"{card.truncation:g} unless a request says otherwise",
            "trained on": ", ".join(filter(None, [str(training.get("dataset", "")), images, seen])),
            "credits": str(training.get("credits", "")),
            **{f"metric {name}": _brief(value) for name, value in card.metrics.items()},
            "ONNX-torch": _brief(card.parity),
            "architecture": f"{card.architecture}, preset {card.preset}",
            "created": _moment(card.created),
            "licence": card.licence,
            "digest": card.digest,
        }
    )


def _table(*columns: str | Column) -> Table:
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    return table


def _pairs(rows: Mapping[str, str]) -> Table:
    """Name and value in two columns; what is empty is left out."""
    table = _table(Column(no_wrap=True), "")
    table.show_header = False
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, style="bold"), Text(value))
    return table


def _brief(value: Any) -> str:
    """A value of a card, numbers rounded."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case dict():
            told = [f"{'' if name in UNNAMED else name + ' '}{_brief(each)}" for name, each in value.items()]
            return ", ".join(told)
        case list():
            return " ".join(map(_brief, value)) or "none"
        case _:
            return str(value)


def _number(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _percent(job: JobState) -> str:
    return f"{100 * job.progress.done // max(1, job.progress.total)}%"


def _age(moment: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    return next((f"{seconds // unit}{name}" for unit, name in AGES if seconds >= unit), "0s")


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""
