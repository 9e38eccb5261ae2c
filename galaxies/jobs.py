"""Jobs as data: request, model digest, phase, progress, result, failure."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from galaxies.cards import Operation
from galaxies.requests import Format, Request, to_wire

RENDERER = 2
"""Raised when the same request would give other bytes than before, so that stored results are not taken for new ones."""


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

    name: str
    version: str
    digest: str

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


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


class Job(_Frozen):
    """One accepted request. ``request`` is resolved; ``total`` counts galaxies to synthesise, ``done`` those made.

    ``owner`` is the caller, named as its API key, empty where the service asks for none; ``pixels`` is the work of the whole
    job; ``request_id`` names the HTTP request that it came with, for the logs, and ``traceparent`` its span where requests are
    traced. ``run`` grows with every begin, so a worker that has lost the job and does not know it yet can be told from the one
    that has it. ``callback`` is the address to call when the job has ended, if any.
    """

    id: str
    operation: Operation
    request: Request
    model: ModelRef
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
        text = json.dumps([RENDERER, self.model.digest, to_wire(self.request)], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
