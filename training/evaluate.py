"""``evaluate``: FID and KID of an exported model against its training images, beside a real-versus-real floor.

The exported ONNX is judged, through the class that serves, without truncation and with fresh noise an image. Image i is that of
seed i, so the numbers follow from the model and the count. Features are kept under a cache folder: nothing is done
twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from galaxies.latents import class_from_seed, noise_from_seed, z_from_seed
from galaxies.pixels import uint8_from_signed
from models.generator import OnnxGenerator
from models.store import Version, describe
from training.data.archive import Archive
from training.metrics.distances import frechet_distance, kernel_distance
from training.metrics.inception import features, load_network

BATCH = 32
CHUNK = 512
SAMPLING = 2  # raised when `seeded_images` draws otherwise, so that kept features are not taken for new ones
SAMPLE_GRID = (6, 10)

Progress = Callable[[str, int, int], None]
Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class EvaluateOptions:
    """``count`` images are generated; features are kept under ``cache``; ``network`` is the FID network's file."""

    count: int
    cache: Path
    network: Path
    device: str = "cpu"


def evaluate(folder: Path, archive: Archive, options: EvaluateOptions, progress: Progress) -> dict[str, Any]:
    """Measure the exported model in ``folder``, write the figures into its card and a sample sheet beside it.

    Raises
    ------
    BadInput : the folder holds no exported model, or the archive is not the one that the model was trained on.
    """
    try:
        card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} is not an exported model: {error}") from None
    if card.training.get("dataset_digest") != archive.manifest["digest"]:
        raise BadInput(
            f"{folder} was trained on {card.training.get('dataset_digest')}, the archive is {archive.manifest['digest']}; "
            "give the archive of its training"
        )
    generator = OnnxGenerator(Version(card, folder))
    measure = _Measure(options, progress)
    files = {path: entry.sha256 for path, entry in card.files.items() if entry.role != "samples"}
    name = hashlib.sha256(json.dumps([SAMPLING, files]).encode()).hexdigest()
    fake = measure.features("generated images", name, options.count, lambda a, b: seeded_images(generator, range(a, b)))
    training = archive.training()
    real = measure.features(
        "training images", archive.manifest["digest"], len(training), lambda a, b: archive.levels(training[a:b])
    )
    metrics = {**card.metrics, **_figures(real, fake)}
    sheet = folder / "samples.png"
    sample_sheet(generator).save(sheet, optimize=True)
    update = {"metrics": metrics, "files": {**card.files, "samples.png": describe(sheet, "samples")}}
    card = card.model_copy(update=update)
    card = card.model_copy(update={"digest": card.compute_digest()})
    aside = folder / ".card.json"
    aside.write_text(card.model_dump_json(indent=1) + "\n")
    aside.replace(folder / "card.json")
    return metrics


def _figures(real: Features, fake: Features) -> dict[str, Any]:
    order = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    first, second = real[order[:half]], real[order[half:]]
    kid, kid_deviation = kernel_distance(fake, real)
    floor_kid, floor_deviation = kernel_distance(first, second)
    counts = {"n_generated": len(fake), "n_reference": len(real)}
    size = f"{len(fake) // 1000}k" if len(fake) % 1000 == 0 else str(len(fake))
    return {
        f"fid{size}_train": {"value": frechet_distance(fake, real), **counts},
        f"kid{size}_train": {"value": kid, "deviation": kid_deviation, **counts},
        "floor": {
            "meaning": "training images against training images, random halves",
            "fid": frechet_distance(first, second),
            "kid": floor_kid,
            "kid_deviation": floor_deviation,
            "n_first": len(first),
            "n_second": len(second),
        },
    }


class _Measure:
    """Features of images in chunks that are kept, so that a killed run goes on where it was."""

    def __init__(self, options: EvaluateOptions, progress: Progress) -> None:
        self.options, self.progress = options, progress
        self.device = torch.device(options.device)
        self.network: torch.jit.ScriptModule | None = None

    def features(self, what: str, name: str, count: int, images: Callable[[int, int], Pixels]) -> Features:
        folder = self.options.cache / name.removeprefix("sha256:")[:24]
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            path = folder / f"{start}-{stop}.npy"
            if not path.exists():
                self._compute(path, what, count, start, images(start, stop))
            parts.append(np.load(path, allow_pickle=False))
            self.progress(what, stop, count)
        return np.concatenate(parts)

    def _compute(self, path: Path, what: str, count: int, start: int, pixels: Pixels) -> None:
        if self.network is None:
            self.network = load_network(self.options.network, self.device)
        found = []
        for offset in range(0, len(pixels), BATCH):
            found.append(features(self.network, pixels[offset : offset + BATCH], self.device))
            self.progress(what, start + offset, count)
        aside = path.with_suffix(".tmp.npy")
        np.save(aside, np.concatenate(found))
        aside.replace(path)


def seeded_images(generator: OnnxGenerator, seeds: range, class_index: int | None = None) -> Pixels:
    """Images (N, bands, H, W) uint8 of ``seeds`` without truncation; classes as the service draws them, unless given."""
    return np.concatenate([_batch(generator, part, class_index) for part in _split(seeds)])


def _split(seeds: range) -> Iterator[range]:
    for start in range(0, len(seeds), BATCH):
        yield seeds[start : start + BATCH]


def _batch(generator: OnnxGenerator, seeds: range, class_index: int | None) -> Pixels:
    card = generator.card
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in seeds])
    if not card.has_w:
        return uint8_from_signed(generator.generate(z))
    onehot = None
    if card.classes:
        counts = [c.count for c in card.classes]
        drawn = [class_from_seed(seed, counts) if class_index is None else class_index for seed in seeds]
        onehot = np.eye(len(counts), dtype=np.float32)[drawn]
    ws = np.repeat(generator.map(z, onehot)[:, None], card.num_ws or 1, axis=1)
    noise = np.stack([noise_from_seed(seed, card.noise_size) for seed in seeds])
    return uint8_from_signed(generator.synthesize(ws, noise))


def sample_sheet(generator: OnnxGenerator) -> Image.Image:
    """Untruncated samples, not chosen: seeds 0 … 9, a row a class (or 60 seeds where there are no classes)."""
    rows, columns = SAMPLE_GRID
    classes = len(generator.card.classes)
    if classes:
        images = np.concatenate([seeded_images(generator, range(columns), k) for k in range(classes)])
    else:
        images = seeded_images(generator, range(rows * columns))
    n, bands, side, _ = images.shape
    sheet = images.reshape(n // columns, columns, bands, side, side).transpose(0, 3, 1, 4, 2).reshape(-1, columns * side, bands)
    return Image.fromarray(sheet if bands == 3 else sheet[..., 0])
