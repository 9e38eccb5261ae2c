"""Whether the queue server has room for new jobs."""

from __future__ import annotations

import time

import redis
from redis.exceptions import RedisError

from jobstore.server import memory

FRESH_SECONDS = 1.0


class Room:
    """Looked up at most once a second."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._checked = float("-inf")
        self._full = False

    def full(self) -> bool:
        """Whether its memory is full; no where nobody knows, as what is written next will tell."""
        if time.monotonic() - self._checked > FRESH_SECONDS:
            self._checked = time.monotonic()
            try:
                self._full = memory(self._client).full
            except RedisError:
                self._full = False
        return self._full
