"""Whoever is interrupted leaves no job running: both clients against a service made up here."""

from __future__ import annotations

import asyncio
import json
import re
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest

from galsynth.client import AsyncClient, Client, Unreachable
from galsynth.client.protocol import Observer
from galsynth.client.retry import Retry
from tests.unit.galsynth.client.test_protocol import INTERRUPTS, JOB

SENT, WAITED, CANCELLED = "POST /v1/generate", f"GET /v1/jobs/{JOB['id']}", f"POST /v1/jobs/{JOB['id']}/cancel"
RUNNING = {**JOB, "phase": "EXECUTING", "result": None}


class Service:
    """A service with one job, which never ends by itself; ``asked`` is what it was asked for, ``ordered`` the last order."""

    def __init__(self, *, interrupt: BaseException | None = None, cancel: int | Exception = 200) -> None:
        self.interrupt, self.cancel = interrupt, cancel
        self.asked: list[str] = []
        self.ordered: Any = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.asked[-1] == SENT:
            self.ordered = json.loads(request.content)
        if self.asked[-1] == WAITED and request.url.query and self.interrupt is not None:
            raise self.interrupt
        if self.asked[-1] == CANCELLED:
            if isinstance(self.cancel, Exception):
                raise self.cancel
            return httpx.Response(self.cancel, json=RUNNING)
        return httpx.Response(200, json=RUNNING)

    def client(self, *, progress: bool | Observer = False) -> Client:
        return Client("http://s", progress=progress, transport=httpx.MockTransport(self.answer), retry=Retry(tries=1))

    def waited_for(self, *, asynchronous: bool, ours: bool = True) -> None:
        """Wait for its job, sent by this client or not."""
        if not asynchronous:
            client = self.client()
            (client.generate(seeds=[1]).submit() if ours else client.job(JOB["id"])).wait()
            return

        async def answer(request: httpx.Request) -> httpx.Response:
            return self.answer(request)

        async def wait() -> None:
            async with AsyncClient("http://s", transport=httpx.MockTransport(answer), retry=Retry(tries=1)) as client:
                job = await client.generate(seeds=[1]).submit() if ours else await client.job(JOB["id"])
                await job.wait()

        asyncio.run(wait())


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("why", [each for each in INTERRUPTS if not isinstance(each, KeyboardInterrupt)], ids=repr)
def test_an_interrupt_while_waiting_cancels_the_job_that_we_sent(why: BaseException, asynchronous: bool) -> None:
    ours, others = Service(interrupt=why), Service(interrupt=why)
    with pytest.raises(type(why)):
        ours.waited_for(asynchronous=asynchronous)
    assert ours.asked == [SENT, WAITED, CANCELLED]
    assert why.__notes__.pop() == f"cancelled job {JOB['id']}"
    with pytest.raises(type(why)):
        others.waited_for(asynchronous=asynchronous, ours=False)
    assert others.asked == [WAITED, WAITED]
    assert why.__notes__.pop() == f"job {JOB['id']} goes on"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("cancel", [httpx.ReadTimeout("slow"), 503], ids=["no answer", "unavailable"])
def test_a_job_that_cannot_be_cancelled_is_named(cancel: Any, asynchronous: bool) -> None:
    service = Service(interrupt=RuntimeError("the caller's own"), cancel=cancel)
    with pytest.raises(RuntimeError) as caught:
        service.waited_for(asynchronous=asynchronous)
    assert service.asked == [SENT, WAITED, CANCELLED]
    assert [f"galsynth jobs cancel {JOB['id']}" in note for note in caught.value.__notes__] == [True]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_of_the_service_cancels_nothing(asynchronous: bool) -> None:
    service = Service(interrupt=httpx.ConnectError("gone"))
    with pytest.raises(Unreachable) as caught:
        service.waited_for(asynchronous=asynchronous)
    assert service.asked == [SENT, WAITED]
    assert caught.value.job_id == JOB["id"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_nobody_who_cannot_reach_the_service_reads_the_insides_of_http(asynchronous: bool) -> None:
    with pytest.raises(Unreachable) as caught:
        Service(interrupt=httpx.ConnectError("gone")).waited_for(asynchronous=asynchronous)
    assert "".join(traceback.format_exception(caught.value)).count("Traceback (most recent call last)") == 1


@pytest.mark.parametrize("path", [".", "folder", "missing/x.png", "file/x.png", 250 * "x" + ".png"])
def test_a_file_that_cannot_be_written_is_named_as_given_and_its_job_cancelled(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    service = Service()
    with pytest.raises(OSError, match=f": {re.escape(repr(path))}\n") as caught:
        service.client().generate(seeds=[1]).save(path)
    assert caught.value.filename == path
    assert service.asked == [SENT, CANCELLED]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_before_the_first_poll_cancels_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    job = service.client().generate(seeds=[1]).submit()
    monkeypatch.setattr("galsynth.client.blocking.watching", interrupted)  # the bar is being drawn
    with pytest.raises(KeyboardInterrupt):
        job.result()
    assert service.asked == [SENT, CANCELLED]


def test_blocks_within_one_another_cancel_once() -> None:
    service = Service(interrupt=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), service.client().generate(seeds=[1]).submit() as job:
        job.result()
    assert service.asked == [SENT, WAITED, CANCELLED]


def test_a_block_that_is_left_in_peace_cancels_nothing() -> None:
    service = Service()
    with service.client().generate(seeds=[1]).submit():
        pass
    assert service.asked == [SENT]
