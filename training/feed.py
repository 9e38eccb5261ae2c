"""What one step is fed with: real images, latents and every other random number, as a function of (seed, step).

On a GPU the data set stays in its memory, so that no step waits for the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from galaxies.errors import BadInput
from training.architectures import Generator
from training.augment import Augmentation
from training.config import TrainConfig
from training.data.archive import Archive
from training.data.describe import describe, spread
from training.losses import Loss

GPU_SHARE = 0.4
CHUNK = 256
STEP = 2 / 255
"""From one of the 256 levels to the next, in -1 … 1."""
HELD_OUT_STREAM = 1
Indices = NDArray[np.int64]


@dataclass
class Batch:
    """The inputs of one step in one process: its slice of the whole batch, on the device.

    ``real`` is (n, bands, H, W); ``draw`` holds the generator's random inputs, ``real_draw`` and ``fake_draw`` the
    augmentation's; ``targets`` and ``alpha`` (n,) the loss's; ``directions``, like ``real``, belongs to path lengths.
    """

    real: Tensor
    onehot: Tensor | None
    draw: dict[str, Tensor]
    real_draw: Tensor
    fake_draw: Tensor
    targets: Tensor | None
    alpha: Tensor
    directions: Tensor


class Feed:
    """Batches of one data set for one process of a run."""

    def __init__(self, config: TrainConfig, archive: Archive, rank: int, device: torch.device) -> None:
        self.config, self.archive, self.device = config, archive.at(config.network.resolution), device
        self.training = archive.training()
        self.holding = np.flatnonzero(archive.held_out)
        if not len(self.training):
            raise BadInput("the archive holds no training images; prepare it with a smaller --held-out")
        if getattr(config.network, "softening", 0.0) and archive.physical:
            raise BadInput("network.softening is for 8-bit images; these are floats, which prepare stretches: it must be 0")
        self.spreads = getattr(config.network, "softening", 0.0) > 0
        n, processes = config.batch, config.processes
        self.share = slice(rank * n // processes, (rank + 1) * n // processes)
        resident = device.type == "cuda" and _fits(self.archive, device)
        self.resident = _Resident(self.archive, device) if resident else None

    def batch(self, step: int, generator: Generator, augmentation: Augmentation, loss: Loss) -> Batch:
        """The inputs of step ``step``."""
        config, n, share = self.config, self.config.batch, self.share
        rng = np.random.default_rng([config.seed, step])
        real, onehot = self._images(self.training, rng)
        draw_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))
        draw = {key: self._to_device(value[share]) for key, value in generator.draw(n, draw_rng).items()}
        more = torch.Generator().manual_seed(int(rng.integers(2**62)))
        targets = loss.targets(n, more)
        wants_directions = config.pl_weight > 0 and step % config.pl_interval == 0
        return Batch(
            real,
            onehot,
            draw,
            augmentation.draw(n, more)[share],
            augmentation.draw(n, more)[share],
            None if targets is None else self._to_device(targets[share]),
            self._to_device(torch.rand(n, generator=more)[share]),
            self._to_device(torch.randn(n, *real.shape[1:], generator=more)[share]) if wants_directions else real,
        )

    def held_out(self, step: int) -> tuple[Tensor, Tensor | None] | None:
        """A batch of held-out images with their classes; None where nothing is held out."""
        if not len(self.holding):
            return None
        return self._images(self.holding, np.random.default_rng([self.config.seed, step, HELD_OUT_STREAM]))

    def first(self) -> Tensor:
        """The first training images, at most a batch, the same in every step."""
        indices = self.training[: self.config.batch]
        pixels, _ = self.archive.batch(indices, np.zeros(len(indices), np.int64))
        return self._to_device(torch.from_numpy(pixels))

    def described(self) -> dict[str, Any]:
        """What checkpoints and cards say of the data set: its manifest, at the side that the network sees."""
        manifest = {k: v for k, v in self.archive.manifest.items() if k not in ("format", "broken")}
        factor = self.archive.factor
        if factor == 1:
            return manifest
        about = describe(manifest)
        scale = None if about.pixel_scale_arcsec is None else about.pixel_scale_arcsec * factor
        bands = [spread(band, factor).model_dump(exclude_none=True) for band in about.bands]
        return manifest | {"resolution": self.archive.side, "pixel_scale_arcsec": scale, "band_details": bands}

    def _images(self, pool: Indices, rng: np.random.Generator) -> tuple[Tensor, Tensor | None]:
        n, config = self.config.batch, self.config
        indices = pool[rng.integers(len(pool), size=n)][self.share]
        symmetry: Indices = np.zeros(n, np.int64)
        if config.dihedral:
            symmetry = rng.integers(8, size=n)
        elif config.flips:  # each axis with probability 1/2: symmetries 0, 2, 4 and 6 of the square
            symmetry = rng.integers(4, size=n) * 2
        elif config.mirror:
            symmetry = rng.integers(2, size=n) * 4
        if self.resident is not None:
            real, labels = self.resident.batch(indices, symmetry[self.share])
        else:
            pixels, numbers = self.archive.batch(indices, symmetry[self.share])
            real, labels = self._to_device(torch.from_numpy(pixels)), torch.from_numpy(numbers)
        if self.spreads:
            real = real + self._within_levels(real.shape[1:], int(rng.spawn(1)[0].integers(2**62)))
        return real, self.onehot(labels)

    def _within_levels(self, shape: torch.Size, seed: int) -> Tensor:
        """What spreads 256 levels out evenly where they are stretched: of the whole batch, so that processes share one draw."""
        rng = torch.Generator(self.device).manual_seed(seed)
        drawn = torch.rand(self.config.batch, *shape, generator=rng, device=self.device)
        return (drawn[self.share] - 0.5) * STEP

    def onehot(self, labels: Tensor) -> Tensor | None:
        """One-hot classes (N, classes) on the device; None for networks without classes."""
        classes = self.config.network.classes
        if not classes:
            return None
        return self._to_device(F.one_hot(labels.clamp(min=0), classes).float())

    def _to_device(self, value: Tensor) -> Tensor:
        if self.device.type == "cpu":
            return value
        return value.pin_memory().to(self.device, non_blocking=True) if value.device.type == "cpu" else value


def _fits(archive: Archive, device: torch.device) -> bool:
    free, _ = torch.cuda.mem_get_info(device)
    return 4 * archive.images.size // archive.factor**2 < GPU_SHARE * free


class _Resident:
    """The data set in the device's memory, float32, with the labels of the plain and of the mirrored images."""

    def __init__(self, archive: Archive, device: torch.device) -> None:
        n = len(archive.images)
        plain, mirrored = np.zeros(n, np.int64), np.full(n, 4, np.int64)
        parts, labels = [], []
        for start in range(0, n, CHUNK):
            indices = np.arange(start, min(start + CHUNK, n))
            pixels, unmoved = archive.batch(indices, plain[indices])
            parts.append(torch.from_numpy(pixels).to(device))
            labels.append(np.stack([unmoved, archive.batch(indices, mirrored[indices])[1]]))
        self.images = torch.cat(parts)
        self.labels = torch.from_numpy(np.concatenate(labels, axis=1))

    def batch(self, indices: Indices, symmetry: Indices) -> tuple[Tensor, Tensor]:
        """As `Archive.batch`."""
        chosen = self.images[torch.from_numpy(indices).to(self.images.device)]
        moved = torch.empty_like(chosen)
        for k in range(8):
            where = torch.from_numpy(np.flatnonzero(symmetry == k)).to(self.images.device)
            moved[where] = dihedral(chosen[where], k)
        return moved, self.labels[torch.from_numpy((symmetry >= 4).astype(np.int64)), torch.from_numpy(indices)]


def dihedral(images: Any, k: int) -> Any:
    """`training.data.archive.dihedral` of a whole batch of tensors (N, bands, H, W)."""
    turned = torch.rot90(images, k % 4, dims=(2, 3))
    return turned.flip(3) if k >= 4 else turned
