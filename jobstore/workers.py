"""Which workers are alive: each announces itself under a key that expires unless it is announced again."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

import redis
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import ResponseError

from jobstore.layout import PREFIX

BEACON_SECONDS = 15

_INDEX = PREFIX + "workers"


class Costs(BaseModel):
    """Seconds that a worker takes for each job itself, for each pixel that its network makes and for each that is shown; and for
    a pixel of jobs of the kinds that it did last. All 0: not measured yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    per_job: float = 0.0
    per_network_pixel: float = 0.0
    per_shown_pixel: float = 0.0
    per_pixel: float = 0.0


class WorkerInfo(BaseModel):
    """What a worker says about itself: ``device`` in words, ONNX Runtime's ``providers``, ``warm`` references of models, the one
    of them that it takes for the ``default``, how many pixels of jobs it finished a second while it was busy (0: not measured
    yet), what jobs take there, how many run, how many pixels those show, and in how many seconds which of them have their results
    whose galaxies are all made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker_id: str
    pid: int
    device: str
    providers: list[str]
    warm: list[str]
    default: str = ""
    started: datetime
    pixels_per_second: float = 0.0
    costs: Costs = Costs()
    running: int = 0
    running_pixels: int = 0
    rests: dict[str, float] = {}


class WorkerBeacons:
    """Announces workers and lists those alive, through one Redis client (``decode_responses=True``)."""

    def __init__(self, client: redis.Redis) -> None:
        self.client: Any = client

    def announce(self, worker_id: str, info: WorkerInfo, ttl_seconds: int = BEACON_SECONDS) -> None:
        """Say that a worker is alive for the next ``ttl_seconds``."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.set(_key(worker_id), info.model_dump_json(), ex=ttl_seconds)
            pipe.sadd(_INDEX, worker_id)
            pipe.execute()

    def alive(self) -> list[WorkerInfo]:
        """The workers that have announced themselves in time, in order of their ids."""
        ids = sorted(self.client.smembers(_INDEX))
        if not ids:
            return []
        texts = self.client.mget([_key(worker_id) for worker_id in ids])
        gone = [worker_id for worker_id, text in zip(ids, texts, strict=True) if text is None]
        if gone:
            with contextlib.suppress(ResponseError):  # a server that takes no writes still tells who is alive
                self.client.srem(_INDEX, *gone)
        return [info for text in texts if text is not None and (info := _info(text)) is not None]

    def withdraw(self, worker_id: str) -> None:
        """Take a worker off the list at once, for one that stops in good order."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.delete(_key(worker_id))
            pipe.srem(_INDEX, worker_id)
            pipe.execute()


def _key(worker_id: str) -> str:
    return f"{PREFIX}worker:{worker_id}"


def _info(text: str) -> WorkerInfo | None:
    """None for a beacon of another version of this project, whose worker is not ours to judge."""
    try:
        return WorkerInfo.model_validate_json(text)
    except ValidationError:
        return None
