"""PNG: one galaxy as it is, several as one picture; the request is in the iTXt chunk ``galaxy``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, evenly, picture, pictures
from galaxies.encode.layout import equation, grid, sheet, strip, sum_labels
from galaxies.encode.provenance import provenance_text
from galaxies.pixels import Picture
from galaxies.product import Product
from galaxies.requests import Arithmetic, Generate, Interpolate, Mix

STRIP_FRAMES = 10
CHUNK = "galaxy"

_Z_RLE = 3
"""zlib's run-length strategy: on galaxies 5 times as fast as Pillow's default and 6 % smaller (3.9 ms, not 21.5, at 256 px)."""


def encode_png(product: Product, path: Path, created: datetime) -> Encoded:
    """Write the picture of ``product``; ``created`` is not used, so the same product gives the same bytes."""
    pixels = compose(product)
    save_png(pixels, path, provenance_text(product))
    shown = len(_strip_of(product)) if isinstance(product.request, Interpolate) else len(product.images)
    return Encoded("image/png", pixels.shape[1], pixels.shape[0], shown)


def compose(product: Product) -> Picture:
    """The one picture that stands for ``product``: sheet, film strip, grid or sum."""
    request, count, size = product.request, len(product.images), display_size(product)
    if isinstance(request, Interpolate):
        chosen = _strip_of(product)
        return strip(pictures(product, chosen), len(chosen), size)
    if count == 1:
        return picture(product, 0)
    if isinstance(request, Generate):
        return sheet(pictures(product), count, size, request.columns)
    if isinstance(request, Mix):
        return grid(pictures(product), len(request.rows), len(request.columns), size, request.headers)
    assert isinstance(request, Arithmetic)
    return equation(pictures(product), sum_labels([term.weight for term in request.terms]), size)


def _strip_of(product: Product) -> list[int]:
    """The frames that a film strip shows."""
    return evenly(len(product.images), STRIP_FRAMES)


def save_png(pixels: Picture, target: Path | BinaryIO, note: str | None) -> None:
    """Write (H, W) or (H, W, 3) uint8, with ``note``, if there is one, in the iTXt chunk ``galaxy``."""
    info = PngInfo()
    if note is not None:
        info.add_itxt(CHUNK, note)
    Image.fromarray(pixels).save(target, format="PNG", pnginfo=info, compress_type=_Z_RLE)
