"""Writing down what must be written down, however long Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import redis
import structlog

Answer = TypeVar("Answer")

RETRY_SECONDS = 1.0
"""Between two tries."""

_LOG = structlog.get_logger(__name__)


def insist(write: Callable[[], Answer], jobs: list[str], stopping: Callable[[], bool]) -> Answer:
    """What ``write`` returns once Redis takes it, as else ``jobs`` would be made again for nothing.

    Raises
    ------
    redis.RedisError : it is away, and this worker is ``stopping``.
    """
    said = False
    while True:
        try:
            return write()
        except redis.RedisError as error:
            if stopping():
                raise
            if not said:
                said = True
                _LOG.warning("the end of jobs waits for the job store", jobs=jobs, error=str(error))
            time.sleep(RETRY_SECONDS)
