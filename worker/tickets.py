"""What jobs hand to the engine, and what they get for it: work, and the ticket on which they wait for its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Graph = Literal["map", "synthesize", "generate", "judge"]
Rows = Callable[[int, int], tuple[Array, ...]]


def nothing() -> None:
    """What an end calls where nobody wants to hear of it."""


def forget_traceback(error: BaseException | None) -> None:
    """Let go of the frames of ``error`` and its causes: they know the images of its job, and whoever knows the error."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Cancelled(Exception):
    """The work was cancelled before its end: nobody wants it any more."""


class Stopped(Exception):
    """The engine has stopped before the work's end: another worker should do it."""


class Runs(Protocol):
    """What the engine runs: a loaded model, or a loaded scorer."""

    @property
    def generator(self) -> Any:
        """Whose methods are the graphs."""

    @property
    def batch_size(self) -> int:
        """Most rows of one batch."""

    @property
    def buckets(self) -> tuple[int, ...]:
        """Sizes that batches are filled up to; see `LoadedModel`."""

    def bucket(self, rows: int) -> int:
        """The size that a batch of ``rows`` is filled up to."""


@dataclass(frozen=True)
class Work:
    """``count`` rows through one graph of one model.

    Attributes
    ----------
    inputs : gives the graph's inputs for rows start … stop - 1, each (stop - start, …) float32; called on the engine's thread.
    out : (count, …) float32, where results are written; may be a memory map.
    """

    model: Runs
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
    """Work that was handed in: the first ``done`` rows are written. ``on_end`` is called at the end, once, and then let go: it
    may know who holds this ticket, and that circle would keep the images until the garbage collector's next full pass.

    ``batches``: how many the engine has begun since it was ``handed_in``, until it was done, those of others too.
    ``seconds``: the engine's share of time for the rows.
    """

    work: Work
    on_end: Callable[[], None] = nothing
    taken: int = 0
    done: int = 0
    cancelled: bool = False
    error: BaseException | None = None
    handed_in: int = 0
    batches: int = 0
    seconds: float = 0.0
    ended: bool = False
    _ahead: dict[int, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def cancel(self) -> None:
        """Stop after the batch that runs; `wait` raises `Cancelled`."""
        self.cancelled = True

    def wait(self, rows: int | None = None) -> None:
        """Return when the first ``rows`` (default all) are written.

        Raises
        ------
        Cancelled : the work was cancelled.
        Stopped : the engine has stopped.
        Exception : what the work's own rows raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.ended or (rows is not None and self.done >= rows))
        if self.error is not None:
            raise self.error

    def wrote(self, start: int, stop: int, seconds: float) -> bool:
        """Rows start … stop - 1 are written, and took so long; returns whether all are. Only the engine calls this."""
        with self._changed:
            self.seconds += seconds
            self._ahead[start] = stop
            while self.done in self._ahead:
                self.done = self._ahead.pop(self.done)
            self._changed.notify_all()
            return self.done == self.work.count

    def end(self, error: BaseException | None = None) -> None:
        """Wake up who waits, once; only the engine calls this."""
        with self._changed:
            if self.ended:
                return
            self.error, self.ended = error, True
            on_end, self.on_end = self.on_end, nothing
            self._changed.notify_all()
        if self.cancelled:
            forget_traceback(error)  # nobody waits any more
        on_end()
