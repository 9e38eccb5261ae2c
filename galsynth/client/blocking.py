"""`Client`: the service in three lines of Python."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Unpack

import httpx
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import ModelCard
from galsynth.client.dataset import Batch, Dataset, plan
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


class Client(Operations["Order"]):
    """A galsynth service.

    >>> client = Client()
    >>> client.generate(seeds=[42]).image().save("galaxy.png")  # doctest: +SKIP

    Parameters
    ----------
    url : address of the service; default ``GALSYNTH_URL``, else this machine at the port of `galsynth up`.
    api_key : default ``GALSYNTH_API_KEY``.
    progress : True shows a bar on standard error while waiting; a function is called with every `JobState`.
    retry : when to try again; see `Retry`.
    timeout : seconds that one answer may take.
    transport : an httpx transport to use instead of the network.

    Raises
    ------
    BadInput : ``url`` is no address.
    ServiceError : from every method; `galsynth.client.errors` draws the tree.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        progress: bool | Observer = False,
        retry: Retry | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = Access.of(url, api_key, timeout)
        self._transport, self.progress, self._retry = transport, progress, retry or Retry()
        self._connect()

    def __repr__(self) -> str:
        return f"Client({self._access.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_http", "_pid", "protocol")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connect()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def order(self, operation: str, body: dict[str, Any]) -> Order:
        """As `Operations.order`."""
        return Order(self, Wanted.of(operation, body))

    def job(self, job_id: str) -> Job:
        """A job by its id, whoever sent it: to go on waiting for it, or to fetch its result again."""
        return Job(self, self.run(self.protocol.job(job_id)), ours=False)

    def jobs(self, *, phase: str | None = None, operation: str | None = None, after: str | None = None) -> Iterator[Job]:
        """One's jobs, newest first, page by page; ``after``: only those created later than this ISO 8601 time."""
        query = job_query(phase=phase, operation=operation, after=after)
        while query:
            page = self.run(self.protocol.jobs(query))
            yield from (Job(self, state, ours=False) for state in page.jobs)
            query = page.next_query

    def models(self) -> list[ModelSummary]:
        """Every model version of the service."""
        return self.run(self.protocol.models())

    def model(self, reference: str) -> ModelCard:
        """The card of ``name`` (newest version) or ``name@version``."""
        return parse(ModelCard, self.run(self.protocol.document(f"/v1/models/{segment(reference)}")))

    def document(self, path: str) -> dict[str, Any]:
        """Whatever JSON object is at ``path``, such as ``/v1/models/sdss-gz1-64/report``."""
        return self.run(self.protocol.document(path))

    def dataset(
        self, count: int, *, first_seed: int = 0, batch: int = 64, ahead: int = 2, **options: Unpack[DatasetOptions]
    ) -> Dataset:
        """``count`` galaxies as batches of arrays, of the seeds ``first_seed`` … ``first_seed + count - 1``; see `Dataset`."""
        return Dataset(self, plan(count, first_seed, batch, body_of(options)), ahead)

    def batch(self, body: dict[str, Any]) -> Batch:
        """One batch of a `Dataset`."""
        return Batch.of(self.order("generate", body).result("npz"))

    def run(self, flow: Flow[T]) -> T:
        """Carry out a flow of `galsynth.client.protocol`."""
        try:
            step = next(flow)
            while True:
                try:
                    outcome = self._do(step)
                except BaseException as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as end:
            value: T = end.value
            return value

    def _connect(self) -> None:
        self._http = httpx.Client(**self._access.options(), transport=self._transport)
        self._pid = os.getpid()
        self.protocol = Protocol(self._access.url, self._retry)

    def _do(self, step: Call | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if self._pid != os.getpid():  # a fork (a worker of a data loader) must not share its parent's connections
            self._connect()
        request = self._http.build_request(**self._access.sent(step))
        if step.sink is None:
            return self._http.send(request)
        response = self._http.send(request, stream=True)
        try:
            if not receive_into(step.sink, response):
                response.read()
                return response
            for chunk in response.iter_raw():
                step.sink.write(chunk)
        except httpx.TransportError as error:
            raise Interrupted(error, response) from error
        finally:
            response.close()
        return response


class Job:
    """A job of the service. ``state`` is what was last heard of it.

    Whoever is interrupted within ``with job:``, by Ctrl-C or any exception that is no `ServiceError`, has it cancelled, where
    this client has sent it and it has not ended; a note on the exception says what becomes of it. `wait` is such a block itself.
    """

    def __init__(self, client: Client, state: JobState, *, ours: bool = True) -> None:
        self._client, self.state, self._ours, self._left = client, state, ours, False

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.state.operation}, {self.state.phase.value}>"

    def __enter__(self) -> Job:
        return self

    def __exit__(self, _kind: object, why: BaseException | None, _trace: object) -> None:
        if why is not None and not self._left and leaves_running(self.state, why):
            self._left = True  # once is enough where such blocks lie within one another
            self._client.run(self._client.protocol.leave(self.id, why, ours=self._ours))

    @property
    def id(self) -> str:
        """What `Client.job` finds it by."""
        return self.state.id

    @property
    def request(self) -> dict[str, Any]:
        """The request with every value filled in."""
        return self.state.request

    def refresh(self) -> JobState:
        """Ask for its state now."""
        self.state = self._client.run(self._client.protocol.job(self.id))
        return self.state

    def wait(self) -> JobState:
        """Wait until it is COMPLETED. Ctrl-C cancels a job that this client has sent.

        Raises
        ------
        JobFailed, JobCancelled : it ended without a result.
        """
        progress = self._client.progress
        with self, watching(progress) as observe:
            self.state = self._client.run(self._client.protocol.wait(self.state, observe, poll_seconds(progress)))
        return self.state

    def result(self) -> Result:
        """Wait, and fetch the result into memory."""
        stream = io.BytesIO()
        self.fetch(stream)
        return Result(stream.getvalue(), self.state)

    def save(self, path: str | Path) -> Path:
        """Wait, and write the result to ``path`` as it comes; a suffix of another format is refused with `WrongFormat`."""
        path = Path(path)
        check_suffix(self.state.format, path)
        with replacing(path) as stream:
            self.fetch(stream)
        return path

    def fetch(self, stream: BinaryIO) -> None:
        """Wait, and write the result into ``stream``, a binary one that can be read and repositioned."""
        self.wait()
        self._client.run(self._client.protocol.download(self.state, stream))

    def cancel(self) -> JobState:
        """Cancel it, in any phase; one that has ended stays as it is."""
        self.state = self._client.run(self._client.protocol.cancel(self.id))
        return self.state

    def delete(self) -> None:
        """Cancel it if needed, and have the service forget it and its result."""
        self._client.run(self._client.protocol.delete(self.id))


