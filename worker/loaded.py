"""Model versions that are loaded and warm, within a memory budget."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.errors import BadModel
from galaxies.latents import z_from_seed
from models.generator import CPU, Device, OnnxGenerator
from models.versions import Version
from worker.metrics import Metrics

Array = NDArray[np.float32]

MAP_ROWS = 64
"""Rows of the largest batch of a mapping network, and of every one where batches are filled up."""
WEIGHT_COPIES = 2
"""ONNX Runtime keeps weights as the file has them and, for many operators, once more in the order in which it reads them."""
MAP_PROBES = (1, 2, 3, 7, 16, 63, MAP_ROWS)
BATCH_SIDE = 256
SMALL_BATCHES = 8
"""Every batch size up to this is tried; above it powers of two and the largest."""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A loaded version.

    Attributes
    ----------
    batch_size : most galaxies in one batch.
    buckets : sizes that batches are filled up to, the largest last, because images depend to the bit on the size of their batch;
        among these they do not. Empty where no batch needs filling up.
    shared : other threads than the engine's may run its mapping network, which on a CPU takes less time than waiting for a turn.
    """

    generator: OnnxGenerator
    batch_size: int
    buckets: tuple[int, ...] = ()
    shared: bool = False

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self.generator.card

    def bucket(self, rows: int) -> int:
        """The size that a batch of ``rows`` is filled up to."""
        return next((size for size in self.buckets if size >= rows), rows)


class LoadedModels:
    """Loads versions by digest and keeps those used last within ``memory`` bytes. Safe to share between threads.

    What a version takes is what the process grew by when it was loaded and warmed, at least `WEIGHT_COPIES` times its files. A
    version is loaded and warmed up by the thread that needs it, while the engine goes on with others. One that is put out of
    the cache lives until the last job that holds it ends. The `pin`ned version and the one used last stay, whatever they take.
    ``batch_size``: see `batch_of`; ``parallel``: so many batches of a model run at a time.
    """

    def __init__(self, device: Device, batch_size: int, memory: int, metrics: Metrics | None = None, parallel: int = 1) -> None:
        self._metrics = metrics or Metrics()
        self._device, self._batch_size, self._memory, self._parallel = device, batch_size, memory, parallel
        self._sizes: dict[str, int] = {}
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._pinned: str | None = None
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def get(self, version: Version) -> LoadedModel:
        """The loaded version, after loading it where needed.

        Raises
        ------
        BadModel : its files are damaged or foreign, it does not run in batches, or its pixels are no numbers.
        """
        digest = version.card.digest
        held = self._held(digest)
        if held is not None:
            return held
        with self._loading:
            held = self._held(digest)
            if held is None:
                before = resident_bytes()
                generator = OnnxGenerator(version, self._device)
                batch_size = batch_of(version.card.resolution, self._batch_size)
                buckets = self._warmed(generator, batch_size)
                held = LoadedModel(generator, batch_size, buckets, shared=not buckets and not self._device.bound)
                files = sum(file.bytes for file in version.card.files.values())
                self._sizes[digest] = max(WEIGHT_COPIES * files, resident_bytes() - before)
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
        size = round(self._sizes[digest] / 2**20, 1)
        providers, buckets = model.generator.providers, model.buckets
        _LOG.info("model loaded", model=model.card.reference, providers=providers, buckets=buckets, megabytes=size)

    def _hold(self, digest: str, model: LoadedModel) -> None:
        self._loaded[digest] = model
        for oldest in list(self._loaded)[:-1]:
            if sum(self._sizes[held] for held in self._loaded) <= self._memory:
                return
            if oldest != self._pinned:
                del self._loaded[oldest]

    def _warmed(self, generator: OnnxGenerator, batch_size: int) -> tuple[int, ...]:
        try:
            return self._warm(generator, batch_size)
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime raises many types of its own
            reason = str(error).partition("\n")[0]
            raise BadModel(f"model {generator.card.reference} does not run in batches: {reason}") from None

    def _warm(self, generator: OnnxGenerator, batch_size: int) -> tuple[int, ...]:
        """Run batches of every size that will occur; returns the model's buckets.

        On a CPU most models give the same image to the bit in a batch of any size, and need none. On a GPU sizes that were not
        tried may differ, so there batches have the sizes that were tried and agree with the largest.
        """
        if generator.providers[0] == CPU and images_ignore_batch(generator, MAP_PROBES, batch_probes(batch_size)):
            buckets: tuple[int, ...] = ()
        else:
            buckets = agreeing_buckets(generator, batch_size)
        run_at_once(generator, batch_size, self._parallel)
        return buckets


