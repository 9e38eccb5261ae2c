"""Jobs as data: request, model digest, phase, progress, result, failure."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from galaxies.cards import Operation
from galaxies.requests import Format, Request, to_wire
from galaxies.scores import Scores

RENDERER = 3
"""Raised when the same request would give other bytes than before, so that stored results are not taken for new ones."""
MOST_SCORES = 200


class Phase(StrEnum):
    """Phases of IVOA UWS 1.1."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)


Priority = Literal["interactive", "bulk"]
"""Interactive jobs are taken before bulk ones, however long those have waited."""
FailureKind = Literal["input", "model", "transient", "internal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Frozen):
    """Why a job failed, as it crosses processes. ``kind``: whose fault, and whether trying again may help (transient)."""

    kind: FailureKind
    message: str
    field: str | None = None


class ModelRef(_Frozen):
    """The model version that a job was accepted with."""

    name: str = Field(description="of the model")
    version: str = Field(description="the one that was newest, where the request named none")
    digest: str = Field(description="of its card and files")

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class ResultScores(_Frozen):
    """What ``scorer`` says of a job's images: ``mean`` of all of them; ``value`` and ``spread`` of the first `MOST_SCORES`.

    All of them are in the result's own catalogue.
    """

    scorer: ModelRef = Field(description="the version that judged")
    mean: float = Field(description="of all images, 0 to 8")
    value: list[float] = Field(description="of each image: the mean of the scorer's networks")
    spread: list[float] = Field(description="of each image: their standard deviation")

    @classmethod
    def of(cls, scores: Scores) -> Self:
        """In three decimals."""
        card = scores.scorer
        value, spread = ([round(float(x), 3) for x in each[:MOST_SCORES]] for each in (scores.value, scores.spread))
        ref = ModelRef(name=card.name, version=card.version, digest=card.digest)
        return cls(scorer=ref, mean=round(float(scores.value.mean()), 3), value=value, spread=spread)


class Result(_Frozen):
    """The bytes of a completed job: where they lie in the result store (``key``) and what they are."""

    key: str
    format: Format
    media_type: str
    bytes: int
    digest: str
    width: int | None = None
    height: int | None = None
    images: int
    scores: ResultScores | None = None


class Job(_Frozen):
    """One accepted request. ``request`` is resolved; ``total`` counts galaxies to synthesise, ``done`` those made. ``scorer``
    judges them, where that is wanted.

    ``owner`` is the caller, named as its API key, empty where the service asks for none; ``pixels`` is the work of the whole
    job; ``request_id`` names the HTTP request that it came with, for the logs, and ``traceparent`` its span where requests are
    traced. ``run`` grows with every begin, so a worker that has lost the job and does not know it yet can be told from the one
    that has it. ``callback`` is the address to call when the job has ended, if any.
    """

    id: str
    operation: Operation
    request: Request
    model: ModelRef
    scorer: ModelRef | None = None
    owner: str = ""
    pixels: int = 0
    priority: Priority = "interactive"
    request_id: str = ""
    traceparent: str = ""
    callback: str = ""
    phase: Phase = Phase.QUEUED
    created: datetime
    expires: datetime
    started: datetime | None = None
    ended: datetime | None = None
    done: int = 0
    total: int
    attempts: int = 0
    run: int = 0
    result: Result | None = None
    failure: Failure | None = None

    @property
    def result_key(self) -> str:
        """Name of the result: a digest of everything that decides its bytes."""
        scorer = [self.scorer.digest] if self.scorer else []
        decides = [RENDERER, self.model.digest, to_wire(self.request), *scorer]
        text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
