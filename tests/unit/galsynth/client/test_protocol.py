"""The protocol without a network: flows are driven by hand, with answers made up here."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galsynth.client.documents import JobState, parse
from galsynth.client.errors import (
    BadAnswer,
    Damaged,
    JobCancelled,
    JobFailed,
    LimitReached,
    Missing,
    NotAllowed,
    Refused,
    ServiceError,
    ServiceFailed,
    Unavailable,
    Unreachable,
    error_of,
    seconds_of,
)
from galsynth.client.protocol import Protocol
from galsynth.client.retry import Retry
from galsynth.client.steps import Call, Flow, Interrupted, Pause, receive_into

CONTENT = bytes(range(256)) * 20
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
JOB: dict[str, Any] = {
    "id": "a" * 32,
    "operation": "generate",
    "phase": "COMPLETED",
    "progress": {"done": 1, "total": 1},
    "created": "2026-01-01T00:00:00Z",
    "expires": "2026-01-02T00:00:00Z",
    "model": {"name": "m", "version": "1", "digest": "sha256:0"},
    "request": {"seeds": [42], "format": "png"},
    "result": {"href": "/r", "media_type": "image/png", "bytes": len(CONTENT), "digest": DIGEST, "images": 1},
}


def protocol(**retry: Any) -> Protocol:
    return Protocol("http://s", Retry(**retry), random.Random(0))


def answer(status: int, document: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=document, headers=named, request=httpx.Request("GET", "http://s/x"))


def drive(flow: Flow[Any], *outcomes: Any) -> tuple[Any, list[Call | Pause]]:
    """The flow's value and its steps; a pause passes at once, a call gets the next outcome (an error is thrown)."""
    steps: list[Call | Pause] = []
    left: Iterator[Any] = iter(outcomes)
    step = next(flow)
    try:
        while True:
            steps.append(step)
            outcome = None if isinstance(step, Pause) else next(left)
            if isinstance(outcome, BaseException):
                step = flow.throw(outcome)
            else:
                if isinstance(step, Call) and step.sink is not None and receive_into(step.sink, outcome):
                    step.sink.write(outcome.content)
                step = flow.send(outcome)
    except StopIteration as end:
        return end.value, steps


def pauses(steps: list[Call | Pause]) -> list[float]:
    return [step.seconds for step in steps if isinstance(step, Pause)]


def job(**changes: Any) -> JobState:
    return parse(JobState, JOB | changes)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_is_waited_for_to_the_second(status: int) -> None:
    busy = answer(status, {"detail": "full"}, retry_after="7")
    found, steps = drive(protocol().submit("generate", {}), busy, busy, answer(202, JOB))
    assert found.id == JOB["id"]
    assert pauses(steps) == [7, 7]


def test_every_try_of_a_post_carries_the_same_idempotency_key() -> None:
    _, steps = drive(protocol().submit("generate", {}), httpx.ReadError("lost"), answer(503, {}), answer(202, JOB))
    keys = [step.headers["idempotency-key"] for step in steps if isinstance(step, Call)]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    _, others = drive(protocol().submit("generate", {}), answer(202, JOB))
    assert isinstance(others[0], Call)
    assert others[0].headers["idempotency-key"] != keys[0]


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_a_pause_lies_below_the_doubled_one_and_the_longest(failures: int, seed: int) -> None:
    retry = Retry(tries=100, first=0.25, longest=10)
    pause = retry.pause(failures, None, random.Random(seed))
    assert pause is not None
    assert 0 <= pause <= min(10, 0.25 * 2**failures)


def test_tries_are_counted_and_the_last_error_is_told() -> None:
    with pytest.raises(Unavailable, match="full") as caught:
        drive(protocol(tries=3).submit("generate", {}), *[answer(503, {"detail": "full"}, retry_after="1")] * 3)
    assert (caught.value.status, caught.value.retry_after) == (503, 1)


def test_a_budget_that_renews_tomorrow_is_not_waited_for() -> None:
    with pytest.raises(LimitReached) as caught:
        drive(protocol(patience=120).submit("generate", {}), answer(429, {"detail": "spent"}, retry_after="40000"))
    assert caught.value.retry_after == 40000


def test_a_damaged_model_is_no_reason_to_try_again() -> None:
    problem = {"type": "urn:galsynth:problem:damaged-model", "detail": "model m@1 is damaged"}
    with pytest.raises(Unavailable, match="damaged"):
        drive(protocol().submit("generate", {}), answer(503, problem))


