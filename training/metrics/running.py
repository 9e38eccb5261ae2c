"""FID of a few samples while a network trains: to see where it goes, not to report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from galaxies.pixels import uint8_from_signed
from training.architectures import Generator
from training.data.archive import Archive
from training.metrics.distances import frechet_distance
from training.metrics.inception import FeatureNetwork, find_network

BATCH = 32

Progress = Callable[[int, int], None]
Pixels = NDArray[np.uint8]


class RunningFid:
    """FID of ``count`` samples against as many training images at most, always of the same latents and images.

    Real features are computed once. Of more than three bands the first three are seen; two are seen as first, second, second.
    """

    def __init__(self, archive: Archive, count: int, device: torch.device) -> None:
        self.archive, self.count, self.device = archive, count, device
        chosen = np.random.default_rng(0).permutation(archive.training())[:count]
        self.chosen = np.sort(chosen)
        self.real: NDArray[np.float32] | None = None
        self.network = FeatureNetwork(find_network(), device, "float32", threads=1)

    def measure(self, generator: Generator, progress: Progress) -> dict[str, float]:
        """``{"fid1000": value}`` of ``generator``'s samples without truncation, for a count of 1,000."""
        if self.real is None:
            self.real = self._features(self._real, len(self.chosen), progress)
        rng = torch.Generator().manual_seed(0)
        fake = self._features(lambda start, stop: self._samples(generator, stop - start, rng), self.count, progress)
        return {f"fid{self.count}": frechet_distance(fake, self.real)}

    def _real(self, start: int, stop: int) -> Pixels:
        indices = self.chosen[start:stop]
        return _seen(self.archive.batch(indices, np.zeros(len(indices), np.int64))[0])

    @torch.no_grad()
    def _samples(self, generator: Generator, n: int, rng: torch.Generator) -> Pixels:
        config = generator.config
        draw = generator.draw(n, rng)
        onehot = None
        if config.classes:
            counts = torch.tensor([c["count"] for c in self.archive.manifest["classes"]], dtype=torch.float32)
            labels = torch.multinomial(counts, n, replacement=True, generator=rng)
            onehot = F.one_hot(labels, config.classes).float().to(self.device)
        noise = draw["noise"].to(self.device) if "noise" in draw else None
        return _seen(generator.sample(draw["z"].to(self.device), onehot, noise).cpu().numpy())

    def _features(self, images: Callable[[int, int], Pixels], count: int, progress: Progress) -> NDArray[np.float32]:
        found = []
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            found.append(self.network.features(images(start, stop)))
            progress(stop, count)
        return np.concatenate(found)


def _seen(images: NDArray[np.float32]) -> Pixels:
    bands = {1: [0], 2: [0, 1, 1]}.get(images.shape[1], [0, 1, 2])
    return uint8_from_signed(np.ascontiguousarray(images[:, bands]))
