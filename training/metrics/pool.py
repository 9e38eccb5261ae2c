"""Physical measurements of many galaxies in parallel processes, each image with a time limit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import GalaxyError
from training.metrics import morphology

BATCH = 8


class MeasuringPool:
    """``processes`` children that measure galaxies; use as a context. The children import no torch."""

    def __init__(self, processes: int, seconds: float) -> None:
        self.processes, self.seconds = processes, seconds
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> MeasuringPool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def measure(self, images: NDArray[np.float32], tick: Callable[[int], None] = lambda done: None) -> NDArray[np.float64]:
        """Numbers (N, columns) of images (N, bands, H, W) in linear units; see `morphology.columns`.

        Raises
        ------
        GalaxyError : a child was killed, for memory perhaps.
        """
        if self._pool is None:  # started when there is something to measure; spawned, because forking after torch may hang
            self._pool = ProcessPoolExecutor(self.processes, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        rows: list[NDArray[np.float64]] = []
        try:
            for part in self._pool.map(measure_batch, parts, len(parts) * [self.seconds]):
                rows.append(part)
                tick(sum(map(len, rows)))
        except BrokenProcessPool:
            raise GalaxyError("a measuring process was ended from outside (out of memory?); run evaluate again") from None
        return np.concatenate(rows)


def measure_batch(images: NDArray[np.float32], seconds: float) -> NDArray[np.float64]:
    """Numbers (N, columns); an image that takes longer than ``seconds`` is flagged ``timed_out``. Main thread only."""
    names = morphology.columns(images.shape[1])
    lost = dict.fromkeys(names, np.nan) | dict.fromkeys(morphology.FLAGS, 0.0) | {"timed_out": 1.0}
    rows = []
    for image in images:
        try:
            with _time_limit(seconds):
                found = morphology.measure(image)
        except _TooLongError:
            found = lost
        rows.append([found[name] for name in names])
    return np.array(rows)


def _end_with_parent() -> None:
    """A child whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _TooLongError(BaseException):
    """Raised by the alarm; no Exception, so that no fitter takes it for a failed fit."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
