"""Model versions that are loaded and warm, a bounded number of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import structlog

from galaxies.cards import ModelCard
from galaxies.latents import z_from_seed
from models.generator import CPU, Device, OnnxGenerator
from models.store import Version

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A loaded version. ``padded``: its images depend on the size of their batch, so every batch is filled up to one size."""

    generator: OnnxGenerator
    padded: bool

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self.generator.card


class LoadedModels:
    """Loads versions by digest and keeps the ``limit`` used last. Safe to share between threads.

    A version is loaded and warmed up by the thread that needs it, while the engine goes on with others. One that is put out of
    the cache lives until the last job that holds it ends.
    """

    def __init__(self, device: Device, batch_size: int, limit: int) -> None:
        self._device, self._batch_size, self._limit = device, batch_size, limit
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
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
                held = LoadedModel(generator, padded=self._needs_padding(generator))
                self._keep(digest, held)
        return held

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
            self._loaded[digest] = model
            while len(self._loaded) > self._limit:
                self._loaded.popitem(last=False)
        _LOG.info("model loaded", model=model.card.reference, providers=model.generator.providers, padded=model.padded)

    def _needs_padding(self, generator: OnnxGenerator) -> bool:
        """Whether images come out different, to the bit, in batches of different sizes.

        On a GPU they may for sizes that were not tried, so there every batch has the same size. The trial also warms the model
        up.
        """
        differs = not images_ignore_batch(generator, sorted({1, 2, 3, self._batch_size}))
        return (differs or generator.providers[0] != CPU) and self._batch_size > 1


def images_ignore_batch(generator: OnnxGenerator, sizes: list[int]) -> bool:
    """Whether the first image of a batch is the same, bit by bit, in batches of all ``sizes``."""
    card = generator.card
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in range(max(sizes))])
    onehot = np.eye(len(card.classes), dtype=np.float32)[np.arange(len(z)) % len(card.classes)] if card.classes else None
    first = []
    for size in sizes:
        if not card.has_w:
            first.append(generator.generate(z[:size])[0])
            continue
        w = generator.map(z[:size], None if onehot is None else onehot[:size])
        ws = np.repeat(w[:, None], card.num_ws or 1, axis=1)
        images = generator.synthesize(ws, np.repeat(generator.noise_const[None], size, axis=0))
        first.append(np.concatenate([w[0].ravel(), images[0].ravel()]))
    return all(np.array_equal(first[0], other, equal_nan=True) for other in first[1:])
