"""A pool that stops runs what has come, where Celery's own would drop what no thread has taken."""

from __future__ import annotations

import threading

from tests.worker_fakes import wait_until
from worker.pool import TaskPool


def test_what_waits_for_a_thread_runs_although_the_pool_stops() -> None:
    pool, going, done = TaskPool(1), threading.Event(), list[int]()
    for target in (lambda: going.wait(30), lambda: done.append(1)):
        pool.on_apply(target, (), {}, callback=lambda _: None)
    stopping = threading.Thread(target=pool.on_stop)
    stopping.start()
    wait_until(lambda: pool.executor._shutdown)
    going.set()
    stopping.join(30)
    assert done == [1]
