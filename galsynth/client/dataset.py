"""Thousands of galaxies as batches of arrays, for NumPy loops and torch's DataLoader alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.errors import BadInput, NotFound
from galaxies.requests import MAX_SEED
from galsynth.client.documents import ModelSummary
from galsynth.client.result import Result

if TYPE_CHECKING:
    from galsynth.client.blocking import Client, Job

TRUNCATION = 1
NOISE: dict[str, Any] = {"seed": 0, "each": True}
"""What a training set wants where nothing else is said: the whole distribution, and a noise of its own for every galaxy."""


class Batch(NamedTuple):
    """images : (n, bands, H, W) float32 in the card's units; seeds : (n,) int64; classes : (n,) text, empty without classes."""

    images: NDArray[np.float32]
    seeds: NDArray[np.int64]
    classes: NDArray[np.str_]

    @classmethod
    def of(cls, result: Result) -> Batch:
        """The arrays of an NPZ."""
        arrays = result.arrays()
        return cls(arrays["images"], arrays["seeds"], arrays["classes"])


@dataclass(frozen=True)
class Plan:
    """Which galaxies a data set has: ``count`` seeds from ``first_seed`` on, ``batch`` at a time, each batch with ``options``."""

    count: int
    first_seed: int
    batch: int
    options: dict[str, Any]

    def __len__(self) -> int:
        return (self.count + self.batch - 1) // self.batch

    def body(self, index: int, card: ModelCard) -> dict[str, Any]:
        """The request of batch ``index`` for the model version of ``card``.

        Raises
        ------
        IndexError : there is none of that number.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} is outside 0 … {len(self) - 1}")
        begin = index * self.batch
        end = min(self.count, begin + self.batch)
        seeds = list(range(self.first_seed + begin, self.first_seed + end))
        wanted: dict[str, Any] = {"truncation": TRUNCATION} | ({"noise": NOISE} if card.noise_size else {})
        return {**wanted, **self.options, "model": card.reference, "seeds": seeds}


def plan(count: int, first_seed: int, batch: int, options: dict[str, Any]) -> Plan:
    """The galaxies of the seeds ``first_seed`` … ``first_seed + count - 1``.

    Raises
    ------
    BadInput : a number is out of range, or the options name galaxies themselves.
    """
    if count < 1 or batch < 1:
        raise BadInput(f"count {count} and batch {batch} must be at least 1", field="count")
    if first_seed < 0 or first_seed + count - 1 > MAX_SEED:
        raise BadInput(f"seeds {first_seed} … {first_seed + count - 1} leave 0 … {MAX_SEED}", field="first_seed")
    for name in ("seeds", "count", "latents", "format"):
        if name in options:
            raise BadInput(f"{name} does not go with a data set: count and first_seed say which galaxies it has", field=name)
    if isinstance(options.get("class"), list):
        raise BadInput("class is one name for a data set; make one data set a class", field="class")
    return Plan(count, first_seed, batch, options)


class Dataset:
    """Batches of galaxies, made by the service as they are read; batch ``i`` is the same whenever and wherever it is read.

    Iterating keeps ``ahead`` further batches in the service's queue. To resume, go on where you were: ``dataset.batches(start)``.
    For torch: ``DataLoader(dataset, batch_size=None, shuffle=…, num_workers=…)``; it is what torch calls a map-style data set, of
    batches, and can be sent to worker processes. The model version is pinned when the first batch is asked for; for a set that
    must be the same next year, name it yourself: ``model="sdss-gz1-64@2"``.
    """

    def __init__(self, client: Client, plan: Plan, ahead: int = 2) -> None:
        self._client, self.plan, self.ahead = client, plan, ahead
        self._card: ModelCard | None = None

    def __repr__(self) -> str:
        return f"<Dataset of {self.plan.count} galaxies in {len(self)} batches>"

    def __len__(self) -> int:
        """How many batches there are."""
        return len(self.plan)

    def __getitem__(self, index: int) -> Batch:
        """Batch ``index``; negative ones count from the end.

        Raises
        ------
        IndexError : there is none of that number.
        """
        return self._client.batch(self._body(index + len(self) if index < 0 else index))

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Batches from ``start`` on. An iterator that fails, or is closed, cancels what it has ordered ahead."""
        waiting: deque[Job] = deque()
        following = start
        try:
            while waiting or following < len(self):
                while following < len(self) and len(waiting) <= self.ahead:
                    waiting.append(self._client.order("generate", self._body(following)).submit("npz"))
                    following += 1
                yield Batch.of(waiting.popleft().result())
        finally:
            for job in waiting:
                if not self._client.run(self._client.protocol.abandon(job.id)):
                    break  # out of reach: so are the others

    def _body(self, index: int) -> dict[str, Any]:
        if self._card is None:
            named = self.plan.options.get("model") or default_model(self._client.models())
            self._card = self._client.model(named)
        return self.plan.body(index, self._card)


def default_model(models: list[ModelSummary]) -> str:
    """``name@version`` of the default model.

    Raises
    ------
    NotFound : the service has none.
    """
    found = next((each.reference for each in models if each.default), None)
    if found is None:
        raise NotFound("the service has no default model; name one")
    return found
