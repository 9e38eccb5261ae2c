"""A regression set with known targets in [0, 8], made of real galaxies: how much of each is left after a known degradation.

The scored images of the ETH report are not public. Here a galaxy as it is has the score 8, a sky without a galaxy or a frame that
people marked "don't know" the score 0, and a galaxy degraded by ``amount`` (0 … 1) the score 8 · (1 - amount):

- ``blur``: a Gaussian of σ = amount · side / 12 pixels;
- ``noise``: normal noise of σ = amount · 64 levels of 255;
- ``shuffle``: that share of the 8 × 8 tiles of the image changes places.

Example i follows from the seed, the part and i alone, whatever the number of examples. Held-out examples show held-out objects
only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from galaxies.cards import BEST_SCORE
from galaxies.errors import BadInput
from galaxies.seen import grey_levels, whole
from training.data.archive import Archive

MEANING = (
    "How much of a galaxy an image shows: 8 for a galaxy as the training set has it, 0 for a sky without one or a frame that "
    "people marked unknown, and 8 · (1 - a) for a galaxy that was degraded by the amount a (0 … 1) of blur, noise "
    "or exchanged tiles."
)
"""What a score measures, as cards say it."""

TILES = 8
BLUR_SIDE = 1 / 12
NOISE_LEVELS = 64.0
KINDS = ("intact", "blur", "noise", "shuffle", "unknown")

Levels = NDArray[np.float32]
Degrade = Callable[[Levels, float, np.random.Generator], Levels]


@dataclass(frozen=True)
class Examples:
    """Images (N, 1, S, S) uint8, targets (N,) float32 in [0, 8], the kind of each, and the number of its object."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    kinds: NDArray[np.str_]
    objects: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, indices: NDArray[np.int64]) -> Examples:
        """Examples ``indices``."""
        return Examples(self.images[indices], self.targets[indices], self.kinds[indices], self.objects[indices])


@dataclass(frozen=True)
class Parts:
    """Where examples come from: galaxies, and frames of nothing known where there are some; training or held-out objects."""

    galaxies: Archive
    unknown: Archive | None
    side: int
    held_out: bool

    def __post_init__(self) -> None:
        for archive in filter(None, (self.galaxies, self.unknown)):
            name = archive.manifest["name"]
            if self.side > archive.images.shape[-1] or self.side % TILES:
                raise BadInput(f"side {self.side}: a multiple of {TILES} up to {name}'s {archive.images.shape[-1]} is needed")
            if not len(self.indices(archive)):
                raise BadInput(f"{name} has no {'held-out' if self.held_out else 'training'} objects; prepare it with --held-out")

    def indices(self, archive: Archive) -> NDArray[np.int64]:
        """The images of this part."""
        return archive.held_out_indices() if self.held_out else archive.training()


def examples(parts: Parts, count: int, seed: int, tell: Callable[[int, int], None]) -> Examples:
    """``count`` examples of ``parts``."""
    made = []
    for number in range(count):
        made.append(_example(parts, number, np.random.default_rng([seed, int(parts.held_out), number])))
        tell(number + 1, count)
    images, targets, kinds, objects = zip(*made, strict=True)
    return Examples(np.stack(images)[:, None], np.array(targets, np.float32), np.array(kinds), np.array(objects, np.int64))


def _example(parts: Parts, number: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], float, str, int]:
    kind = KINDS[number % len(KINDS)]
    if kind == "unknown":
        if parts.unknown is not None and rng.integers(2):
            index = int(rng.choice(parts.indices(parts.unknown)))
            return whole(grey(parts.unknown, index, parts.side)), 0.0, kind, -1 - index
        index = int(rng.choice(parts.indices(parts.galaxies)))
        return whole(_sky(grey(parts.galaxies, index, parts.side), rng)), 0.0, kind, index
    index = int(rng.choice(parts.indices(parts.galaxies)))
    image = grey(parts.galaxies, index, parts.side)
    if kind == "intact":
        return whole(image), BEST_SCORE, kind, index
    amount = rng.uniform()
    if kind == "shuffle":
        amount = round(amount * TILES**2) / TILES**2
    return whole(DEGRADE[kind](image, amount, rng)), BEST_SCORE * (1 - amount), kind, index


def grey(archive: Archive, index: int, side: int) -> Levels:
    """Image ``index`` as the mean of its bands, (side, side) levels 0 … 255, averaged down by area."""
    signed = archive.signed(np.array([index], dtype=np.int64))[0]
    return grey_levels(signed, side)


def _blur(image: Levels, amount: float, rng: np.random.Generator) -> Levels:
    return np.asarray(gaussian_filter(image, amount * image.shape[0] * BLUR_SIDE), dtype=np.float32)


def _noise(image: Levels, amount: float, rng: np.random.Generator) -> Levels:
    return image + rng.normal(0.0, amount * NOISE_LEVELS, image.shape).astype(np.float32)


def _shuffle(image: Levels, amount: float, rng: np.random.Generator) -> Levels:
    """round(64 · amount) tiles, each to the place of the next; one tile alone stays."""
    tile = image.shape[0] // TILES
    tiles = image.reshape(TILES, tile, TILES, tile).swapaxes(1, 2).reshape(TILES**2, tile, tile).copy()
    moved = rng.permutation(TILES**2)[: round(amount * TILES**2)]
    tiles[moved] = tiles[np.roll(moved, 1)]
    return tiles.reshape(TILES, TILES, tile, tile).swapaxes(1, 2).reshape(image.shape)


DEGRADE: dict[str, Degrade] = {"blur": _blur, "noise": _noise, "shuffle": _shuffle}


def _sky(image: Levels, rng: np.random.Generator) -> Levels:
    """A frame of the sky around ``image``: pixels of its border, drawn anew for every place."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return rng.choice(border, image.shape)
