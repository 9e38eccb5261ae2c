"""A request → an accepted job: checked against the card, every open value filled in, recorded, queued."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError

from app.body import parse_object
from app.errors import Problem
from app.negotiation import choose_format
from app.services import Services
from app.validation import body_errors, shown
from galaxies.cards import ModelCard, Operation
from galaxies.errors import NotFound, Transient
from galaxies.jobs import Job, ModelRef, Phase
from galaxies.requests import OPERATIONS, image_count
from galaxies.resolve import AnyRequest, check, resolve
from jobstore.records import Claim, new_job_id, now

MAX_KEY = 255


@dataclass(frozen=True)
class Accepted:
    """A job that is recorded, its place in the queue (None where it does not wait), and whether the body named the format."""

    job: Job
    queue_position: int | None = None
    format_named: bool = False


def submit(services: Services, operation: Operation, body: bytes, accept: str | None, key: str | None) -> Accepted:
    """Accept the JSON request in ``body``; with an idempotency ``key`` the job that has it already, if any.

    Raises
    ------
    Problem, BadInput, Unsupported : the request is wrong; nothing is recorded.
    Transient, RedisError : it cannot be recorded or queued now; nothing is left behind.
    """
    document = parse_object(body)
    claim = None
    if key is not None:
        if not 1 <= len(key) <= MAX_KEY:
            raise Problem(422, f"Idempotency-Key has {len(key)} characters; 1 … {MAX_KEY} are allowed")
        text = json.dumps([operation, document], sort_keys=True, separators=(",", ":"))
        claim = Claim(key, hashlib.sha256(text.encode()).hexdigest(), services.settings.idempotency_ttl_seconds)
    request = parse_request(operation, document)
    card = card_for(services, request)
    accepted = record(services, prepare(services, request, card, accept), claim)
    return replace(accepted, format_named=request.format is not None)


def parse_request(operation: Operation, document: dict[str, Any]) -> AnyRequest:
    """The request model of ``operation`` from JSON values.

    Raises
    ------
    Problem : 422 with a pointer for each wrong value.
    """
    named = document.get("operation", operation)
    if named != operation:
        detail = f"operation {shown(named)} does not belong to POST /v1/{operation}; leave it out or send {operation}"
        raise Problem(422, detail, errors=[{"pointer": "/operation", "detail": detail}])
    try:
        return OPERATIONS[operation].model_validate(document)
    except ValidationError as error:
        errors = body_errors(operation, document, error.errors(include_url=False))
        first = errors[0]
        detail = f"{first['pointer']}: {first['detail']}" if first["pointer"] else first["detail"]
        raise Problem(422, detail, errors=errors) from None


def card_for(services: Services, request: AnyRequest) -> ModelCard:
    """The card of the model that ``request`` names.

    Raises
    ------
    Problem : 422 where the model is unknown, 503 where none is named and there is none.
    BadModel : the version is damaged.
    """
    try:
        return services.catalogue.get(request.model).card
    except NotFound as error:
        if request.model is None:
            raise Transient(error.message) from None
        errors = [{"pointer": "/model", "detail": error.message}]
        raise Problem(422, error.message, slug="unknown-model", errors=errors) from None  # type: ignore[arg-type]


def prepare(services: Services, request: AnyRequest, card: ModelCard, accept: str | None) -> Job:
    """The job of ``request``: COMPLETED where its result is stored already, else QUEUED. Nothing is recorded yet.

    Raises
    ------
    Problem : 406 where ``accept`` excludes every format.
    BadInput, Unsupported : the model cannot do it, or a limit is passed.
    """
    format_ = request.format or choose_format(accept, request.formats)
    request = request.model_copy(update={"format": format_})
    check(request, card, services.settings.limits)
    resolved = resolve(request, card, format_, lambda: secrets.randbits(32))
    created = now()
    job = Job(
        id=new_job_id(),
        operation=resolved.operation,
        request=resolved,
        model=ModelRef(name=card.name, version=card.version, digest=card.digest),
        created=created,
        expires=created + timedelta(seconds=services.settings.job_ttl_seconds),
        total=image_count(resolved),
    )
    result = services.results.find(job.result_key)
    if result is None:
        return job
    done = {"phase": Phase.COMPLETED, "result": result, "done": job.total, "started": created, "ended": created}
    return job.model_copy(update=done)


def record(services: Services, job: Job, claim: Claim | None = None) -> Accepted:
    """Record ``job`` and queue it where it needs rendering.

    Raises
    ------
    Problem : 422 where the idempotency key belongs to another body.
    Transient, RedisError : it cannot be recorded or queued now; its record is taken back.
    """
    _take_back(services)
    created = services.records.create(job, claim)
    if created.job_id != job.id:
        return _claimed(services, job, claim, created.job_id, created.body_digest)
    if job.phase is Phase.QUEUED:
        try:
            services.queue.send(job.id)
        except Transient:
            services.unsent.append(job)
            _take_back(services)
            raise
    return Accepted(job, created.queue_position)


def _claimed(services: Services, job: Job, claim: Claim | None, holder: str, body_digest: str) -> Accepted:
    if claim is not None and body_digest != claim.body_digest:
        raise Problem(422, "this Idempotency-Key was used with another body; take a new key", slug="idempotency-key-reused")
    held = services.records.get(holder)
    if held is None:
        return record(services, job, claim)
    return Accepted(held, services.records.queue_position(holder) if held.phase is Phase.QUEUED else None)


def _take_back(services: Services) -> None:
    """Forget jobs that were recorded but never queued; what Redis does not take now stays on the list."""
    while services.unsent:
        job = services.unsent.popleft()
        try:
            services.records.delete(job)
        except RedisError:
            services.unsent.append(job)
            return
