"""FID and KID of a few samples while a network trains: to see where it goes, not to report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from training.architectures import Generator
from training.data.archive import Archive
from training.data.describe import describe
from training.data.pictures import pictures
from training.metrics.distances import frechet_distance, kernel_distance
from training.metrics.inception import BATCH, FeatureNetwork, find_network

Progress = Callable[[int, int], None]
Pixels = NDArray[np.uint8]


class RunningFid:
    """FID and KID of ``count`` samples against as many training images at most, always of the same latents and images.

    Real features are computed once, of images at the side of the first generator. All are seen as the data set's stretch shows
    them. ``threads`` batches are looked at at a time: those of all processes of a run, which wait meanwhile.
    """

    def __init__(self, archive: Archive, count: int, device: torch.device, threads: int = 1) -> None:
        self.archive, self.count, self.device = archive, count, device
        chosen = np.random.default_rng(0).permutation(archive.training())[:count]
        self.chosen = np.sort(chosen)
        self.about = describe(archive.manifest)
        self.real: NDArray[np.float32] | None = None
        self.network = FeatureNetwork(find_network(), device, "float32", threads)

    def measure(self, generator: Generator, progress: Progress) -> dict[str, float]:
        """``{"fid1000": value, "kid1000": value}`` of ``generator``'s samples without truncation, for a count of 1,000.

        KID is that of one subset, which is as large as can be: unbiased, and a hundred times cheaper than a hundred.
        ``progress`` hears how many images are done, and how many there are: the first time the training images too.
        """
        before = len(self.chosen) if self.real is None else 0

        def tell(done: int) -> None:
            progress(done, before + self.count)

        if self.real is None:
            seen = self.archive.at(generator.config.resolution)
            self.real = self._features(partial(self._real, seen), before, tell)
        rng = torch.Generator().manual_seed(0)
        samples = partial(self._samples, generator, rng)
        fake = self._features(samples, self.count, lambda done: tell(before + done))
        return {
            f"fid{self.count}": frechet_distance(fake, self.real),
            f"kid{self.count}": kernel_distance(fake, self.real, subsets=1)[0],
        }

    def _real(self, archive: Archive, start: int, stop: int) -> Pixels:
        indices = self.chosen[start:stop]
        return self._seen(archive.batch(indices, np.zeros(len(indices), np.int64))[0])

    @torch.no_grad()
    def _samples(self, generator: Generator, rng: torch.Generator, start: int, stop: int) -> Pixels:
        config, n = generator.config, stop - start
        draw = generator.draw(n, rng)
        onehot = None
        if config.classes:
            counts = torch.tensor([c["count"] for c in self.archive.manifest["classes"]], dtype=torch.float32)
            labels = torch.multinomial(counts, n, replacement=True, generator=rng)
            onehot = F.one_hot(labels, config.classes).float().to(self.device)
        noise = draw["noise"].to(self.device) if "noise" in draw else None
        return self._seen(generator.sample(draw["z"].to(self.device), onehot, noise).cpu().numpy())

    def _features(self, images: Callable[[int, int], Pixels], count: int, tell: Callable[[int], None]) -> NDArray[np.float32]:
        found, step = [], BATCH * self.network.threads
        for start in range(0, count, step):
            stop = min(start + step, count)
            parts = [images(first, min(first + BATCH, stop)) for first in range(start, stop, BATCH)]
            found.append(self.network.features(np.concatenate(parts)))
            tell(stop)
        return np.concatenate(found)

    def _seen(self, images: NDArray[np.float32]) -> Pixels:
        """(N, 1 or 3, H, W)."""
        shown = pictures(images, self.about)
        return np.ascontiguousarray(shown[:, None] if shown.ndim == 3 else shown.transpose(0, 3, 1, 2))