class Order:
    """Something asked for, in whatever form it is then wanted. The service makes it when the first form is asked for.

    `image`, `images`, `fits`, `array` and `save` each know their format. Further forms of one order are the same galaxies,
    because they repeat the first job's echoed request.
    """

    def __init__(self, client: Client, wanted: Wanted) -> None:
        self._client, self._wanted = client, wanted

    def __repr__(self) -> str:
        made = ", ".join(self._wanted.states) or "nothing"
        return f"<Order of {self._wanted.operation}: {made} asked for yet>"

    def submit(self, format: str | None = None) -> Job:
        """Send the job for a format, default the request's own, and do not wait for it."""
        wanted = self._wanted
        format = wanted.format(format)
        if format not in wanted.states:
            wanted.states[format] = self._client.run(self._client.protocol.submit(wanted.operation, wanted.body(format)))
        return Job(self._client, wanted.states[format])

    def result(self, format: str | None = None) -> Result:
        """The result in a format, default the request's own."""
        format = self._wanted.format(format)
        if format not in self._wanted.results:
            self._wanted.results[format] = self.submit(format).result()
        return self._wanted.results[format]

    @property
    def bytes(self) -> bytes:
        """The file in the request's own format."""
        return self.result().bytes

    @property
    def request(self) -> dict[str, Any]:
        """The request with every value filled in, drawn seeds and model version too."""
        states = self._wanted.states
        return next(iter(states.values())).request if states else self.submit().request

    def image(self) -> Image.Image:
        """One picture: the galaxy, or the sheet, film strip or grid of all."""
        return self.result(self._wanted.first_of("png", "gif", "webp")).image()

    def images(self) -> list[Image.Image]:
        """Every galaxy, frame, cell or term as a picture of its own."""
        return self.result(self._wanted.first_of("zip", "gif", "webp")).images()

    frames = images

    def fits(self) -> fits.HDUList:
        """The FITS file: native pixels, latents, request."""
        return self.result("fits").fits()

    def array(self) -> NDArray[Any]:
        """(N, bands, H, W) float32 in the units of the card, first row at the top."""
        return self.result(self._wanted.first_of("npz", "fits")).array()

    def save(self, path: str | Path) -> Path:
        """Write a file in the format of its suffix (``galaxy.fits``, ``film.mp4`` …).

        Raises
        ------
        WrongFormat : the operation has no such format.
        """
        path = Path(path)
        with self.submit(self._wanted.format_for(path)) as job:
            return job.save(path)
