"""Pictures of galaxies as data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import ModelCard

Pixels = NDArray[np.uint8]

QUALITY = 88
LARGEST = 1600
COLUMNS = 10
"""Galaxies a row of the sample grids: seeds 0 … 9, and on where a model has no classes."""
ROWS_WITHOUT_CLASSES = 6


def sample_rows(card: ModelCard) -> int:
    """Rows of `COLUMNS` seeds a class."""
    return 1 if card.classes else ROWS_WITHOUT_CLASSES


def grid(images: Pixels, columns: int) -> Pixels:
    """(N, channels, H, W) → one picture (rows·H, columns·W, channels), row by row; a last row is filled with black."""
    rows = -(-len(images) // columns)
    padded = np.concatenate([images, np.zeros((rows * columns - len(images), *images.shape[1:]), np.uint8)])
    _, channels, height, width = padded.shape
    return padded.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2).reshape(-1, columns * width, channels)


def data_uri(picture: Pixels) -> str:
    """(H, W, 1 or 3) uint8 as WebP; pictures wider than `LARGEST` are scaled down."""
    image = Image.fromarray(picture if picture.shape[-1] == 3 else picture[..., 0])
    image.thumbnail((LARGEST, 4 * LARGEST))
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def difference(a: Pixels, b: Pixels) -> Pixels:
    """a - b, grey where equal, twice as strong as the values, (N, channels, H, W)."""
    levels: Pixels = np.clip(128 + 2.0 * (a.astype(np.float64) - b), 0, 255).astype(np.uint8)
    return levels
