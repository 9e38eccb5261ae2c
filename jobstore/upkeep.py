"""What goes wrong slowly, found and put right: messages that vanished, counts that drifted, results that nobody can ask for.

Celery's Redis transport can lose a message between taking it and noting that it was taken, and an API can be killed between a
job's record and its message. Such a job is in neither the queue nor the list of messages that workers hold.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from jobstore.layout import BULK_PLACE, LOAD, OPEN, PREFIX, RECORD_GRACE, WAITING, key_of
from jobstore.records import QUEUES

UNACKED = "unacked"
"""kombu's hash of messages that workers hold: delivery tag → JSON. A contract test holds kombu to it."""
SETTLED_SECONDS = 15.0
"""A job younger than this may have its message still on the way."""
MOST_MESSAGES = 50_000
"""In a longer queue no message is looked for: its jobs wait anyway."""
MOST_JOBS = 2000
_CHUNK = 500

# KEYS open, load, waiting; ARGV prefix of job keys, then ids. Drops ids whose job is gone or has ended; returns how many.
_DROP = """
local dropped = 0
for i = 2, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[i])
  local phase = redis.call('HGET', ARGV[1] .. ARGV[i], 'phase')
  if text and phase ~= 'QUEUED' and phase ~= 'EXECUTING' then
    local pixels, priority, owner = string.match(text, '^(%d+) (%a+) (.*)$')
    local waits = redis.call('ZREM', KEYS[3], ARGV[i]) == 1
    redis.call('HINCRBY', KEYS[2], waits and 'waiting:' .. priority or 'running', -tonumber(pixels))
    redis.call('HINCRBY', KEYS[2], 'jobs:' .. owner, -1)
    redis.call('HDEL', KEYS[1], ARGV[i])
    dropped = dropped + 1
  end
end
return dropped
"""


class Upkeep:
    """Looks through Redis, through one client (``decode_responses=True``)."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._drop = client.register_script(_DROP)

    def elected(self, name: str, seconds: float) -> bool:
        """Whether the process ``name`` keeps house for the next ``seconds``: one at a time, the same while it asks in time."""
        key = f"{PREFIX}housekeeper"
        if self._client.set(key, name, nx=True, px=round(seconds * 1000)):
            return True
        if self._client.get(key) != name:
            return False
        self._client.pexpire(key, round(seconds * 1000))
        return True

    def without_message(self) -> set[str]:
        """Settled jobs that have not ended and whose message is nowhere. A message can be between two places for a moment: only
        what is found twice in a row is lost.
        """
        jobs = self._settled()
        if not jobs or sum(self._client.llen(name) for name in QUEUES.values()) > MOST_MESSAGES:
            return set()
        for message in self._messages():
            jobs.difference_update(_job_ids(message))
        return jobs

    def drop_ended(self) -> int:
        """Count no longer what is counted as not ended although it has ended, or is gone; returns how many jobs those were."""
        dropped, cursor = 0, 0
        while True:
            cursor, found = self._client.hscan(OPEN, cursor, count=_CHUNK)
            if found:
                dropped += int(self._drop(keys=[OPEN, LOAD, WAITING], args=[f"{PREFIX}job:", *found]))
            if not cursor:
                return dropped

    def waiting_since(self, moment: float) -> list[str]:
        """Jobs that were created before ``moment`` (POSIX seconds) and still wait."""
        found: list[str] = []
        for base in (0.0, BULK_PLACE):
            found += self._client.zrangebyscore(WAITING, base, base + moment, start=0, num=MOST_JOBS)
        return found

    def expired(self) -> list[str]:
        """Jobs that still wait although they have expired, among those that have waited longest. Each has the time that it was
        accepted with: when its record goes tells that, and the record need not be read.
        """
        now = time.time()
        waiting = self.waiting_since(now)
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in waiting:
                pipe.expiretime(key_of(job_id))
            ends: list[int] = pipe.execute()
        return [job_id for job_id, end in zip(waiting, ends, strict=True) if 0 < end < int(now) + RECORD_GRACE]

    def used_until(self, keys: Sequence[str]) -> list[float | None]:
        """When the last job that shares each result expires (POSIX seconds); None where no job does."""
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zrevrange(f"{PREFIX}users:{key}", 0, 0, withscores=True)
            return [float(last[0][1]) if last else None for last in pipe.execute()]

    def _settled(self) -> set[str]:
        """Jobs that wait since a while, and those that run."""
        found = set(self.waiting_since(time.time() - SETTLED_SECONDS))
        if self._client.hlen(OPEN) > self._client.zcard(WAITING):
            cursor, most = 0, len(found) + MOST_JOBS
            while len(found) < most:
                cursor, entries = self._client.hscan(OPEN, cursor, count=_CHUNK)
                scores = self._client.zmscore(WAITING, list(entries)) if entries else []
                found.update(job_id for job_id, score in zip(entries, scores, strict=True) if score is None)
                if not cursor:
                    break
        return found

    def _messages(self) -> Iterator[Any]:
        """Every message, as kombu wrote it. Those that workers hold come first and last: one may move from there to the queue, or
        from the queue to there, while we look.
        """
        yield from self._held()
        for name in QUEUES.values():
            for start in range(0, self._client.llen(name), _CHUNK):
                yield from map(json.loads, self._client.lrange(name, start, start + _CHUNK - 1))
        yield from self._held()

    def _held(self) -> Iterator[Any]:
        return (json.loads(text)[0] for text in self._client.hvals(UNACKED))


def _job_ids(message: Any) -> list[str]:
    """The jobs of a message; none where it is none of ours."""
    try:
        arguments = json.loads(base64.b64decode(message["body"]))[0]
    except (KeyError, TypeError, ValueError, IndexError):
        return []
    return [one for one in arguments if isinstance(one, str)]
