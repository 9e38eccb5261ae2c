"""BentoML: ``bentoml serve benchmarks.peers.bento:Galaxies``; the model store is in ``PEER_STORE``."""

import base64
import os
from pathlib import Path

import bentoml

from benchmarks.peers.model import BATCH, WORKERS, Model
from models.store import ModelStore


@bentoml.service(workers=WORKERS, traffic={"timeout": 90, "max_concurrency": 256})
class Galaxies:
    """One PNG a request; batched answers are JSON there, so a PNG comes as base64."""

    def __init__(self) -> None:
        self.model = Model(ModelStore([Path(os.environ["PEER_STORE"])]).get())

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=60_000, route="/generate")  # type: ignore[untyped-decorator,unused-ignore]
    def generate(self, seeds: list[int]) -> list[str]:
        """PNGs of ``seeds``."""
        return [base64.b64encode(png).decode() for png in self.model.pngs(seeds)]