def test_who_was_never_reached_is_given_up_soon_and_the_message_says_what_to_do() -> None:
    flow = Protocol("http://127.0.0.1:8000", Retry()).submit("generate", {})
    with pytest.raises(Unreachable, match="galsynth up"):
        drive(flow, httpx.ConnectError("refused"), httpx.ConnectError("refused"))


@pytest.mark.parametrize(
    ("base", "reason", "end"),
    [
        ("http://127.0.0.1:8000", "refused", "(refused); start one on this machine: galsynth up"),
        ("http://[::1]", "refused", "(refused); start one on this machine: galsynth up"),
        ("http://localhost:8000/galaxies", "refused", "(refused); start one on this machine: galsynth up"),
        ("http://galaxies.example", "no such name", "(no such name)"),
        ("http://192.0.2.1", "refused", "(refused)"),
        ("https://127.0.0.1:8000", "refused", "(refused)"),
        ("https://s:8000/x", "[SSL: WRONG_VERSION_NUMBER]", "; what answers there speaks no TLS: try http://s:8000/x"),
    ],
)
def test_the_message_says_what_to_do_where_that_can_be_known(base: str, reason: str, end: str) -> None:
    with pytest.raises(Unreachable) as caught:
        drive(Protocol(base, Retry(tries=1)).models(), httpx.ConnectError(reason))
    assert str(caught.value).startswith(f"no galsynth service answers at {base} ({reason})")
    assert str(caught.value).endswith(end)


def test_a_service_that_restarts_is_waited_for() -> None:
    begun = protocol()
    drive(begun.job("x"), answer(200, JOB))
    found, _ = drive(begun.job("x"), *[httpx.ConnectError("refused")] * 5, answer(200, JOB))
    assert found.id == JOB["id"]


def test_waiting_ends_with_the_job() -> None:
    seen: list[str] = []
    flow = protocol().wait(job(phase="QUEUED", result=None), lambda state: seen.append(state.phase.value), 30)
    found, steps = drive(flow, answer(200, JOB | {"phase": "EXECUTING", "result": None}), answer(200, JOB))
    assert found.phase.value == "COMPLETED"
    assert seen == ["QUEUED", "EXECUTING", "COMPLETED"]
    assert all(isinstance(step, Call) and step.params == {"wait": 30} for step in steps)


