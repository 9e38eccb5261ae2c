"""Both clients against the real application on a real server, with connections that break on purpose."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import galsynth
from app.settings import Settings
from galaxies.errors import BadInput
from galaxies.jobs import Failure
from galsynth.client import JobFailed, Missing, NotAllowed, Refused, Unreachable, WrongFormat
from galsynth.client.progress import told
from tests.unit.app.conftest import FakeWorker, served, settings, worker  # noqa: F401

pytestmark = pytest.mark.integration
PADDING = 1_500_000
"""Beyond what the service sends in one piece."""


class Breaking(httpx.HTTPTransport):
    """The network, but for faults: ``faults`` maps a method to how its first requests fail, in order."""

    def __init__(self, **faults: list[str]) -> None:
        super().__init__()
        self.faults = faults
        self.ranges: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/result"):
            self.ranges.append(request.headers.get("range"))
        fault = self.faults[request.method].pop(0) if self.faults.get(request.method) else ""
        if fault == "refused":
            raise httpx.ConnectError("refused")
        if fault == "interrupt":
            raise KeyboardInterrupt
        response = super().handle_request(request)
        if fault == "interrupt after":
            response.close()
            raise KeyboardInterrupt
        if fault == "lost":
            response.close()
            raise httpx.ReadError("lost after it was sent")
        if fault == "cut":
            return httpx.Response(response.status_code, headers=response.headers, stream=Cut(response.stream))
        return response


class Cut(httpx.SyncByteStream):
    """The first piece of a stream, then the connection breaks."""

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        assert isinstance(stream, httpx.SyncByteStream)
        self.stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.stream:
            yield piece
            raise httpx.RemoteProtocolError("cut")

    def close(self) -> None:
        self.stream.close()


@pytest.fixture
def url(settings: Settings, worker: FakeWorker) -> Iterator[str]:  # noqa: F811
    with served(settings) as client:
        yield str(client.base_url)


def test_a_result_is_the_bytes_and_the_echo(url: str) -> None:
    order = galsynth.Client(url).generate(count=3, class_="merger")
    assert len(order.request["seeds"]) == 3
    assert order.result().job.result is not None
    assert order.bytes == order.result("png").bytes
    assert order.result("fits").request["seeds"] == order.request["seeds"]
    assert order.result("fits").model.reference == "test-style@1.0"


def test_a_post_whose_answer_is_lost_makes_one_job(url: str) -> None:
    with galsynth.Client(url, transport=Breaking(POST=["refused", "lost"])) as client:
        client.generate(seeds=[42]).submit()
        assert len(list(client.jobs())) == 1


def test_a_broken_download_resumes_by_range(url: str, worker: FakeWorker, tmp_path: Path) -> None:  # noqa: F811
    worker.padding = PADDING
    transport = Breaking()
    with galsynth.Client(url, transport=transport) as client:
        job = client.generate(seeds=[42]).submit()
        job.wait()
        transport.faults = {"GET": ["cut"]}
        job.save(tmp_path / "galaxy.png")
    assert transport.ranges[0] is None
    assert str(transport.ranges[1]).startswith("bytes=")
    assert len(transport.ranges) == 2
    assert (tmp_path / "galaxy.png").stat().st_size == job.state.result.bytes > PADDING  # type: ignore[union-attr]
    assert [path.name for path in tmp_path.glob("*") if "part" in path.name] == []


def test_a_file_that_cannot_be_whole_leaves_nothing(url: str, worker: FakeWorker, tmp_path: Path) -> None:  # noqa: F811
    worker.failure = Failure(kind="internal", message="the worker failed")
    with pytest.raises(JobFailed, match="the worker failed"):
        galsynth.Client(url).generate(seeds=[1]).save(tmp_path / "galaxy.png")
    assert list(tmp_path.glob(".*.part")) == []
    assert not (tmp_path / "galaxy.png").exists()


def test_ctrl_c_cancels_the_job(url: str, worker: FakeWorker) -> None:  # noqa: F811
    worker.paused = True
    with galsynth.Client(url, transport=Breaking(GET=["interrupt"])) as client:
        order = client.generate(seeds=[42])
        with pytest.raises(KeyboardInterrupt):
            order.result()
        assert order.submit().refresh().phase.value == "ABORTED"


@pytest.mark.parametrize("fault", ["interrupt", "interrupt after"])
def test_ctrl_c_while_an_order_is_sent_leaves_no_job(url: str, worker: FakeWorker, fault: str) -> None:  # noqa: F811
    worker.paused = True
    with galsynth.Client(url, transport=Breaking(POST=[fault])) as client:
        with pytest.raises(KeyboardInterrupt):
            client.generate(seeds=[42]).submit()
        assert list(client.jobs()) == []


def test_a_delete_whose_answer_is_lost_has_deleted(url: str) -> None:
    with galsynth.Client(url, transport=Breaking(DELETE=["lost"])) as client:
        job = client.generate(seeds=[42]).submit()
        job.delete()
        with pytest.raises(Missing):
            job.delete()


def phases(url: str) -> list[str]:
    return sorted(job.state.phase.value for job in galsynth.Client(url).jobs())


def test_a_data_set_that_is_interrupted_cancels_its_jobs(url: str, worker: FakeWorker) -> None:  # noqa: F811
    worker.paused = True
    with galsynth.Client(url, transport=Breaking(GET=["", "", "interrupt"])) as client, pytest.raises(KeyboardInterrupt):
        next(iter(client.dataset(60, batch=10, ahead=3)))
    assert phases(url) == ["ABORTED"] * 4


def only_the_first(worker: FakeWorker) -> Callable[[galsynth.JobState], None]:  # noqa: F811
    """What has ``worker`` make the first batch of a data set of tens, and no other."""
    stream = io.BytesIO()
    np.savez(stream, images=np.zeros((10, 3, 8, 8), np.float32), seeds=np.arange(10), classes=np.array(["a"] * 10))
    worker.paused, worker.content = True, stream.getvalue()
    return lambda state: worker.render(state.id) if state.request["seeds"][0] == 0 else None


def test_a_data_set_that_is_closed_cancels_what_it_ordered_ahead(url: str, worker: FakeWorker) -> None:  # noqa: F811
    batches = galsynth.Client(url, progress=only_the_first(worker)).dataset(60, batch=10, ahead=2).batches()
    assert next(batches).seeds.tolist() == list(range(10))
    assert phases(url) == ["COMPLETED", "QUEUED", "QUEUED"]
    batches.close()
    assert phases(url) == ["ABORTED", "ABORTED", "COMPLETED"]


def test_a_data_set_for_asyncio_does_so_too(url: str, worker: FakeWorker) -> None:  # noqa: F811
    make, answered = only_the_first(worker), set[str]()

    def watch(state: galsynth.JobState) -> None:
        answered.add(state.id)
        make(state)

    async def use() -> None:
        async with galsynth.AsyncClient(url, progress=watch) as client:
            batches = client.dataset(60, batch=10, ahead=2)
            assert (await anext(batches)).seeds.tolist() == list(range(10))
            while len(answered) < 3:  # one whose order is not answered yet is deleted, not cancelled
                await asyncio.sleep(0.05)
            await batches.aclose()

    asyncio.run(use())
    assert phases(url) == ["ABORTED", "ABORTED", "COMPLETED"]


def test_a_job_is_resumed_by_its_id(url: str) -> None:
    first = galsynth.Client(url).generate(seeds=[42]).submit()
    again = galsynth.Client(url).job(first.id)
    assert again.result().bytes == first.result().bytes
    again.delete()
    with pytest.raises(Missing):
        first.refresh()


def test_jobs_are_listed_over_pages(url: str) -> None:
    client = galsynth.Client(url)
    sent = [client.generate(seeds=[seed]).submit().id for seed in range(105)]
    assert [job.id for job in client.jobs()] == sent[::-1]
    assert list(client.jobs(operation="mix")) == []


def test_a_wrong_value_is_named_by_its_pointer(url: str) -> None:
    with pytest.raises(Refused, match="quasar") as caught:
        galsynth.Client(url).generate(seeds=[42], class_="quasar").image()
    assert caught.value.errors[0]["pointer"] == "/class"


def test_formats_are_checked_before_anything_is_sent(url: str, tmp_path: Path) -> None:
    client = galsynth.Client(url)
    with pytest.raises(WrongFormat, match="\\.png, \\.fits, \\.zip, \\.npz"):
        client.generate(seeds=[42]).save(tmp_path / "galaxy.gif")
    with pytest.raises(WrongFormat, match="fits"):
        client.generate(seeds=[42]).result("png").fits()
    with pytest.raises(WrongFormat, match="png"):
        client.generate(seeds=[42]).result("png").save(tmp_path / "galaxy.fits")


def test_models_and_their_card(url: str) -> None:
    client = galsynth.Client(url)
    assert [model.reference for model in client.models() if model.default] == ["test-style@1.0"]
    assert client.model("test-style").reference == "test-style@1.0"
    with pytest.raises(Missing, match="no-such-model"):
        client.model("no-such-model")


def test_a_key_is_asked_for_by_name(settings: Settings, worker: FakeWorker) -> None:  # noqa: F811
    with served(settings.model_copy(update={"require_keys": True})) as served_, pytest.raises(NotAllowed):
        galsynth.Client(str(served_.base_url), "wrong").generate(seeds=[1]).submit()


def test_where_nobody_answers_the_message_says_what_to_start() -> None:
    with pytest.raises(Unreachable, match="galsynth up"):
        galsynth.Client("http://127.0.0.1:1").models()
    with pytest.raises(BadInput, match="address"):
        galsynth.Client("127.0.0.1:8000")


def test_progress_is_told_and_drawn(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[galsynth.JobState] = []
    galsynth.Client(url, progress=seen.append).generate(seeds=[42]).result()
    assert told(seen[-1]) == "generate: completed"
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then draws as on a terminal
    galsynth.Client(url, progress=True).generate(seeds=[43]).result()
    assert "generate" in capsys.readouterr().err


def test_the_asynchronous_client_does_the_same(url: str, tmp_path: Path) -> None:
    async def use() -> list[bytes]:
        async with galsynth.AsyncClient(url) as client:
            order = client.generate(seeds=[42])
            path = await order.save(tmp_path / "galaxy.zip")
            results = await asyncio.gather(*(client.generate(seeds=[seed]).result() for seed in (42, 43)))
            assert (await order.submit("zip")).id in [job.id async for job in client.jobs()]
            return [path.read_bytes(), *(result.bytes for result in results)]

    plain = galsynth.Client(url)
    expected = [plain.generate(seeds=[42]).result("zip").bytes, *(plain.generate(seeds=[s]).bytes for s in (42, 43))]
    assert asyncio.run(use()) == expected


def test_a_cancelled_task_cancels_its_job(url: str, worker: FakeWorker) -> None:  # noqa: F811
    worker.paused = True

    async def use() -> str:
        async with galsynth.AsyncClient(url) as client:
            order = client.generate(seeds=[42])
            job = await order.submit()
            task = asyncio.create_task(job.result())
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await job.refresh()).phase.value

    assert asyncio.run(use()) == "ABORTED"


def test_a_task_cancelled_while_it_sends_leaves_no_job(url: str, worker: FakeWorker) -> None:  # noqa: F811
    worker.paused = True

    class Slow(httpx.AsyncHTTPTransport):
        """Every answer to a POST comes a moment late, so that the task is cancelled before it knows its job."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            await asyncio.sleep(0.3 if request.method == "POST" else 0)
            return response

    async def use() -> list[str]:
        async with galsynth.AsyncClient(url, transport=Slow()) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.generate(seeds=[42]).submit()
            return [job.id async for job in client.jobs()]

    assert asyncio.run(use()) == []


def test_waiting_polls_long_and_not_often(url: str, worker: FakeWorker) -> None:  # noqa: F811
    worker.paused = True
    transport = Breaking()
    with galsynth.Client(url, transport=transport) as client:
        job = client.generate(seeds=[42]).submit()
        begun = time.monotonic()
        worker.paused = False
        job.wait()
        assert time.monotonic() - begun < 20
