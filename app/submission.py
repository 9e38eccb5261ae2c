"""A request → the order of a job: checked against the card, every open value filled in."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request as HttpRequest

from app.body import LARGE_BYTES, parse_object
from app.callers import ANYBODY, Caller, caller_of
from app.errors import Problem
from app.negotiation import choose_format
from app.outbound import check_url
from app.recording import Accepted, Order, record_many
from app.services import Services
from app.together import each
from app.validation import body_errors, shown
from galaxies.cards import Card, ModelCard, Operation, ScorerCard
from galaxies.errors import BadInput, NotFound, Transient
from galaxies.jobs import Job, ModelRef, Phase, Result
from galaxies.requests import OPERATIONS, image_count
from galaxies.resolve import AnyRequest, check, pixel_count, resolve
from galaxies.scores import choose
from jobstore.layout import Claim, now
from jobstore.records import new_job_id

MAX_KEY = 255


@dataclass(frozen=True)
class Envelope:
    """What a request says beside its body: the caller, ``Accept``, ``Idempotency-Key``, and whether its job may stand back."""

    caller: Caller = ANYBODY
    accept: str | None = None
    key: str | None = None
    bulk: bool = False
    request_id: str = ""
    traceparent: str = ""
    callback: str | None = None

    @classmethod
    def of(cls, request: HttpRequest, **more: Any) -> Envelope:
        """What ``request`` says."""
        state = request.state
        return cls(caller_of(request), request_id=state.request_id, traceparent=state.traceparent, **more)


def order(services: Services, operation: Operation, body: bytes, envelope: Envelope) -> Order:
    """The order that the JSON request in ``body`` is; with an idempotency key it claims that.

    Raises
    ------
    Problem, BadInput, Unsupported : the request is wrong.
    """
    document = parse_object(body)
    claim, key = None, envelope.key
    if key is not None:
        if not 1 <= len(key) <= MAX_KEY:
            raise Problem(422, f"Idempotency-Key has {len(key)} characters; 1 … {MAX_KEY} are allowed")
        text = json.dumps([operation, document], sort_keys=True, separators=(",", ":"))
        claim = Claim(key, hashlib.sha256(text.encode()).hexdigest(), services.settings.idempotency_ttl_seconds)
    request = parse_request(operation, document)
    job = prepare(services, request, card_for(services, request), envelope)
    return Order(job, envelope.caller, claim, request.format is not None)


async def submit(request: HttpRequest, make: Callable[[], Order], size: int = 0) -> Accepted:
    """Accept the order that ``make`` gives, together with those of other requests.

    Where the body has a large ``size`` the order is made before, on a thread of its own: others would wait a second for it.

    Raises
    ------
    Problem, BadInput, Unsupported : the request is wrong, or a bound is passed; nothing is recorded.
    Transient, RedisError : it cannot be recorded or queued now; nothing is left behind.
    """
    if size > LARGE_BYTES:
        made: Order = await request.app.state.large_orders(make)
        make = partial(_same, made)
    accepted: Accepted = await request.app.state.orders(make)
    return accepted


def _same(made: Order) -> Order:
    return made


def submit_many(services: Services, makers: Sequence[Callable[[], Order]]) -> list[Accepted | Exception]:
    """Make orders and accept them together; each is answered in its place, with the error where it is not accepted.

    A request that is wrong, or over a bound, leaves nothing behind; nor does one that cannot be recorded or queued now.
    """
    made = _looked_for(services, each(makers))
    orders = [one for one in made if isinstance(one, Order) and (one.stored_too or one.job.phase is Phase.QUEUED)]
    recorded = dict(zip(map(id, orders), record_many(services, orders), strict=True))
    return [recorded.get(id(one), Accepted(one.job)) if isinstance(one, Order) else one for one in made]


def _looked_for(services: Services, made: Sequence[Order | Exception]) -> list[Order | Exception]:
    """``made``, with the jobs COMPLETED whose result is stored already.

    Where the store does not answer the order fails: its result could be neither stored nor read now, so it is better sent again.
    """
    found = iter(services.results.find_many([one.job.result_key for one in made if isinstance(one, Order)]))
    return [_as_stored(one, next(found)) if isinstance(one, Order) else one for one in made]


def _as_stored(asked: Order, result: Result | Transient | None) -> Order | Transient:
    if isinstance(result, Transient):
        return result
    if result is None:
        return asked
    job = asked.job
    done = {"phase": Phase.COMPLETED, "result": result, "done": job.total, "started": job.created, "ended": job.created}
    return replace(asked, job=job.model_copy(update=done))


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


def prepare(services: Services, request: AnyRequest, card: ModelCard, envelope: Envelope) -> Job:
    """The job of ``request``, which is recorded nowhere yet.

    Raises
    ------
    Problem : 406 where ``Accept`` excludes every format.
    BadInput, Unsupported : the model cannot do it, or a limit is passed.
    """
    format_ = request.format or choose_format(envelope.accept, request.formats)
    request = request.model_copy(update={"format": format_})
    check(request, card, services.settings.limits)
    scorer = _scorer(services, request, card)
    resolved = resolve(request, card, format_, lambda: secrets.randbits(32), scorer)
    created, pixels = now(), pixel_count(resolved, card)
    return Job(
        id=new_job_id(),
        operation=resolved.operation,
        request=resolved,
        model=_reference(card),
        scorer=_reference(scorer) if scorer else None,
        created=created,
        expires=created + timedelta(seconds=services.settings.job_ttl_seconds),
        total=image_count(resolved),
        owner=envelope.caller.owner,
        pixels=pixels,
        priority="bulk" if envelope.bulk or pixels > services.settings.bulk_pixels else "interactive",
        request_id=envelope.request_id,
        traceparent=envelope.traceparent,
        callback=_callback(services, envelope.callback),
    )


def _scorer(services: Services, request: AnyRequest, card: ModelCard) -> ScorerCard | None:
    """The scorer for the images of ``request``; None where no scores are wanted.

    Raises
    ------
    Unsupported : none is published that fits.
    """
    if request.score is None:
        return None
    return choose(services.catalogue.scorers(), request.score if isinstance(request.score, str) else None, card)


def _reference(card: Card) -> ModelRef:
    return ModelRef(name=card.name, version=card.version, digest=card.digest)


def _callback(services: Services, url: str | None) -> str:
    """The address to call when the job has ended; empty where none is wanted.

    Raises
    ------
    Problem : 422 where it may not be called, or the service makes no calls.
    """
    if url is None:
        return ""
    try:
        if services.webhook_secret is None:
            raise BadInput("this service makes no calls: whoever runs it sets GALSYNTH_WEBHOOK_SECRET_FILE for them")
        check_url(url, private=services.settings.webhook_private_addresses)
    except BadInput as error:
        raise Problem(422, error.message, errors=[{"pointer": "/header/X-Callback-URL", "detail": error.message}]) from None
    return url
