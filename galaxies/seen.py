"""What a scorer sees of an image: the mean of its bands as whole grey levels at the scorer's own side.

Images of another side are averaged down over areas or enlarged (bicubic); fluxes are brought from the model's normalisation to
the scorer's first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.area import area_average
from galaxies.cards import ModelCard, ScorerCard
from galaxies.pixels import physical, signed_from_physical, signed_from_uint8, uint8_from_signed
from galaxies.scores import Floats


def seen(images: Floats, card: ModelCard, scorer: ScorerCard) -> Floats:
    """Images (N, bands, H, W) of ``card`` (network output, about -1 … 1) as ``scorer`` sees them: (N, 1, side, side), -1 … 1."""
    if not card.display and card.normalisation != scorer.normalisation:
        images = signed_from_physical(physical(images, card.normalisation), scorer.normalisation)
    return as_seen(np.stack([whole(grey_levels(image, scorer.side)) for image in images])[:, None])


def grey_levels(signed: Floats, side: int) -> Floats:
    """An image (bands, S, S) in -1 … 1 as the mean of its bands: (side, side) levels 0 … 255, not yet whole."""
    levels = uint8_from_signed(signed).mean(axis=0, dtype=np.float32)
    if levels.shape[-1] < side:
        return np.asarray(Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)
    return levels if levels.shape[-1] == side else area_average(levels, side).astype(np.float32)


def whole(levels: Floats) -> NDArray[np.uint8]:
    """Levels rounded to whole ones within 0 … 255."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def as_seen(levels: NDArray[np.uint8]) -> Floats:
    """Whole levels → what scorers see, -1 … 1."""
    return signed_from_uint8(levels)
