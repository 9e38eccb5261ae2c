"""PNG, JPEG and TIFF: 8-bit levels stay what they are, 16-bit and float pictures become float32."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.items import Facts, Part, Pixels, Raw
from training.data.options import Reading
from training.data.read_bytes import read_bytes, within_limit

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
BANDS = {1: ("grey",), 3: ("red", "green", "blue")}
FULL = 255.0


def read_picture(part: Part, reading: Reading) -> Raw:
    """Pixels (1 or 3, H, W); transparency is dropped.

    Raises
    ------
    BadInput : the file is of a mode that has no grey or colour levels, or unpacks to more than the limit.
    """
    data = read_bytes(part, reading.limit_bytes)
    with Image.open(io.BytesIO(data)) as stored:
        within_limit(part.name, stored.width * stored.height * len(stored.getbands()), reading.limit_bytes)
        pixels = _pixels(part, stored)
    facts = Facts(tuple(Band(name=name) for name in BANDS[len(pixels)]), None, FULL if pixels.dtype == np.uint8 else None)
    return Raw(pixels, facts, "sha256:" + hashlib.sha256(data).hexdigest())


def _pixels(part: Part, stored: Image.Image) -> Pixels:
    if stored.mode in DEEP_MODES:
        return np.asarray(stored).astype(np.float32)[None]
    if stored.mode not in GREY_MODES + COLOUR_MODES:
        raise BadInput(f"{part.name} has pixel mode {stored.mode}; grey, colour, 16-bit grey or float are read")
    levels = np.asarray(stored.convert("L" if stored.mode in GREY_MODES else "RGB"))
    return np.ascontiguousarray(levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1))
