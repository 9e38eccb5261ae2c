"""Scores of a job's images: scorers that are loaded, and the work of one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import BadModel, NotFound
from galaxies.jobs import ModelRef
from galaxies.product import Product
from galaxies.scores import Scores
from galaxies.seen import seen
from models.generator import Device
from models.scorer import OnnxScorer
from models.store import ModelStore
from worker.tickets import Work

Array = NDArray[np.float32]

KEPT = 2


@dataclass(frozen=True)
class LoadedScorer:
    """A loaded scorer as the engine runs it: always in batches of ``rows``, so that no score depends on what shares its batch."""

    generator: OnnxScorer
    rows: int

    @property
    def batch_size(self) -> int:
        """Every batch has as many."""
        return self.rows

    @property
    def buckets(self) -> tuple[int, ...]:
        """The one size that batches are filled up to."""
        return (self.rows,)

    def bucket(self, rows: int) -> int:
        """The same."""
        return self.rows


@dataclass
class Scorers:
    """Loads scorers by digest and keeps the last `KEPT` of them. Safe to share between threads."""

    store: ModelStore
    device: Device
    rows: int
    _loaded: OrderedDict[str, LoadedScorer] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def get(self, wanted: ModelRef) -> LoadedScorer:
        """The scorer that a job was accepted with.

        Raises
        ------
        BadModel : it is not in this worker's store, is another one there, or its files are damaged.
        """
        try:
            version = self.store.get_scorer(wanted.reference)
        except NotFound as error:
            raise BadModel(f"{error.message}; the job was accepted with it, so this worker's store is not the API's") from None
        digest = version.card.digest
        if digest != wanted.digest:
            raise BadModel(f"scorer {wanted.reference} is not the one that this job was accepted with; send the request again")
        with self._lock:
            held = self._loaded.pop(digest, None) or LoadedScorer(OnnxScorer(version, self.device), self.rows)
            self._loaded[digest] = held
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        return held


def scoring(scorer: LoadedScorer, product: Product) -> Work:
    """The work of judging all images of ``product``; its ``out`` becomes `scores_of`."""
    card = scorer.generator.card

    def rows(start: int, stop: int) -> tuple[Array, ...]:
        return (seen(np.asarray(product.images[start:stop]), product.card, card),)

    return Work(scorer, "judge", len(product.images), rows, np.empty((len(product.images), card.members), np.float32))


def scores_of(scorer: LoadedScorer, work: Work) -> Scores:
    """What the members have said, once ``work`` is done."""
    return Scores.of(scorer.generator.card, work.out)
