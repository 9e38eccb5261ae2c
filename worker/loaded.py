"""Model versions that are loaded and warm, a bounded number of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.latents import z_from_seed
from models.generator import CPU, Device, OnnxGenerator
from models.store import Version
from worker.metrics import Metrics

Array = NDArray[np.float32]

MAP_ROWS = 64
"""Rows of the largest batch of a mapping network, and of every one where batches are filled up."""
MAP_PROBES = (1, 2, 3, 7, 16, 63, MAP_ROWS)
SMALL_BATCHES = 8
"""Every batch size up to this is tried; above it powers of two and the largest."""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A loaded version.

    Attributes
    ----------
    padded : its images depend on the size of their batch, so every batch is filled up to one size.
    shared : other threads than the engine's may run its mapping network, which on a CPU takes less time than waiting for a turn.
    """

    generator: OnnxGenerator
    padded: bool
    shared: bool = False

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self.generator.card


class LoadedModels:
    """Loads versions by digest and keeps the ``limit`` used last. Safe to share between threads.

    A version is loaded and warmed up by the thread that needs it, while the engine goes on with others. One that is put out of
    the cache lives until the last job that holds it ends. The `pin`ned version is never put out.
    """

    def __init__(self, device: Device, batch_size: int, limit: int, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._device, self._batch_size, self._limit = device, batch_size, limit
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._pinned: str | None = None
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def get(self, version: Version) -> LoadedModel:
        """The loaded version, after loading it where needed.

        Raises
        ------
        BadModel : its files are damaged or foreign.
        """
        digest = version.card.digest
        held = self._held(digest)
        if held is not None:
            return held
        with self._loading:
            held = self._held(digest)
            if held is None:
                generator = OnnxGenerator(version, self._device)
                padded = self._needs_padding(generator)
                held = LoadedModel(generator, padded, shared=not padded and generator.providers[0] == CPU)
                self._keep(digest, held)
        return held

    def pin(self, version: Version) -> LoadedModel:
        """`get`, and keep this version instead of the one pinned before, however many others are asked for."""
        loaded = self.get(version)
        with self._lock:
            self._pinned = version.card.digest
            self._hold(self._pinned, loaded)
        return loaded

    @property
    def on_gpu(self) -> bool:
        """Whether models run elsewhere than on the CPU."""
        return self._device.providers[0] != CPU

    def references(self) -> list[str]:
        """``name@version`` of what is loaded."""
        with self._lock:
            return [model.card.reference for model in self._loaded.values()]

    def _held(self, digest: str) -> LoadedModel | None:
        with self._lock:
            held = self._loaded.get(digest)
            if held is not None:
                self._loaded.move_to_end(digest)
            return held

    def _keep(self, digest: str, model: LoadedModel) -> None:
        with self._lock:
            self._hold(digest, model)
        self._metrics.model_loaded(model.card.reference)
        _LOG.info("model loaded", model=model.card.reference, providers=model.generator.providers, padded=model.padded)

    def _hold(self, digest: str, model: LoadedModel) -> None:
        self._loaded[digest] = model
        while len(self._loaded) > self._limit:
            del self._loaded[next(held for held in self._loaded if held != self._pinned)]

    def _needs_padding(self, generator: OnnxGenerator) -> bool:
        """Whether images come out different, to the bit, in batches of different sizes.

        On a GPU they may for sizes that were not tried, so there every batch has the same size and one trial warms the model up.
        """
        if generator.providers[0] != CPU:
            images_ignore_batch(generator, [MAP_ROWS], [self._batch_size])
            return self._batch_size > 1
        return not images_ignore_batch(generator, MAP_PROBES, batch_probes(self._batch_size))


def batch_probes(batch_size: int) -> list[int]:
    """Sizes of batches to try: each up to `SMALL_BATCHES`, then powers of two, and ``batch_size``."""
    powers = [2**k for k in range(batch_size.bit_length()) if 2**k <= batch_size]
    return sorted({*range(1, min(SMALL_BATCHES, batch_size) + 1), *powers, batch_size})


def images_ignore_batch(generator: OnnxGenerator, map_sizes: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether every row of a batch is, bit by bit, what it is in a batch of one, for batches of all these sizes."""
    card = generator.card
    if not card.has_w:
        z = np.stack([z_from_seed(seed, card.z_dim) for seed in range(SMALL_BATCHES)])
        return _rows_ignore_batch(generator.generate, (z,), sizes)
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in range(MAP_ROWS)])
    inputs: tuple[Array, ...] = (z,)
    if card.classes:
        inputs += (np.eye(len(card.classes), dtype=np.float32)[np.arange(len(z)) % len(card.classes)],)
    if not _rows_ignore_batch(generator.map, inputs, map_sizes):
        return False
    w = generator.map(*inputs)[:SMALL_BATCHES]
    ws = np.repeat(w[:, None], card.num_ws or 1, axis=1)
    noise = np.repeat(generator.noise_const[None], len(ws), axis=0)
    return _rows_ignore_batch(generator.synthesize, (ws, noise), sizes)


def _rows_ignore_batch(graph: Callable[..., Array], inputs: tuple[Array, ...], sizes: Sequence[int]) -> bool:
    """`images_ignore_batch` of one graph; batches larger than ``inputs`` repeat them."""
    count = len(inputs[0])
    alone = [graph(*(column[i : i + 1] for column in inputs))[0] for i in range(min(count, max(sizes)))]
    for size in sizes:
        chosen = np.arange(size) % count
        rows = graph(*(column[chosen] for column in inputs))
        if not all(np.array_equal(row, alone[i], equal_nan=True) for row, i in zip(rows, chosen, strict=True)):
            return False
    return True
