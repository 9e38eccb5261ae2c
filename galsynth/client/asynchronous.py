"""`AsyncClient`: the same service and the same protocol for asyncio."""

from __future__ import annotations

import asyncio
import io
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Unpack

import httpx
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import ModelCard
from galsynth.client.dataset import Batch, default_model, plan
from galsynth.client.documents import JobState, ModelSummary, job_query, parse
from galsynth.client.operations import Operations
from galsynth.client.options import DatasetOptions, body_of, check_suffix
from galsynth.client.progress import poll_seconds, watching
from galsynth.client.protocol import Observer, Protocol, leaves_running
from galsynth.client.result import Result, replacing
from galsynth.client.retry import Retry
from galsynth.client.steps import Call, Flow, Interrupted, Pause, receive_into, segment
from galsynth.client.wanted import Access, Wanted

if TYPE_CHECKING:
    from astropy.io import fits

T = TypeVar("T")


class AsyncClient(Operations["AsyncOrder"]):
    """A galsynth service, for asyncio; parameters and errors are those of `galsynth.Client`.

    >>> async with AsyncClient() as client:  # doctest: +SKIP
    ...     picture = await client.generate(seeds=[42]).image()
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        progress: bool | Observer = False,
        retry: Retry | None = None,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._access = Access.of(url, api_key, timeout)
        self.progress = progress
        self._http = httpx.AsyncClient(**self._access.options(), transport=transport)
        self.protocol = Protocol(self._access.url, retry or Retry())

    def __repr__(self) -> str:
        return f"AsyncClient({self._access.url!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def order(self, operation: str, body: dict[str, Any]) -> AsyncOrder:
        """As `Operations.order`."""
        return AsyncOrder(self, Wanted.of(operation, body))

    async def job(self, job_id: str) -> AsyncJob:
        """A job by its id."""
        return AsyncJob(self, await self.run(self.protocol.job(job_id)), ours=False)

    async def jobs(
        self, *, phase: str | None = None, operation: str | None = None, after: str | None = None
    ) -> AsyncIterator[AsyncJob]:
        """One's jobs, newest first, page by page."""
        query = job_query(phase=phase, operation=operation, after=after)
        while query:
            page = await self.run(self.protocol.jobs(query))
            for state in page.jobs:
                yield AsyncJob(self, state, ours=False)
            query = page.next_query

    async def models(self) -> list[ModelSummary]:
        """Every model version of the service."""
        return await self.run(self.protocol.models())

    async def model(self, reference: str) -> ModelCard:
        """The card of ``name`` (newest version) or ``name@version``."""
        return parse(ModelCard, await self.run(self.protocol.document(f"/v1/models/{segment(reference)}")))

    async def document(self, path: str) -> dict[str, Any]:
        """Whatever JSON object is at ``path``, such as ``/v1/models/sdss-gz1-64/report``."""
        return await self.run(self.protocol.document(path))

    async def dataset(
        self,
        count: int,
        *,
        first_seed: int = 0,
        batch: int = 64,
        ahead: int = 2,
        start: int = 0,
        **options: Unpack[DatasetOptions],
    ) -> AsyncGenerator[Batch]:
        """The batches of `galsynth.Client.dataset` from number ``start`` on, ``ahead`` of them made while one is read.

        One that fails, or is closed (``aclose()``), cancels what it has ordered ahead.
        """
        chosen = plan(count, first_seed, batch, body_of(options))
        card = await self.model(chosen.options.get("model") or default_model(await self.models()))
        bodies = (chosen.body(index, card) for index in range(start, len(chosen)))
        tasks: deque[asyncio.Task[Result]] = deque()
        try:
            while True:
                tasks.extend(asyncio.create_task(self._batch(body)) for body in islice(bodies, ahead + 1 - len(tasks)))
                if not tasks:
                    return
                yield Batch.of(await tasks.popleft())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, flow: Flow[T]) -> T:
        """Carry out a flow of `galsynth.client.protocol`."""
        try:
            step = next(flow)
            while True:
                try:
                    outcome = await self._do(step)
                except BaseException as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as end:
            value: T = end.value
            return value

    async def _batch(self, body: dict[str, Any]) -> Result:
        return await self.order("generate", body).result("npz")

    async def _do(self, step: Call | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        request = self._http.build_request(**self._access.sent(step))
        if step.sink is None:
            return await self._http.send(request)
        response = await self._http.send(request, stream=True)
        try:
            if not receive_into(step.sink, response):
                await response.aread()
                return response
            async for chunk in response.aiter_raw():
                step.sink.write(chunk)
        except httpx.TransportError as error:
            raise Interrupted(error, response) from error
        finally:
            await response.aclose()
        return response


class AsyncJob:
    """A job of the service, for asyncio, with ``async with job:``; see `galsynth.client.Job`."""

    def __init__(self, client: AsyncClient, state: JobState, *, ours: bool = True) -> None:
        self._client, self.state, self._ours, self._left = client, state, ours, False

    def __repr__(self) -> str:
        return f"<AsyncJob {self.id}: {self.state.operation}, {self.state.phase.value}>"

    async def __aenter__(self) -> AsyncJob:
        return self

    async def __aexit__(self, _kind: object, why: BaseException | None, _trace: object) -> None:
        if why is not None and not self._left and leaves_running(self.state, why):
            self._left = True  # once is enough where such blocks lie within one another
            await self._client.run(self._client.protocol.leave(self.id, why, ours=self._ours))

    @property
    def id(self) -> str:
        """What `AsyncClient.job` finds it by."""
        return self.state.id

    @property
    def request(self) -> dict[str, Any]:
        """The request with every value filled in."""
        return self.state.request

    async def refresh(self) -> JobState:
        """Ask for its state now."""
        self.state = await self._client.run(self._client.protocol.job(self.id))
        return self.state

    async def wait(self) -> JobState:
        """Wait until it is COMPLETED. A cancelled task cancels a job that this client has sent."""
        progress = self._client.progress
        async with self:
            with watching(progress) as observe:
                self.state = await self._client.run(self._client.protocol.wait(self.state, observe, poll_seconds(progress)))
        return self.state

    async def result(self) -> Result:
        """Wait, and fetch the result into memory."""
        stream = io.BytesIO()
        await self.fetch(stream)
        return Result(stream.getvalue(), self.state)

    async def save(self, path: str | Path) -> Path:
        """Wait, and write the result to ``path`` as it comes; see `galsynth.client.Job.save`."""
        path = Path(path)
        check_suffix(self.state.format, path)
        with replacing(path) as stream:
            await self.fetch(stream)
        return path

    async def fetch(self, stream: BinaryIO) -> None:
        """Wait, and write the result into ``stream``, a binary one that can be read and repositioned."""
        await self.wait()
        await self._client.run(self._client.protocol.download(self.state, stream))

    async def cancel(self) -> JobState:
        """Cancel it, in any phase; one that has ended stays as it is."""
        self.state = await self._client.run(self._client.protocol.cancel(self.id))
        return self.state

    async def delete(self) -> None:
        """Cancel it if needed, and have the service forget it and its result."""
        await self._client.run(self._client.protocol.delete(self.id))


class AsyncOrder:
    """Something asked for, in whatever form it is then wanted; see `galsynth.client.Order`."""

    def __init__(self, client: AsyncClient, wanted: Wanted) -> None:
        self._client, self._wanted = client, wanted

    async def submit(self, format: str | None = None) -> AsyncJob:
        """Send the job for a format, default the request's own, and do not wait for it."""
        wanted = self._wanted
        format = wanted.format(format)
        if format not in wanted.states:
            body = wanted.body(format)
            wanted.states[format] = await self._client.run(self._client.protocol.submit(wanted.operation, body))
        return AsyncJob(self._client, wanted.states[format])

    async def result(self, format: str | None = None) -> Result:
        """The result in a format, default the request's own."""
        format = self._wanted.format(format)
        if format not in self._wanted.results:
            self._wanted.results[format] = await (await self.submit(format)).result()
        return self._wanted.results[format]

    async def request(self) -> dict[str, Any]:
        """The request with every value filled in."""
        states = self._wanted.states
        return next(iter(states.values())).request if states else (await self.submit()).request

    async def image(self) -> Image.Image:
        """One picture: the galaxy, or the sheet, film strip or grid of all."""
        return (await self.result(self._wanted.first_of("png", "gif", "webp"))).image()

    async def images(self) -> list[Image.Image]:
        """Every galaxy, frame, cell or term as a picture of its own."""
        return (await self.result(self._wanted.first_of("zip", "gif", "webp"))).images()

    frames = images

    async def fits(self) -> fits.HDUList:
        """The FITS file: native pixels, latents, request."""
        return (await self.result("fits")).fits()

    async def array(self) -> NDArray[Any]:
        """(N, bands, H, W) float32 in the units of the card, first row at the top."""
        return (await self.result(self._wanted.first_of("npz", "fits"))).array()

    async def save(self, path: str | Path) -> Path:
        """Write a file in the format of its suffix."""
        path = Path(path)
        async with await self.submit(self._wanted.format_for(path)) as job:
            return await job.save(path)
