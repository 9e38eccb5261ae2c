"""What a client does, without doing it: generators that say what to send and are told what came back.

A `Flow` yields `Call` and `Pause` steps; whoever drives it (`galsynth.client.blocking`, `.asynchronous`) carries each out, sends
the response in or throws in what went wrong, and gets the flow's value in the end. So retries, waiting, resumed downloads and
cancelling are written once, for threads and for asyncio, and can be tested without a network.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar, cast

import httpx

from galaxies.jobs import Phase
from galsynth.client.documents import JobPage, JobState, ModelList, ModelSummary, parse
from galsynth.client.errors import (
    BadAnswer,
    Damaged,
    JobCancelled,
    JobFailed,
    LimitReached,
    Unavailable,
    Unreachable,
    error_of,
    of_problem,
    seconds_of,
)

T = TypeVar("T")
Observer = Callable[[JobState], None]
"""Called with every state of a job that the client sees while it waits."""

AGAIN = frozenset({429, 502, 503, 504})
POINTLESS = frozenset({"urn:galsynth:problem:damaged-model"})
"""Problems with a status of `AGAIN` that another try does not mend."""
CANCEL_SECONDS = 5.0
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Call:
    """A request to send. With a ``sink`` the body of a 200 replaces what is in it, and that of a 206 goes to its end."""

    method: str
    path: str
    json: Any = None
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float | None = None
    """Seconds that the service may think before it answers, on top of the transport's own timeouts; None: no more."""
    sink: BinaryIO | None = None


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Flow = Generator[Call | Pause, httpx.Response | None, T]


@dataclass(frozen=True)
class Retry:
    """When to try again: connections that fail, and answers 429, 502, 503 and 504.

    Every order carries an Idempotency-Key, so another try never makes a second job. Without a ``Retry-After`` the pause before
    try n is drawn from 0 … min(longest, first · 2ⁿ) seconds (full jitter: Brooker 2015, "Exponential Backoff And Jitter").

    Attributes
    ----------
    tries : how often a request is sent at most.
    first, longest : seconds, see above.
    patience : a ``Retry-After`` beyond so many seconds is not waited for, but raised.
    """

    tries: int = 6
    first: float = 0.25
    longest: float = 10.0
    patience: float = 120.0

    def pause(self, failures: int, retry_after: float | None, rng: random.Random) -> float | None:
        """Seconds before the next try after ``failures`` of them; None: give up."""
        if failures >= self.tries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.patience else None
        return rng.uniform(0, min(self.longest, self.first * 2**failures))


