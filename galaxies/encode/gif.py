"""GIF: a film with one palette for all frames; the request is in the comment.

Pillow's own writer keeps every frame in memory and merges equal neighbours into one longer frame. Here frames are written as they
come, and their number is kept: Pillow compresses each, the container around them is written by hand (GIF89a, CompuServe 1990).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, evenly, picture, pictures, ticks
from galaxies.encode.provenance import provenance_text
from galaxies.pixels import Picture
from galaxies.product import Product

TICKS_PER_SECOND = 100
PALETTE_FRAMES = 16

_COLOURS = 255
_UNCHANGED = 255
"""The palette's last index means: this pixel is as in the frame before. Noise-free regions then cost almost nothing."""
_KEEP = 1


def encode_gif(product: Product, path: Path, created: datetime) -> Encoded:
    """Write the film; it repeats for ever. ``created`` is not used.

    GIF counts in hundredths of a second: frames of 30 a second last 3, 3 and 4 of them in turn (`galaxies.encode.frames.ticks`).
    """
    size = display_size(product)
    palette = _palette(product)
    durations = ticks(product, TICKS_PER_SECOND)
    with path.open("wb") as stream:
        stream.write(_header(size, palette, provenance_text(product).encode("ascii")))
        for frame, duration in zip(_changes(product, palette), durations, strict=True):
            image = Image.fromarray(frame)
            image.putpalette(palette.tobytes())
            stream.writelines(getdata(image, duration=duration * 10, transparency=_UNCHANGED, disposal=_KEEP))
        stream.write(b";")
    return Encoded("image/gif", size, size, len(product.images))


def _palette(product: Product) -> NDArray[np.uint8]:
    """(256, 3): the colours of about 16 evenly spaced half-size frames, or 255 greys; unused entries repeat the first.

    Maximum coverage keeps the dark levels of the sky apart, which the faster octree makes one black.
    """
    chosen = evenly(len(product.images), PALETTE_FRAMES)
    half = max(1, display_size(product) // 2)
    frames = [picture(product, index, half) for index in chosen]
    colours = np.zeros((0, 3), dtype=np.uint8)
    if frames[0].ndim == 3:
        quantised = Image.fromarray(np.concatenate(frames)).quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
        colours = np.array(quantised.getpalette(), dtype=np.uint8).reshape(-1, 3)[:_COLOURS]
    else:
        colours = np.repeat(np.rint(np.linspace(0, 255, _COLOURS)).astype(np.uint8)[:, None], 3, axis=1)
    return np.concatenate([colours, np.repeat(colours[:1], 256 - len(colours), axis=0)])


def _indices(frame: Picture, palette: Image.Image) -> NDArray[np.uint8]:
    if frame.ndim == 2:
        greys: NDArray[np.uint8] = np.rint(frame * np.float32((_COLOURS - 1) / 255)).astype(np.uint8)
        return greys
    indices = np.array(Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE))
    indices[indices == _UNCHANGED] = 0  # the same colour (see _palette), should Pillow ever choose the last entry
    return indices


def _changes(product: Product, colours: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Palette indices of every frame, `_UNCHANGED` where the frame before has the same."""
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    before: NDArray[np.uint8] | None = None
    for frame in pictures(product):
        indices = _indices(frame, palette)
        yield indices if before is None else np.where(indices == before, np.uint8(_UNCHANGED), indices)
        before = indices


def _header(size: int, palette: NDArray[np.uint8], comment: bytes) -> bytes:
    """Screen, palette of 256 colours, endless repetition, comment."""
    screen = b"GIF89a" + struct.pack("<HHBBB", size, size, 0xF7, 0, 0) + palette.tobytes()
    repeat = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    blocks = [comment[i : i + 255] for i in range(0, len(comment), 255)]
    return screen + repeat + b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"
