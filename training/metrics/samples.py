"""The images that evaluation compares: those of an exported model, seed by seed, and those of an archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.latents import class_from_seed, noise_from_seed, scale, truncate, z_from_seed
from galaxies.pixels import display
from models.generator import OnnxGenerator
from training.data.archive import Archive

BATCH = 32
SAMPLING = 2  # raised when `generate` draws otherwise, so that kept measurements are not taken for new ones

Images = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Samples:
    """A set of ``count`` images. ``name`` decides every pixel; ``signed(a, b)`` gives images a … b - 1.

    Images are (n, bands, H, W) float32 in about -1 … 1.
    """

    what: str
    name: str
    count: int
    signed: Callable[[int, int], Images]


def generated(generator: OnnxGenerator, count: int) -> Samples:
    """Seeds 0 … count - 1 of a model, untruncated, with fresh noise an image and classes as the service draws them."""
    weights = {"mapping", "synthesis", "generator", "buffers"}
    files = {path: entry.sha256 for path, entry in generator.card.files.items() if entry.role in weights}
    classes = [entry.model_dump() for entry in generator.card.classes]
    name = hashlib.sha256(json.dumps([SAMPLING, files, classes], sort_keys=True).encode()).hexdigest()
    return Samples("generated images", name, count, lambda a, b: generate(generator, range(a, b)))


def real(what: str, archive: Archive, indices: NDArray[np.int64]) -> Samples:
    """The images ``indices`` of an archive, at the side that it gives (`Archive.at`)."""
    side = "" if archive.factor == 1 else f" at {archive.side}"  # whole images keep the name, so what is measured stays measured
    name = hashlib.sha256((archive.manifest["digest"] + side).encode() + indices.astype(np.int64).tobytes()).hexdigest()

    def signed(start: int, stop: int) -> Images:
        chosen = indices[start:stop]
        return archive.batch(chosen, np.zeros(len(chosen), dtype=np.int64))[0]

    return Samples(what, name, len(indices), signed)


def generate(generator: OnnxGenerator, seeds: range, class_index: int | None = None, psi: float = 1.0) -> Images:
    """Images (N, bands, H, W) of ``seeds`` at truncation ψ; every class is drawn from its seed unless one is given."""
    parts = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    return np.concatenate([_batch(generator, part, class_index, psi) for part in parts])


def _batch(generator: OnnxGenerator, seeds: range, class_index: int | None, psi: float) -> Images:
    card = generator.card
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in seeds])
    if not card.has_w or generator.w_mean is None:
        return generator.generate(scale(z, psi))
    onehot = None
    if card.classes:
        counts = [c.count for c in card.classes]
        drawn = [class_from_seed(seed, counts) if class_index is None else class_index for seed in seeds]
        onehot = np.eye(len(counts), dtype=np.float32)[drawn]
    ws = np.repeat(generator.map(z, onehot)[:, None], card.num_ws or 1, axis=1)
    noise = np.stack([noise_from_seed(seed, card.noise_size) for seed in seeds])
    return generator.synthesize(truncate(ws, generator.w_mean, psi), noise)


def pictures(images: Images, card: ModelCard) -> Pixels:
    """(N, bands, H, W) network output → (N, 1 or 3, H, W) uint8, as the card's stretch shows it."""
    shown = [display(image, card, card.stretch, card.resolution, "lanczos") for image in images]
    return np.stack([picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1) for picture in shown])


def rendering(card: ModelCard) -> list[object]:
    """What `pictures` follows from, beside the images."""
    return [card.display, card.normalisation.model_dump(), card.stretch.model_dump(), [b.wavelength_um for b in card.bands]]