def calls_of(flow: Flow[Any], error: type[BaseException], *outcomes: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """What a flow sent before it failed with ``error``, as (method, path), and the notes on the error."""
    sent: list[tuple[str, str]] = []

    def noted() -> Flow[Any]:
        step = next(flow)
        while True:
            if isinstance(step, Call):
                sent.append((step.method, step.path))
            try:
                outcome = yield step
            except BaseException as thrown:
                step = flow.throw(thrown)
            else:
                step = flow.send(outcome)

    with pytest.raises(error) as caught:
        drive(noted(), *outcomes)
    return sent, getattr(caught.value, "__notes__", [])


INTERRUPTS = [KeyboardInterrupt(), asyncio.CancelledError(), RuntimeError("the caller's own")]
ORDERED, DELETED = ("POST", "/v1/generate"), ("DELETE", f"/v1/jobs/{JOB['id']}")


@pytest.mark.parametrize("why", INTERRUPTS, ids=repr)
def test_an_interrupt_while_an_order_is_sent_deletes_what_became_of_it(why: BaseException) -> None:
    sent, notes = calls_of(protocol().submit("generate", {}), type(why), why, answer(202, JOB), answer(204))
    assert (sent, notes) == ([ORDERED, ORDERED, DELETED], [])


def test_the_job_of_an_interrupted_order_is_found_by_its_key() -> None:
    flow = protocol().submit("generate", {"seeds": [1]})
    first, again = next(flow), flow.throw(KeyboardInterrupt())
    assert isinstance(first, Call)
    assert isinstance(again, Call)
    assert (again.headers, again.json) == (first.headers, first.json)


@pytest.mark.parametrize(
    ("outcomes", "known"),
    [
        ([answer(422, {"detail": "wrong"})], True),
        ([answer(202, JOB), answer(404, {})], True),
        ([answer(202, JOB), httpx.ReadError("gone")], False),
        ([answer(202, JOB), answer(503, {})], False),
        ([answer(503, {})], False),
        ([httpx.ConnectError("gone")], False),
        ([httpx.Response(200, text="<html>", request=httpx.Request("POST", "http://s"))], False),
    ],
)
def test_where_nobody_knows_what_became_of_an_order_a_note_says_so(outcomes: list[Any], known: bool) -> None:
    _, notes = calls_of(protocol().submit("generate", {}), KeyboardInterrupt, KeyboardInterrupt(), *outcomes)
    assert [("jobs list" in note) for note in notes] == ([] if known else [True])


def test_an_order_that_may_have_arrived_says_so_when_it_is_given_up() -> None:
    sent = [httpx.ReadError("lost"), httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    assert len(calls_of(protocol(tries=3).submit("generate", {}), Unreachable, *sent)[1]) == 1
    never = [httpx.ConnectError("refused")] * 2
    assert calls_of(protocol().submit("generate", {}), Unreachable, *never)[1] == []
    refused = [httpx.ReadError("lost"), answer(422, {"detail": "wrong"})]
    assert calls_of(protocol().submit("generate", {}), Refused, *refused)[1] == []


@pytest.mark.parametrize("lost", [httpx.ReadError("lost"), answer(502, {}), answer(504, {})])
@pytest.mark.parametrize("status", [404, 410])
def test_a_repeated_delete_that_finds_nothing_has_succeeded(lost: Any, status: int) -> None:
    _, steps = drive(protocol().delete("x"), lost, answer(status, {"detail": "no job"}))
    assert [step.method for step in steps if isinstance(step, Call)] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("before", [[], [httpx.ConnectError("refused")], [answer(503, {})]])
def test_a_delete_that_finds_nothing_at_first_is_an_error(before: list[Any]) -> None:
    with pytest.raises(Missing):
        drive(protocol().delete("x"), *before, answer(404, {"detail": "no job"}))


@pytest.mark.parametrize("gone", [httpx.ReadError("gone"), answer(503, {"detail": "down"}), answer(401, {"detail": "no key"})])
def test_who_loses_the_service_while_it_has_a_job_is_told_how_to_come_back_to_it(gone: Any) -> None:
    fetch = f"galsynth jobs fetch {JOB['id']} -o FILE.png --url http://s"
    with pytest.raises(ServiceError) as caught:
        drive(protocol(tries=1).wait(job(phase="QUEUED", result=None), None, 1), gone)
    assert (caught.value.job_id, caught.value.__notes__) == (JOB["id"], [f"job {JOB['id']} may go on there: `{fetch}`"])
    with pytest.raises(ServiceError) as caught:
        drive(protocol(tries=1).download(job(), io.BytesIO()), gone)
    assert caught.value.job_id == JOB["id"]
    assert caught.value.__notes__[-1] == f"the result of job {JOB['id']} is kept for a while: `{fetch}`"


def test_an_error_says_which_job_has_ended_and_not_that_it_goes_on() -> None:
    for flow in (
        protocol().wait(job(phase="ERROR", result=None), None, 1),
        protocol().wait(job(phase="ABORTED", result=None), None, 1),
        protocol().download(job(), io.BytesIO()),
    ):
        with pytest.raises(ServiceError) as caught:
            drive(flow, answer(410, {"detail": "no longer kept"}))
        assert caught.value.job_id == JOB["id"]
        assert not hasattr(caught.value, "__notes__")


def test_a_failed_job_is_its_problem_as_an_error() -> None:
    problem = {"status": 500, "detail": "the worker failed", "title": "The service failed", "type": "t"}
    with pytest.raises(JobFailed, match="the worker failed") as caught:
        drive(protocol().wait(job(phase="ERROR", result=None, error=problem), None, 1), None)
    assert (caught.value.status, caught.value.title) == (500, "The service failed")
    with pytest.raises(JobCancelled):
        drive(protocol().wait(job(phase="ABORTED", result=None), None, 1), None)


def received(*outcomes: httpx.Response | int) -> tuple[bytes, list[Call | Pause]]:
    """A download; a number: so many bytes from where it stands, then the connection breaks."""
    sink, flow = io.BytesIO(), None
    flow = protocol(tries=4).download(job(), sink)
    steps: list[Call | Pause] = []
    left = iter(outcomes)
    step = next(flow)
    try:
        while True:
            steps.append(step)
            if isinstance(step, Pause):
                step = flow.send(None)
                continue
            outcome = next(left)
            begin = int(step.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            if isinstance(outcome, int):
                sink.write(CONTENT[begin : begin + outcome])
                head = httpx.Response(200, headers={"etag": f'"{DIGEST}"'}, request=httpx.Request("GET", "http://s/x"))
                step = flow.throw(Interrupted(httpx.RemoteProtocolError("cut"), head))
            else:
                if receive_into(sink, outcome):
                    sink.write(outcome.content)
                step = flow.send(outcome)
    except StopIteration:
        return sink.getvalue(), steps


def part(begin: int) -> httpx.Response:
    headers = {"etag": f'"{DIGEST}"', "content-range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return httpx.Response(206, content=CONTENT[begin:], headers=headers, request=httpx.Request("GET", "http://s/x"))


def whole(content: bytes = CONTENT) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"etag": f'"{DIGEST}"'}, request=httpx.Request("GET", "http://s/x"))


def test_a_broken_download_goes_on_where_it_was() -> None:
    content, steps = received(1000, 500, part(1500))
    assert content == CONTENT
    calls = [step for step in steps if isinstance(step, Call)]
    assert [call.headers.get("range") for call in calls] == [None, "bytes=1000-", "bytes=1500-"]
    assert all(call.headers["if-range"] == f'"{DIGEST}"' for call in calls[1:])


def test_a_download_that_broke_off_at_its_end_is_whole() -> None:
    content, steps = received(len(CONTENT), answer(416, {"detail": "nothing is left"}))
    assert content == CONTENT
    assert [step.headers.get("range") for step in steps if isinstance(step, Call)] == [None, f"bytes={len(CONTENT)}-"]


def test_a_service_that_starts_over_is_followed() -> None:
    assert received(1000, whole())[0] == CONTENT


def test_a_part_from_elsewhere_is_refused() -> None:
    with pytest.raises(BadAnswer, match="1000"):
        received(1000, part(900))


def test_damaged_bytes_are_fetched_once_more_and_then_refused() -> None:
    assert received(whole(b"x" + CONTENT[1:]), whole())[0] == CONTENT
    with pytest.raises(Damaged):
        received(whole(b"x"), whole(b"x"))


def test_a_download_that_brings_nothing_is_given_up() -> None:
    with pytest.raises(Unreachable):
        received(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, NotAllowed),
        (404, Missing),
        (410, Missing),
        (422, Refused),
        (429, LimitReached),
        (500, ServiceFailed),
    ],
)
def test_statuses_have_classes(status: int, kind: type[ServiceError]) -> None:
    problem = {"detail": "why", "title": "What", "type": "t", "errors": [{"pointer": "/class", "detail": "unknown"}]}
    error = error_of(answer(status, problem))
    assert type(error) is kind
    assert (error.status, error.detail, error.title, error.field) == (status, "why", "What", "/class")
    assert type(error_of(httpx.Response(status, text="<html>", request=httpx.Request("GET", "http://s")))) is kind


def test_retry_after_as_a_date_and_as_nonsense() -> None:
    assert seconds_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert seconds_of("120") == 120
    assert seconds_of("soon") is None


def test_an_answer_that_is_no_job_says_where_it_differs() -> None:
    with pytest.raises(BadAnswer, match="/phase"):
        drive(protocol().job("x"), answer(200, JOB | {"phase": "DREAMING"}))
    with pytest.raises(BadAnswer, match="JSON"):
        drive(protocol().job("x"), httpx.Response(200, text="<html>", request=httpx.Request("GET", "http://s")))


@pytest.mark.parametrize(("job_id", "segment"), [("../../etc", "..%2F..%2Fetc"), ("x/../y", "x%2F..%2Fy"), ("..", "%2E%2E")])
def test_an_id_is_one_segment_of_the_address(job_id: str, segment: str) -> None:
    for flow in (protocol().job(job_id), protocol().cancel(job_id), protocol().abandon(job_id), protocol().delete(job_id)):
        (step,) = drive(flow, answer(200, JOB))[1]
        assert isinstance(step, Call)
        sent = httpx.Request(step.method, f"http://s{step.path}").url.raw_path.decode()
        assert sent.removesuffix("/cancel") == f"/v1/jobs/{segment}"
