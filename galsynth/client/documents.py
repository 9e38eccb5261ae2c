"""What the service answers, as frozen data. Members that a newer service adds are passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from galaxies.cards import Band, GalaxyClass
from galaxies.jobs import ModelRef, Phase
from galsynth.client.errors import BadAnswer

Document = TypeVar("Document", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Progress(_Answer):
    """Galaxies made, and to be made."""

    done: int
    total: int


class Scores(_Answer):
    """What ``scorer`` says of a job's images, 0 to 8: ``mean`` of all, ``value`` and ``spread`` of the first 200."""

    scorer: ModelRef
    mean: float
    value: list[float]
    spread: list[float]


class ResultState(_Answer):
    """The result of a completed job; ``scores`` where they were asked for."""

    href: str
    media_type: str
    bytes: int
    digest: str
    width: int | None = None
    height: int | None = None
    images: int
    scores: Scores | None = None


class JobState(_Answer):
    """A job as it was when the service was last asked. ``request`` has every value filled in."""

    id: str
    operation: str
    phase: Phase
    progress: Progress
    queue_position: int | None = None
    eta_seconds: float | None = None
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    expires: datetime
    model: ModelRef
    request: dict[str, Any]
    result: ResultState | None = None
    error: dict[str, Any] | None = None

    @property
    def format(self) -> str:
        """``png``, ``fits`` …"""
        return str(self.request.get("format", ""))


class JobPage(_Answer):
    """One page of jobs."""

    jobs: list[JobState]
    next: str | None = None

    @property
    def next_query(self) -> dict[str, str | int]:
        """The query of the next page; empty at the end."""
        return dict(httpx.URL(self.next or "").params.items())


class ModelSummary(_Answer):
    """One model version of the list; ``default``: requests that name no model take this one."""

    name: str
    version: str
    title: str
    resolution: int
    bands: list[Band]
    classes: list[GalaxyClass]
    operations: list[str]
    default: bool = False

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class ModelList(_Answer):
    """Every readable version, newest first within a name; the newest of the default model is marked."""

    default: str | None
    models: list[ModelSummary]

    @field_validator("models")
    @classmethod
    def _mark_default(cls, models: list[ModelSummary], info: ValidationInfo) -> list[ModelSummary]:
        newest = next((model for model in models if model.name == info.data.get("default")), None)
        return [model.model_copy(update={"default": model is newest}) for model in models]


def job_query(**filters: str | None) -> dict[str, str | int]:
    """The query of the first page of the jobs that pass ``filters``."""
    return {"limit": 100} | {name: value for name, value in filters.items() if value}


def parse(kind: type[Document], document: Any) -> Document:
    """``document`` as ``kind``; unknown members are passed over at every depth, those of cards too.

    Raises
    ------
    BadAnswer : it has another shape.
    """
    try:
        return kind.model_validate(document, extra="ignore")
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise BadAnswer(
            f"the answer is no {kind.__name__} (/{place}: {first['msg']}); is this a galsynth service, and not an older one?"
        ) from None