def batch_of(resolution: int, batch_size: int) -> int:
    """Most galaxies in a batch: ``batch_size``, or as many as have no more pixels than so many of `BATCH_SIDE` pixels a side.

    Of large images a batch gains nothing, takes gigabytes, and a job that is cancelled waits for its end.
    """
    return max(1, min(batch_size, batch_size * BATCH_SIDE**2 // resolution**2))


def resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def agreeing_buckets(generator: OnnxGenerator, batch_size: int) -> tuple[int, ...]:
    """Powers of two below ``batch_size`` whose images are, bit by bit, those of a batch of ``batch_size``; and that size."""
    graph, inputs = _synthesis_probe(generator)
    count = len(inputs[0])

    def images(size: int) -> Array:
        chosen = np.arange(size) % count
        return graph(*(column[chosen] for column in inputs))

    largest = images(batch_size)
    smaller = [2**k for k in range(batch_size.bit_length()) if 2**k < batch_size]
    return (*(size for size in smaller if np.array_equal(images(size), largest[:size], equal_nan=True)), batch_size)


def run_at_once(generator: OnnxGenerator, batch_size: int, count: int) -> None:
    """Run ``count`` of the largest batches at a time, so that ONNX Runtime takes the memory for that now and not under load."""
    if count == 1:
        return
    graph, inputs = _synthesis_probe(generator)
    chosen = np.arange(batch_size) % len(inputs[0])
    batch = tuple(column[chosen] for column in inputs)
    together = threading.Barrier(count)

    def run(_: int) -> None:
        together.wait()
        graph(*batch)

    with ThreadPoolExecutor(count, "warm up") as pool:
        list(pool.map(run, range(count)))


def batch_probes(batch_size: int) -> list[int]:
    """Sizes of batches to try: each up to `SMALL_BATCHES`, then powers of two, and ``batch_size``."""
    powers = [2**k for k in range(batch_size.bit_length()) if 2**k <= batch_size]
    return sorted({*range(1, min(SMALL_BATCHES, batch_size) + 1), *powers, batch_size})


def images_ignore_batch(generator: OnnxGenerator, map_sizes: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether every row of a batch is, bit by bit, what it is in a batch of one, for batches of all these sizes."""
    if generator.card.has_w and not _rows_ignore_batch(generator.map, _mapping_inputs(generator.card), map_sizes):
        return False
    return _rows_ignore_batch(*_synthesis_probe(generator), sizes)


def _mapping_inputs(card: ModelCard) -> tuple[Array, ...]:
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in range(MAP_ROWS)])
    if not card.classes:
        return (z,)
    return z, np.eye(len(card.classes), dtype=np.float32)[np.arange(len(z)) % len(card.classes)]


def _synthesis_probe(generator: OnnxGenerator) -> tuple[Callable[..., Array], tuple[Array, ...]]:
    """The graph that makes images, and inputs for `SMALL_BATCHES` of them; the mapping network runs once in full."""
    card = generator.card
    if not card.has_w:
        return generator.generate, (np.stack([z_from_seed(seed, card.z_dim) for seed in range(SMALL_BATCHES)]),)
    w = generator.map(*_mapping_inputs(card))[:SMALL_BATCHES]
    ws = np.repeat(w[:, None], card.num_ws or 1, axis=1)
    return generator.synthesize, (ws, np.repeat(generator.noise_const[None], len(ws), axis=0))


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
