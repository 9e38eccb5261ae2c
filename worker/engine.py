"""The batching engine: one thread runs every graph, in batches shared between jobs.

Jobs hand in `Work` and get a `Ticket`. Whenever the engine is free it forms one batch from the jobs that wait: the job at the
head of the line decides model and graph, every other job with the same ones joins with an equal share, and those that have more
go to the end of the line when the batch has run. So whoever comes while a long job's batch runs is in the next one: a job of
one galaxy, which passes mapping and synthesis, waits for two batches of the long job at most. While a batch runs the next jobs
gather: batches grow under load without anybody waiting on an idle machine.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from worker.loaded import MAP_ROWS, LoadedModel

Array = NDArray[np.float32]
Graph = Literal["map", "synthesize", "generate"]
Rows = Callable[[int, int], tuple[Array, ...]]

IDLE_BEAT_SECONDS = 1.0


class Cancelled(Exception):
    """The work was cancelled before its end: nobody wants it any more."""


class Stopped(Exception):
    """The engine has stopped before the work's end: another worker should do it."""


@dataclass(frozen=True)
class Work:
    """``count`` rows through one graph of one model.

    Attributes
    ----------
    inputs : gives the graph's inputs for rows start … stop - 1, each (stop - start, …) float32; called on the engine's thread.
    out : (count, …) float32, where results are written; may be a memory map.
    """

    model: LoadedModel
    graph: Graph
    count: int
    inputs: Rows
    out: Array

    @property
    def group(self) -> tuple[int, Graph]:
        """Work of one group can share a batch."""
        return id(self.model), self.graph


@dataclass(eq=False)
class Ticket:
    """Work that was handed in: ``done`` rows are written, in order from the first. ``on_end`` is called at the end.

    ``batches``: how many the engine has begun from the moment it had the work until it was done, those of others too.
    """

    work: Work
    on_end: Callable[[], None] = lambda: None
    taken: int = 0
    done: int = 0
    cancelled: bool = False
    error: BaseException | None = None
    batches: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stop after the batch that runs; `wait` raises `Cancelled`."""
        self.cancelled = True

    def wait(self) -> None:
        """Return when all rows are written.

        Raises
        ------
        Cancelled : the work was cancelled.
        Stopped : the engine has stopped.
        Exception : what the work's own rows raised.
        """
        self._ended.wait()
        if self.error is not None:
            raise self.error

    @property
    def ended(self) -> bool:
        """Whether `wait` returns at once."""
        return self._ended.is_set()

    def end(self, error: BaseException | None = None) -> None:
        """Wake up who waits; only the engine calls this."""
        self.error = error
        self._ended.set()
        self.on_end()


@dataclass(frozen=True)
class _Piece:
    ticket: Ticket
    start: int
    stop: int


class Engine:
    """Owns the thread that runs graphs. ``batch_size`` galaxies make a batch; ``batch_delay`` (seconds): see `WorkerSettings`.

    ``on_batch`` hears of every batch that has run: its graph, its rows and its seconds.
    """

    def __init__(
        self, batch_size: int, batch_delay: float = 0.0, on_batch: Callable[[Graph, int, float], None] | None = None
    ) -> None:
        self.batch_size, self.batch_delay = batch_size, batch_delay
        self._on_batch = on_batch or (lambda graph, rows, seconds: None)
        self.batches = 0
        self.expected = 0
        self._line: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch that runs; whoever waits for work that is not done gets `Stopped`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    @property
    def age(self) -> float:
        """Seconds since the engine last showed that it lives; at most about one second plus one batch while it does."""
        return time.monotonic() - self._beat

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def submit(self, work: Work, on_end: Callable[[], None] = lambda: None) -> Ticket:
        """Put work at the end of the line; ``on_end`` is called on the engine's thread when `Ticket.wait` would return."""
        ticket = Ticket(work, on_end)
        with self._changed:
            ticket.batches = -self.batches
            if self._stopping:
                ticket.end(Stopped("the engine has stopped"))
            elif work.count == 0:
                ticket.end()
            else:
                self._line.append(ticket)
                self._changed.notify()
        return ticket

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._line and not self._stopping:
                    self._beat = time.monotonic()
                    self._changed.wait(IDLE_BEAT_SECONDS)
                if self._stopping:
                    break
                self._gather()
                pieces = self._take()
            self._beat = time.monotonic()
            if pieces:
                self._run(pieces)
                self._return([piece.ticket for piece in pieces])
            del pieces  # or an idle engine would hold the last job's images
        for ticket in self._line:
            ticket.end(Cancelled("cancelled") if ticket.cancelled else Stopped("the engine has stopped"))

    def _gather(self) -> None:
        """Wait at most ``batch_delay`` for jobs that run but are not in line yet; a full batch or a lone job waits for none."""
        until = time.monotonic() + self.batch_delay
        while len(self._line) < self.expected and self._waiting_rows() < self.batch_size and not self._stopping:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _waiting_rows(self) -> int:
        return sum(ticket.work.count - ticket.taken for ticket in self._line)

    def _take(self) -> list[_Piece]:
        """The next batch; those who take part leave the line."""
        for ticket in [t for t in self._line if t.cancelled]:
            self._line.remove(ticket)
            ticket.end(Cancelled("cancelled"))
        if not self._line:
            return []
        group = self._line[0].work.group
        room = MAP_ROWS if group[1] == "map" else self.batch_size
        members = [ticket for ticket in self._line if ticket.work.group == group][:room]
        pieces = []
        for place, ticket in enumerate(sorted(members, key=lambda t: t.work.count - t.taken)):
            share = min(ticket.work.count - ticket.taken, max(1, room // (len(members) - place)))
            room -= share
            pieces.append(_Piece(ticket, ticket.taken, ticket.taken + share))
            ticket.taken += share
        for ticket in members:
            self._line.remove(ticket)
        return pieces

    def _return(self, tickets: list[Ticket]) -> None:
        """Those who have more go to the end of the line."""
        with self._changed:
            self._line.extend(ticket for ticket in tickets if not ticket.ended and ticket.taken < ticket.work.count)

    def _run(self, pieces: list[_Piece]) -> None:
        """Run a batch; where it fails, each job's share runs alone, so that only the one at fault fails."""
        self.batches += 1
        try:
            self._run_together(pieces)
        except BaseException as error:
            if len(pieces) == 1:
                pieces[0].ticket.end(error)
                return
            for piece in pieces:
                self._run([piece])

    def _run_together(self, pieces: list[_Piece]) -> None:
        work = pieces[0].ticket.work
        parts = [piece.ticket.work.inputs(piece.start, piece.stop) for piece in pieces]
        feed = parts[0] if len(parts) == 1 else tuple(np.concatenate(column) for column in zip(*parts, strict=True))
        rows = len(feed[0])
        if work.model.buckets:
            size = MAP_ROWS if work.graph == "map" else work.model.bucket(rows)
            feed = tuple(np.concatenate([a, np.repeat(a[-1:], size - rows, axis=0)]) if rows < size else a for a in feed)
        begun = time.perf_counter()
        results: Array = getattr(work.model.generator, work.graph)(*feed)
        self._on_batch(work.graph, rows, time.perf_counter() - begun)
        offset = 0
        for piece in pieces:
            size = piece.stop - piece.start
            piece.ticket.work.out[piece.start : piece.stop] = results[offset : offset + size]
            offset += size
        for piece in pieces:
            piece.ticket.done = piece.stop
            if piece.stop == piece.ticket.work.count:
                piece.ticket.batches += self.batches
                piece.ticket.end()
