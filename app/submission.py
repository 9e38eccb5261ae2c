"""A request → an accepted job: checked against the card, every open value filled in, recorded, queued."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError
from starlette.requests import Request as HttpRequest

from app.body import parse_object
from app.callers import ANYBODY, Caller, caller_of
from app.errors import Problem
from app.negotiation import choose_format
from app.outbound import check_url
from app.queue import messages
from app.services import Services
from app.together import each
from app.validation import body_errors, shown
from galaxies.cards import Card, ModelCard, Operation, ScorerCard
from galaxies.errors import BadInput, NotFound, Transient
from galaxies.jobs import Job, ModelRef, Phase
from galaxies.requests import OPERATIONS, image_count
from galaxies.resolve import AnyRequest, check, pixel_count, resolve
from galaxies.scores import choose
from jobstore.records import Claim, Created, Place, Refused, new_job_id, now

MAX_KEY = 255
JOBS_RETRY_SECONDS = 5


@dataclass(frozen=True)
class Accepted:
    """A job that is recorded, its place in the queue (None where it does not wait), and whether the body named the format."""

    job: Job
    place: Place | None = None
    format_named: bool = False


@dataclass(frozen=True)
class Envelope:
    """What a request says beside its body: the caller, ``Accept``, ``Idempotency-Key``, and whether its job may stand back."""

    caller: Caller = ANYBODY
    accept: str | None = None
    key: str | None = None
    bulk: bool = False
    request_id: str = ""
    traceparent: str = ""
    callback: str = ""

    @classmethod
    def of(cls, request: HttpRequest, **more: Any) -> Envelope:
        """What ``request`` says."""
        state = request.state
        return cls(caller_of(request), request_id=state.request_id, traceparent=state.traceparent, **more)


@dataclass(frozen=True)
class Order:
    """A job to be recorded and queued. ``stored_too``: also where its result is stored already and nothing is to be done."""

    job: Job
    caller: Caller
    claim: Claim | None = None
    format_named: bool = False
    stored_too: bool = True


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


async def submit(request: HttpRequest, make: Callable[[], Order]) -> Accepted:
    """Accept the order that ``make`` gives, together with those of other requests.

    Raises
    ------
    Problem, BadInput, Unsupported : the request is wrong, or a bound is passed; nothing is recorded.
    Transient, RedisError : it cannot be recorded or queued now; nothing is left behind.
    """
    accepted: Accepted = await request.app.state.orders(make)
    return accepted


def submit_many(services: Services, makers: Sequence[Callable[[], Order]]) -> list[Accepted | Exception]:
    """Make orders and accept them together; each is answered in its place, with the error where it is not accepted.

    A request that is wrong, or over a bound, leaves nothing behind; nor does one that cannot be recorded or queued now.
    """
    made: list[Order | Exception] = each(makers)
    orders = [one for one in made if isinstance(one, Order) and (one.stored_too or one.job.phase is Phase.QUEUED)]
    recorded = dict(zip(map(id, orders), record_many(services, orders), strict=True))
    return [recorded.get(id(one), Accepted(one.job)) if isinstance(one, Order) else one for one in made]


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
    """The job of ``request``: COMPLETED where its result is stored already, else QUEUED. Nothing is recorded yet.

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
    job = Job(
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
    result = services.results.find(job.result_key)
    if result is None:
        return job
    done = {"phase": Phase.COMPLETED, "result": result, "done": job.total, "started": created, "ended": created}
    return job.model_copy(update=done)


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


def _callback(services: Services, url: str) -> str:
    """The address to call when the job has ended; empty where none is wanted.

    Raises
    ------
    Problem : 422 where it may not be called, or the service makes no calls.
    """
    if not url:
        return ""
    try:
        if services.webhook_secret is None:
            raise BadInput("this service makes no calls: whoever runs it sets GALSYNTH_WEBHOOK_SECRET_FILE for them")
        check_url(url, private=services.settings.webhook_private_addresses)
    except BadInput as error:
        raise Problem(422, error.message, errors=[{"pointer": "/header/X-Callback-URL", "detail": error.message}]) from None
    return url


def record_many(services: Services, orders: Sequence[Order]) -> list[Accepted | Exception]:
    """Record jobs and queue those that need rendering, each in a few round trips for all.

    Errors: `Problem` 422 where the idempotency key belongs to another body, 429 over a bound of the caller, 503 where the queue
    is full; `Transient` or `RedisError` where a job cannot be recorded or queued now: its record is taken back.
    """
    _take_back(services)
    if not orders:
        return []
    most = services.settings.max_queue_pixels
    try:
        created = services.records.create_many([(o.job, o.claim, o.caller.bounds(most)) for o in orders])
    except RedisError as error:
        services.unsent.extend(o.job for o in orders)
        return [error] * len(orders)
    answers = [_recorded(services, each, found) for each, found in zip(orders, created, strict=True)]
    new = [a.job for a, o in zip(answers, orders, strict=True) if isinstance(a, Accepted) and a.job is o.job]
    answers, revived = _still_stored(services, answers)
    unsent = _send(services, [*(job for job in new if job.phase is Phase.QUEUED), *revived])
    for job in new:
        if job.id not in unsent:
            services.metrics.accepted(job)
    return [unsent.get(a.job.id, a) if isinstance(a, Accepted) else a for a in answers]


def _recorded(services: Services, asked: Order, created: Created | Refused) -> Accepted | Exception:
    if isinstance(created, Refused):
        services.metrics.refused(created.why)
        return _refusal(services, asked.job, asked.caller, created)
    if created.job_id == asked.job.id:
        return Accepted(asked.job, created.place, asked.format_named)
    return _claimed(services, asked, created)


def _still_stored(services: Services, answers: list[Accepted | Exception]) -> tuple[list[Accepted | Exception], list[Job]]:
    """``answers``, and those jobs of them that were COMPLETED by a stored result which is gone: they wait for a worker again.

    Once a job is recorded nobody deletes its result any more, so one look is enough.
    """
    revived: dict[str, Job] = {}
    for answer in answers:
        job = answer.job if isinstance(answer, Accepted) else None
        if job and job.result and job.expires > now() and services.results.find(job.result.key) is None:
            revived[job.id] = services.records.revive(job)
    changed = [replace(a, job=revived[a.job.id]) if isinstance(a, Accepted) and a.job.id in revived else a for a in answers]
    return changed, list(revived.values())


def _send(services: Services, jobs: Sequence[Job]) -> dict[str, Exception]:
    """Queue ``jobs``; returns the errors of those that are not in the queue and whose records are taken back."""
    failed: dict[str, Exception] = {}
    for together in messages(jobs, 1 if services.busy or len(jobs) == 1 else services.speed.workers()):
        try:
            services.queue.send([job.id for job in together], together[0].priority)
        except Transient as error:
            services.unsent.extend(together)
            failed |= dict.fromkeys((job.id for job in together), error)
    if failed:
        _take_back(services)
    return failed


def _claimed(services: Services, asked: Order, created: Created) -> Accepted | Exception:
    """The answer to an order whose idempotency key another job has."""
    if asked.claim is not None and created.body_digest != asked.claim.body_digest:
        return Problem(422, "this Idempotency-Key was used with another body; take a new key", slug="idempotency-key-reused")
    held = services.records.get(created.job_id)
    if held is None:
        return record_many(services, [asked])[0]
    return Accepted(held, services.records.place(held.id) if held.phase is Phase.QUEUED else None, asked.format_named)


def _refusal(services: Services, job: Job, caller: Caller, refused: Refused) -> Problem:
    """What a bound that is passed is to the caller."""
    if refused.why == "queue":
        seconds = services.speed.seconds_for(refused.excess)
        detail = f"{refused.excess} pixels too many wait for the workers; try again in {seconds} s"
        return Problem(503, detail, slug="queue-full", headers={"retry-after": str(seconds)})
    if refused.why == "jobs":
        detail = f"{caller.unfinished_jobs} unended jobs are as many as this key allows; wait for one or cancel"
        return Problem(429, detail, slug="too-many-jobs", headers={"retry-after": str(JOBS_RETRY_SECONDS)})
    if job.pixels > caller.daily_pixels:
        detail = f"the request makes {job.pixels} pixels; this key allows {caller.daily_pixels} a day: ask for fewer"
        return Problem(422, detail, slug="budget-spent")
    detail, wait = f"{job.pixels} pixels are more than is left of this key's {caller.daily_pixels} a day", str(refused.excess)
    return Problem(429, f"{detail}; try again in {wait} s", slug="budget-spent", headers={"retry-after": wait})


def _take_back(services: Services) -> None:
    """Forget jobs that were recorded but never queued; what Redis does not take now stays on the list."""
    while services.unsent:
        job = services.unsent.popleft()
        try:
            services.records.delete(job)
        except RedisError:
            services.unsent.append(job)
            return
