"""What a client does, without doing it: generators that say what to send and are told what came back.

A `Flow` yields `Call` and `Pause` steps; whoever drives it (`galsynth.client.blocking`, `.asynchronous`) carries each out, sends
the response in or throws in what went wrong, and gets the flow's value in the end. So retries, waiting, resumed downloads and
cancelling are written once, for threads and for asyncio, and can be tested without a network.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar, cast

import httpx

from galaxies.jobs import Phase
from galsynth.client.documents import JobPage, JobState, ModelList, ModelSummary, parse
from galsynth.client.errors import (
    BadAnswer,
    Damaged,
    JobCancelled,
    JobFailed,
    Missing,
    Refused,
    ServiceError,
    error_of,
    of_problem,
    seconds_of,
    unreachable,
)
from galsynth.client.retry import AGAIN, POINTLESS, Retry
from galsynth.client.steps import Call, Flow, Interrupted, Pause, segment, tag_of

T = TypeVar("T")
Observer = Callable[[JobState], None]
"""Called with every state of a job that the client sees while it waits."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before anything has left this machine."""
LOST_BEHIND = frozenset({502, 504})
"""Statuses with which a proxy says that it lost the service's answer."""
CANCEL_SECONDS = 5.0
BLOCK_BYTES = 1 << 20
MAY_RUN = "the service may have made a job of this order all the same; `galsynth jobs list` shows it"


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
        failures, lost = 0, False
        while True:
            try:
                response = cast(httpx.Response, (yield call))
            except httpx.TransportError as error:
                failures, lost = failures + 1, lost or not isinstance(error, NEVER_SENT)
                yield from self._rest(failures, error, lost=lost)
                continue
            self.reached = True
            if not response.is_error:
                return response
            error_ = error_of(response)
            error_.lost = lost
            if response.status_code not in AGAIN or error_.type in POINTLESS:
                raise error_
            failures, lost = failures + 1, lost or response.status_code in LOST_BEHIND
            pause = self.retry.pause(failures, seconds_of(response.headers.get("retry-after")), self._rng)
            if pause is None:
                raise error_
            yield Pause(pause)

    def submit(self, operation: str, body: dict[str, Any]) -> Flow[JobState]:
        """The job that an operation's body becomes. Interrupted, it is deleted; a note on the exception says where that failed.

        Raises
        ------
        ServiceError : there is no job, or (a note says so) nobody knows.
        """
        headers = {"idempotency-key": uuid.uuid4().hex, "accept": "application/json"}
        order = Call("POST", f"/v1/{operation}", json=body, headers=headers)
        try:
            response = yield from self.call(order)
            return parse(JobState, _json(response))
        except ServiceError as error:
            if error.lost and not isinstance(error, Refused):
                error.add_note(MAY_RUN)
            raise
        except GeneratorExit:
            raise
        except BaseException as why:
            if not (yield from self._take_back(order)):
                why.add_note(MAY_RUN)
            raise

    def job(self, job_id: str, wait: float = 0) -> Flow[JobState]:
        """A job, with ``wait`` as soon as its phase changes, or after so many seconds."""
        params = {"wait": wait} if wait else {}
        response = yield from self.call(Call("GET", f"/v1/jobs/{segment(job_id)}", params=params, patience=wait))
        return parse(JobState, _json(response))

    def wait(self, job: JobState, observe: Observer | None, step: float) -> Flow[JobState]:
        """The job when it is COMPLETED. An error carries its id; where the job may go on without us, a note says how to fetch it.

        Parameters
        ----------
        step : seconds of one long poll: how often ``observe`` hears of progress at least.

        Raises
        ------
        JobFailed, JobCancelled : it ended without a result.
        """
        return (yield from self._of(job, self._ended(job, observe, step)))

    def _ended(self, job: JobState, observe: Observer | None, step: float) -> Flow[JobState]:
        while not job.phase.ended:
            if observe is not None:
                observe(job)
            job = yield from self.job(job.id, step)
        if observe is not None:
            observe(job)
        if job.phase is Phase.ERROR:
            raise of_problem(job.error or {"detail": f"job {job.id} failed"}, JobFailed)
        if job.phase is Phase.ABORTED or job.result is None:
            raise JobCancelled(f"job {job.id} was cancelled before it had a result; its request can be sent again")
        return job

    def download(self, job: JobState, sink: BinaryIO) -> Flow[None]:
        """Write the result of a COMPLETED job into ``sink``; a broken download goes on where it was. Errors are as with `wait`.

        Raises
        ------
        Damaged : the bytes do not have the digest that the service names, twice.
        Missing : the result is no longer kept.
        """
        yield from self._of(job, self._downloaded(job, sink))

    def _downloaded(self, job: JobState, sink: BinaryIO) -> Flow[None]:
        for _ in range(2):
            sink.seek(0)
            sink.truncate()
            etag = yield from self._receive(f"/v1/jobs/{segment(job.id)}/result", sink)
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
        response = yield from self.call(Call("POST", f"/v1/jobs/{segment(job_id)}/cancel"))
        return parse(JobState, _json(response))

    def abandon(self, job_id: str) -> Flow[bool]:
        """Cancel a job that nobody waits for any more, in one try and without errors; whether it is certain to end."""
        return (yield from self._once(Call("POST", f"/v1/jobs/{segment(job_id)}/cancel", limit=CANCEL_SECONDS)))

    def leave(self, job_id: str, why: BaseException, *, ours: bool) -> Flow[None]:
        """Cancel a job of ours whose caller is interrupted by ``why``; a note on it says what becomes of the job."""
        if not ours:
            why.add_note(f"job {job_id} goes on")
        elif (yield from self.abandon(job_id)):
            why.add_note(f"cancelled job {job_id}")
        else:
            why.add_note(f"job {job_id} may still run: `galsynth jobs cancel {job_id} --url {self.base}`")

    def delete(self, job_id: str) -> Flow[None]:
        """Forget a job and its result.

        Raises
        ------
        Missing : there is none; not where an earlier try may have deleted it and the answer was lost.
        """
        try:
            yield from self.call(Call("DELETE", f"/v1/jobs/{segment(job_id)}"))
        except Missing as error:
            if not error.lost:
                raise

    def models(self) -> Flow[list[ModelSummary]]:
        """Every model version."""
        response = yield from self.call(Call("GET", "/v1/models"))
        return parse(ModelList, _json(response)).models

    def document(self, path: str) -> Flow[dict[str, Any]]:
        """Whatever JSON object is at ``path``."""
        response = yield from self.call(Call("GET", path, headers={"accept": "application/json"}))
        document = _json(response)
        if not isinstance(document, dict):
            raise BadAnswer(f"{response.request.url} does not answer with a JSON object; is it a galsynth service?")
        return document

    def _of(self, job: JobState, flow: Flow[T]) -> Flow[T]:
        """``flow``, whose errors carry the id of ``job``, and where it may go on without us, how to come back to it."""
        try:
            return (yield from flow)
        except ServiceError as error:
            error.job_id = job.id
            if not isinstance(error, JobFailed | JobCancelled | Missing | Damaged):
                fetch = f"galsynth jobs fetch {job.id} -o FILE.{job.format} --url {self.base}"
                what = f"the result of job {job.id} is kept for a while" if job.phase.ended else f"job {job.id} may go on there"
                error.add_note(f"{what}: `{fetch}`")
            raise

    def _take_back(self, order: Call) -> Flow[bool]:
        """Delete the job that ``order`` may have become, found by its Idempotency-Key; whether certainly none is left."""
        try:
            response = cast(httpx.Response, (yield replace(order, limit=CANCEL_SECONDS)))
            if response.is_error:
                return isinstance(error_of(response), Refused)
            job = parse(JobState, _json(response))
        except (httpx.TransportError, BadAnswer):
            return False
        return (yield from self._once(Call("DELETE", f"/v1/jobs/{segment(job.id)}", limit=CANCEL_SECONDS)))

    def _once(self, call: Call) -> Flow[bool]:
        """Send once; whether it was done, or there was nothing to do it to."""
        try:
            response = cast(httpx.Response, (yield call))
        except httpx.TransportError:
            return False
        return not response.is_error or isinstance(error_of(response), Missing)

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
            except Refused as error:
                if error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                return etag  # it broke off at its very end; whether that is so, its digest tells
            return tag_of(response)

    def _rest(self, failures: int, error: httpx.TransportError, *, lost: bool = False) -> Flow[None]:
        """Pause after a connection that failed; who never was reached at all is given up soon.

        Raises
        ------
        Unreachable : it is time to give up; ``lost`` says whether anything was sent.
        """
        refused = isinstance(error, httpx.ConnectError) and not self.reached
        pause = None if refused and failures > 1 else self.retry.pause(failures, None, self._rng)
        if pause is None:
            raise unreachable(self.base, error, lost=lost) from None
        yield Pause(pause)


def leaves_running(job: JobState, why: BaseException) -> bool:
    """Whether ``why`` interrupts the wait for a job that then runs for nobody; an error of the service is no interrupt."""
    return not job.phase.ended and not isinstance(why, ServiceError | GeneratorExit)


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