class Protocol:
    """The flows of one client. ``reached`` tells whether its service has ever answered."""

    def __init__(self, base: str, retry: Retry, rng: random.Random | None = None) -> None:
        self.base, self.retry = base, retry
        self.reached = False
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, hides nothing

    def call(self, call: Call) -> Flow[httpx.Response]:
        """Send until there is an answer that is no reason to try again.

        Raises
        ------
        ServiceError : the answer is an error, or there is none.
        """
        failures = 0
        while True:
            try:
                response = cast(httpx.Response, (yield call))
            except httpx.TransportError as error:
                failures += 1
                yield from self._rest(failures, error)
                continue
            self.reached = True
            if not response.is_error:
                return response
            error_ = error_of(response)
            if response.status_code not in AGAIN or error_.type in POINTLESS:
                raise error_
            failures += 1
            pause = self.retry.pause(failures, seconds_of(response.headers.get("retry-after")), self._rng)
            if pause is None:
                raise error_
            yield Pause(pause)

    def submit(self, operation: str, body: dict[str, Any], key: str = "") -> Flow[JobState]:
        """The job that an operation's body becomes."""
        headers = {"idempotency-key": key or uuid.uuid4().hex, "accept": "application/json"}
        response = yield from self.call(Call("POST", f"/v1/{operation}", json=body, headers=headers))
        return parse(JobState, _json(response))

    def job(self, job_id: str, wait: float = 0) -> Flow[JobState]:
        """A job, with ``wait`` as soon as its phase changes, or after so many seconds."""
        params = {"wait": wait} if wait else {}
        response = yield from self.call(Call("GET", f"/v1/jobs/{job_id}", params=params, patience=wait or None))
        return parse(JobState, _json(response))

    def wait(self, job: JobState, observe: Observer | None, step: float, *, cancel: bool) -> Flow[JobState]:
        """The job when it is COMPLETED. Interrupted, it is cancelled first where ``cancel`` says so.

        Parameters
        ----------
        step : seconds of one long poll: how often ``observe`` hears of progress at least.

        Raises
        ------
        JobFailed, JobCancelled : it ended without a result.
        """
        try:
            while not job.phase.ended:
                if observe is not None:
                    observe(job)
                job = yield from self.job(job.id, step)
        except (KeyboardInterrupt, asyncio.CancelledError):
            if cancel:
                with contextlib.suppress(httpx.TransportError):
                    yield Call("POST", f"/v1/jobs/{job.id}/cancel", patience=CANCEL_SECONDS)
            raise
        if observe is not None:
            observe(job)
        if job.phase is Phase.ERROR:
            raise of_problem(job.error or {"detail": f"job {job.id} failed"}, JobFailed)
        if job.phase is Phase.ABORTED or job.result is None:
            raise JobCancelled(f"job {job.id} was cancelled before it had a result; its request can be sent again")
        return job

    def download(self, job: JobState, sink: BinaryIO) -> Flow[None]:
        """Write the result of a COMPLETED job into ``sink``; a broken download goes on where it was.

        Raises
        ------
        Damaged : the bytes do not have the digest that the service names, twice.
        Missing : the result is no longer kept.
        """
        for _ in range(2):
            sink.seek(0)
            sink.truncate()
            etag = yield from self._receive(f"/v1/jobs/{job.id}/result", sink)
            named = etag or (job.result.digest if job.result else "")
            if not named.startswith("sha256:") or named == _digest(sink):
                return
        raise Damaged(f"the result of job {job.id} does not have the digest that the service names; is something in between?")

    def jobs(self, query: Mapping[str, str | int]) -> Flow[JobPage]:
        """One page of jobs."""
        response = yield from self.call(Call("GET", "/v1/jobs", params=dict(query)))
        return parse(JobPage, _json(response))

    def cancel(self, job_id: str) -> Flow[JobState]:
        """The job after its cancelling."""
        response = yield from self.call(Call("POST", f"/v1/jobs/{job_id}/cancel"))
        return parse(JobState, _json(response))

    def delete(self, job_id: str) -> Flow[None]:
        """Forget a job and its result."""
        yield from self.call(Call("DELETE", f"/v1/jobs/{job_id}"))

    def models(self) -> Flow[list[ModelSummary]]:
        """Every model version."""
        response = yield from self.call(Call("GET", "/v1/models"))
        listing, newest = parse(ModelList, _json(response)), set[str]()
        found = []
        for model in listing.models:
            default = model.name == listing.default and model.name not in newest
            newest.add(model.name)
            found.append(model.model_copy(update={"default": default}))
        return found

    def document(self, path: str) -> Flow[dict[str, Any]]:
        """Whatever JSON object is at ``path``."""
        response = yield from self.call(Call("GET", path, headers={"accept": "application/json"}))
        document = _json(response)
        if not isinstance(document, dict):
            raise BadAnswer(f"{response.request.url} does not answer with a JSON object; is it a galsynth service?")
        return document

    def _receive(self, path: str, sink: BinaryIO) -> Flow[str]:
        """The bytes at ``path``, and the digest that their ETag names. Tries count anew whenever bytes have come."""
        etag, failures = "", 0
        while True:
            have = sink.tell()
            headers = {"accept": "*/*", "accept-encoding": "identity"}
            if have and etag:
                headers |= {"range": f"bytes={have}-", "if-range": f'"{etag}"'}
            try:
                response = yield from self.call(Call("GET", path, headers=headers, sink=sink))
            except Interrupted as broken:
                etag = broken.etag or etag
                failures = 1 if sink.tell() > have else failures + 1
                yield from self._rest(failures, broken.cause)
                continue
            return _tag(response)

    def _rest(self, failures: int, error: httpx.TransportError) -> Flow[None]:
        """Pause after a connection that failed; who never was reached at all is given up soon.

        Raises
        ------
        Unreachable : it is time to give up.
        """
        refused = isinstance(error, httpx.ConnectError) and not self.reached
        pause = None if refused and failures > 1 else self.retry.pause(failures, None, self._rng)
        if pause is None:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"no galsynth service answers at {self.base} ({reason}); start one on this machine: galsynth up")
        yield Pause(pause)


class Interrupted(Exception):
    """Thrown into a flow: the body of an answer ended too soon. What came is in the sink; ``etag`` names the whole."""

    def __init__(self, cause: httpx.TransportError, response: httpx.Response) -> None:
        super().__init__(str(cause))
        self.cause, self.etag = cause, _tag(response)


def receive_into(sink: BinaryIO, response: httpx.Response) -> bool:
    """Whether the body of ``response`` belongs into ``sink``, which then stands where the body is to go.

    Raises
    ------
    BadAnswer : a part that does not begin where the sink ends.
    """
    if response.status_code == httpx.codes.OK:
        sink.seek(0)
        sink.truncate()
        return True
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    begins = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    if begins != str(sink.tell()):
        raise BadAnswer(f"the service sends bytes from {begins or 'nobody knows where'}; from {sink.tell()} on was asked for")
    return True


def _tag(response: httpx.Response) -> str:
    return str(response.headers.get("etag", "")).removeprefix("W/").strip('"')


def _digest(sink: BinaryIO) -> str:
    digest = hashlib.sha256()
    sink.seek(0)
    while block := sink.read(BLOCK_BYTES):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        url = response.request.url
        raise BadAnswer(f"{url} does not answer with JSON; is it a galsynth service?", status=response.status_code) from None


__all__ = ["Call", "Flow", "Interrupted", "LimitReached", "Observer", "Pause", "Protocol", "Retry", "Unavailable", "receive_into"]
