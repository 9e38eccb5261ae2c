"""Crop and downsample."""

from __future__ import annotations

import numpy as np

from galaxies.area import area_average
from galaxies.errors import BadInput
from training.data.items import Pixels
from training.data.options import Resampling


def centre_square(name: str, pixels: Pixels, crop: int | None, resolution: int) -> Pixels:
    """The central ``crop`` × ``crop`` pixels, or the largest central square, of (bands, H, W).

    Raises
    ------
    BadInput : the image is smaller than the crop, or the square is smaller than ``resolution``: nothing is upsampled.
    """
    height, width = pixels.shape[1:]
    side = crop or min(height, width)
    needed = max(side, resolution)
    if min(height, width) < needed or side < resolution:
        raise BadInput(f"{name} is {width} × {height}; at least {needed} × {needed} is needed")
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]


def downsample(pixels: Pixels, resolution: int, how: Resampling) -> Pixels:
    """A square (bands, S, S) → (bands, resolution, resolution) of the same type.

    ``area`` averages over the area of each new pixel (keeps surface brightness), ``sum`` adds up over it (keeps flux; floats
    only make sense), ``nearest`` takes the pixel at its centre. Levels are rounded to nearest.
    """
    side = pixels.shape[-1]
    if side == resolution:
        return np.ascontiguousarray(pixels)
    if how == "nearest":
        centre = ((np.arange(resolution) + 0.5) * side / resolution).astype(np.int64)
        return np.ascontiguousarray(pixels[:, centre[:, None], centre])
    wide = area_average(pixels, resolution)
    if how == "sum":
        wide *= (side / resolution) ** 2
    return np.rint(wide).astype(np.uint8) if pixels.dtype == np.uint8 else wide.astype(np.float32)
