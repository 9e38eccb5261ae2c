"""Objects through a pool of processes, in order, with no more in flight than the writer can take."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from galaxies.errors import GalaxyError

ITEM = TypeVar("ITEM")
RESULT = TypeVar("RESULT")
CHUNK = 8
AHEAD = 4


def ordered(work: Callable[[ITEM], RESULT], items: Sequence[ITEM], jobs: int) -> Iterator[RESULT]:
    """``work(item)`` for every item, in the order of ``items``, by ``jobs`` processes (this one, where a pool is not worth it).

    Raises
    ------
    GalaxyError : a process was killed from outside, as for lack of memory.
    """
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    jobs = min(jobs, len(chunks) // 2)
    if jobs < 2:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(os.getpid(),))
    flying: deque[Future[list[RESULT]]] = deque()
    try:
        for chunk in chunks:
            flying.append(pool.submit(_all, work, chunk))
            if len(flying) >= jobs * AHEAD:
                yield from flying.popleft().result()
        while flying:
            yield from flying.popleft().result()
    except BrokenProcessPool:
        raise GalaxyError("a process of the pool was killed, perhaps for lack of memory; try again with fewer --jobs") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _all(work: Callable[[ITEM], RESULT], chunk: Sequence[ITEM]) -> list[RESULT]:
    return [work(item) for item in chunk]


def _start(parent: int) -> None:
    """Ctrl-C is the parent's to answer; a process whose parent was killed ends by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
