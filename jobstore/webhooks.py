"""Calls that are due because a job has ended: a sorted set of job ids by the time of the next try."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import redis

from jobstore.layout import key_of
from jobstore.scripts import WEBHOOKS

_TRIES = WEBHOOKS + ":tries"

# KEYS webhooks; ARGV now, most, until, prefix of job keys, most of one owner, JSON of the calls that go on by owner. Returns ids
# that are due, each with its owner; nobody else gets them before ``until``. What an owner has beyond its part stays due; where
# that is more than a hundred, the rest is due again in a second, so that it does not hide what comes behind it.
_CLAIM = """
local going, found, passed = cjson.decode(ARGV[6]), {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1000)) do
  if #found == tonumber(ARGV[2]) then break end
  local owner = redis.call('HGET', ARGV[4] .. id, 'owner') or ''
  if owner == '' or (going[owner] or 0) < tonumber(ARGV[5]) then
    going[owner] = (going[owner] or 0) + 1
    redis.call('ZADD', KEYS[1], ARGV[3], id)
    found[#found + 1] = {id, owner}
  else
    passed = passed + 1
    if passed > 100 then redis.call('ZADD', KEYS[1], ARGV[1] + 1, id) end
  end
end
return found
"""


class Webhooks:
    """The calls that are due, through one Redis client (``decode_responses=True``). Safe to share between threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._claim = client.register_script(_CLAIM)

    def claim(self, most: int, seconds: float, going: Mapping[str, int], of_one: int) -> list[tuple[str, str]]:
        """Jobs whose call is due, and their owners, ours for ``seconds``: who is killed in that time leaves them to another.

        With those that are ``going`` on no owner has more than ``of_one`` calls. Without keys there are no owners, and no bound.
        """
        now = time.time()
        args: list[Any] = [now, most, now + seconds, key_of(""), of_one, json.dumps(going)]
        return [(job_id, owner) for job_id, owner in self._claim(keys=[WEBHOOKS], args=args)]

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
