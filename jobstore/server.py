"""How the queue server fares: whether it takes writes, and how full its memory is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from jobstore.layout import PREFIX

FULL = 0.95
"""Part of the memory at which no new jobs are taken: the rest is for those that are there, so that they can run and end."""
PROBE_SECONDS = 60
_PROBE = PREFIX + "probe"


@dataclass(frozen=True)
class Memory:
    """Bytes that are ``used``, and the ``most`` that may be; 0: no bound."""

    used: int
    most: int

    @property
    def full(self) -> bool:
        """Whether new jobs would take what those that are there need."""
        return 0 < self.most * FULL <= self.used


def memory(client: redis.Redis) -> Memory:
    """The server's memory."""
    found: Any = client.info("memory")
    return Memory(int(found["used_memory"]), int(found["maxmemory"]))


def check_writable(client: redis.Redis) -> None:
    """Write a key that goes by itself; a server may answer and refuse every change.

    Raises
    ------
    redis.exceptions.ResponseError : the server answers, but takes no writes: its disk or its memory is full, or it is a replica.
    redis.RedisError : it does not answer.
    """
    client.set(_PROBE, 1, ex=PROBE_SECONDS)
