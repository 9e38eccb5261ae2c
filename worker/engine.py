"""The batching engine: it owns the threads that run graphs, in batches shared between jobs.

Jobs hand in `Work` and get a `Ticket`. Whenever the engine is free it forms one batch from the jobs that wait: the job at the
head of the line decides model and graph, every other job with the same ones joins with an equal share, and those that have more
go to the end of the line when the batch has run. So whoever comes while a long job's batch runs is in the next one: a job of
one galaxy, which passes mapping and synthesis, waits for two batches of the long job at most. While a batch runs the next jobs
gather: batches grow under load without anybody waiting on an idle machine.

One thread does all that. A job that has the worker for itself is helped by more threads, each with its next rows as a batch of
its own, so that it is not bound to one core; whoever else comes ends that.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from worker.loaded import MAP_ROWS
from worker.tickets import Array, Cancelled, Graph, Stopped, Ticket, Work, nothing

IDLE_BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _Piece:
    ticket: Ticket
    start: int
    stop: int


class Engine:
    """Owns the threads that run graphs. ``batch_size`` galaxies make a batch; ``batch_delay`` (seconds): see `WorkerSettings`.

    ``on_batch`` hears of every batch that has run: its graph, its rows and its seconds. ``parallel`` threads share a job that is
    alone; more than one only where graphs may run on several threads at once, as they do on a CPU. ``expected`` is the number of
    jobs that run, whether they are in line or not.
    """

    def __init__(
        self,
        batch_size: int,
        batch_delay: float = 0.0,
        on_batch: Callable[[Graph, int, float], None] | None = None,
        parallel: int = 1,
    ) -> None:
        self.batch_size, self.batch_delay = batch_size, batch_delay
        self._on_batch = on_batch or (lambda graph, rows, seconds: None)
        self.batches = 0
        self.expected = 0
        self._at_once = 0
        self._line: deque[Ticket] = deque()
        lock = threading.RLock()
        self._changed, self._help = threading.Condition(lock), threading.Condition(lock)
        self._alone: Ticket | None = None
        self._stopping = False
        self._beats = [time.monotonic()] * parallel
        loops = [self._loop, *[self._loop_of_a_helper] * (parallel - 1)]
        self._threads = [
            threading.Thread(target=loop, args=(n,), name=f"engine-{n}", daemon=True) for n, loop in enumerate(loops)
        ]

    def start(self) -> None:
        """Begin to work."""
        self._beats = [time.monotonic()] * len(self._threads)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the batches that run; whoever waits for work that is not done gets `Stopped`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            self._help.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    @property
    def age(self) -> float:
        """Seconds since the engine last showed that it lives; at most about one second plus one batch while it does."""
        return time.monotonic() - min(self._beats)

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def submit(self, work: Work, on_end: Callable[[], None] = nothing) -> Ticket:
        """Put work at the end of the line; ``on_end`` is called on a thread of the engine when all is written, or on an error."""
        ticket = Ticket(work, on_end)
        with self._changed:
            ticket.handed_in = self.batches
            if self._stopping:
                ticket.end(Stopped("the engine has stopped"))
            elif work.count == 0:
                ticket.end()
            else:
                self._line.append(ticket)
                self._changed.notify()
        return ticket

    def _loop(self, number: int) -> None:
        while True:
            with self._changed:
                while not self._line and not self._stopping:
                    self._beats[number] = time.monotonic()
                    self._changed.wait(IDLE_BEAT_SECONDS)
                if self._stopping:
                    break
                self._gather()
                pieces = self._take()
                self._ask_for_help(pieces)
            self._beats[number] = time.monotonic()
            if pieces:
                self._run(pieces)
                self._return([piece.ticket for piece in pieces])
            del pieces  # or an idle engine would hold the last job's images
        for ticket in self._line:
            ticket.end(Cancelled("cancelled") if ticket.cancelled else Stopped("the engine has stopped"))

    def _ask_for_help(self, pieces: list[_Piece]) -> None:
        alone = len(pieces) == 1 and not self._line and self.expected <= 1
        self._alone = pieces[0].ticket if alone else None
        if alone and pieces[0].stop < pieces[0].ticket.work.count:
            self._help.notify_all()

    def _loop_of_a_helper(self, number: int) -> None:
        while True:
            with self._changed:
                while (piece := self._take_from_alone()) is None and not self._stopping:
                    self._beats[number] = time.monotonic()
                    self._help.wait(IDLE_BEAT_SECONDS)
            if piece is None:
                break
            self._beats[number] = time.monotonic()
            self._run([piece])
            del piece

    def _take_from_alone(self) -> _Piece | None:
        """The next rows of the job that has the worker for itself, for a batch beside the one that runs."""
        ticket = self._alone
        if ticket is None or self._stopping or self._line or self.expected > 1 or ticket.cancelled or ticket.ended:
            return None
        start = ticket.taken
        ticket.taken = min(ticket.work.count, start + self._room(ticket.work))
        return _Piece(ticket, start, ticket.taken) if ticket.taken > start else None

    def _gather(self) -> None:
        """Wait at most ``batch_delay`` for jobs that run but are not in line yet; a full batch or a lone job waits for none."""
        until = time.monotonic() + self.batch_delay
        room = self._room(self._line[0].work) if self._line else self.batch_size
        while len(self._line) < self.expected and self._waiting_rows() < room and not self._stopping:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _room(self, work: Work) -> int:
        return MAP_ROWS if work.graph == "map" else min(self.batch_size, work.model.batch_size)

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
        room = self._room(self._line[0].work)
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
            self._alone = None
            self._line.extend(ticket for ticket in tickets if not ticket.ended and ticket.taken < ticket.work.count)

    def _run(self, pieces: list[_Piece]) -> None:
        """Run a batch; where it fails, each job's share runs alone, so that only the one at fault fails."""
        with self._changed:
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
        with self._changed:
            self._at_once += 1
        begun = time.perf_counter()
        try:
            results: Array = getattr(work.model.generator, work.graph)(*feed)
        finally:
            with self._changed:
                at_once, self._at_once = self._at_once, self._at_once - 1
        seconds = time.perf_counter() - begun
        self._on_batch(work.graph, rows, seconds)
        offset = 0
        for piece in pieces:
            size = piece.stop - piece.start
            piece.ticket.work.out[piece.start : piece.stop] = results[offset : offset + size]
            offset += size
        for piece in pieces:
            piece.ticket.batches = self.batches - piece.ticket.handed_in
            if piece.ticket.wrote(piece.start, piece.stop, seconds / at_once * (piece.stop - piece.start) / rows):
                piece.ticket.end()
