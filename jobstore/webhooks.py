"""Calls that are due because a job has ended: a sorted set of job ids by the time of the next try."""

from __future__ import annotations

import time
from typing import Any

import redis

from jobstore.scripts import WEBHOOKS

_TRIES = WEBHOOKS + ":tries"

# KEYS webhooks; ARGV now, most, until. Returns ids that are due; nobody else gets them before ``until``.
_CLAIM = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[3], id) end
return due
"""


class Webhooks:
    """The calls that are due, through one Redis client (``decode_responses=True``). Safe to share between threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._claim = client.register_script(_CLAIM)

    def claim(self, most: int, seconds: float) -> list[str]:
        """Jobs whose call is due, ours for ``seconds``: who is killed in that time leaves them to another."""
        now = time.time()
        found: list[str] = self._claim(keys=[WEBHOOKS], args=[now, most, now + seconds])
        return found

    def failed(self, job_id: str) -> int:
        """Count a try that failed; returns how many those are by now."""
        return int(self._client.hincrby(_TRIES, job_id, 1))

    def put_off(self, job_id: str, seconds: float) -> None:
        """Try again in so many seconds."""
        self._client.zadd(WEBHOOKS, {job_id: time.time() + seconds}, xx=True)

    def done(self, job_id: str) -> None:
        """No more tries."""
        with self._client.pipeline() as pipe:
            pipe.zrem(WEBHOOKS, job_id)
            pipe.hdel(_TRIES, job_id)
            pipe.execute()
