"""PNG, JPEG and TIFF: 8-bit levels stay what they are, 16-bit and float pictures become float32."""

from __future__ import annotations

import hashlib
import io
import sys
from typing import Any

import numpy as np
from PIL import Image, ImageFile

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
BITS, SAMPLES, PLANES = 258, 277, 284
"""Tags of TIFF: bits of each sample, samples a pixel, and whether these lie together (1) or in planes."""
OTHER_BYTE = {
    f"{colours};16{order}": f"{colours};16{other}"
    for colours in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
"""By the form of 16-bit colours of which Pillow keeps the high bytes, the one of which it keeps what are their low bytes."""


def read_picture(part: Part, reading: Reading) -> Raw:
    """Pixels (bands, H, W) of one grey or colour picture, or of greyscale pages, a band each; transparency is dropped.

    Raises
    ------
    BadInput : the file is of a form that has no grey or colour values or would lose some, has pages that are no bands, or
        unpacks to more than the limit.
    """
    data = read_bytes(part, reading.limit_bytes)
    with Image.open(io.BytesIO(data)) as stored:
        pages = getattr(stored, "n_frames", 1)
        pixels = _page(part, data, stored, reading) if pages == 1 else _pages(part, data, stored, reading)
    names = BANDS[len(pixels)] if pages == 1 else [f"band{number}" for number in range(1, pages + 1)]
    facts = Facts(tuple(Band(name=name) for name in names), None, FULL if pixels.dtype == np.uint8 else None)
    return Raw(pixels, facts, "sha256:" + hashlib.sha256(data).hexdigest())


def _pages(part: Part, data: bytes, stored: Image.Image, reading: Reading) -> Pixels:
    """Greyscale pages of one shape and type, as a camera or a program that stacks bands writes them."""
    count, size = getattr(stored, "n_frames", 1), 0
    planes: list[Pixels] = []
    for number in range(count):
        stored.seek(number)
        size += stored.width * stored.height
        within_limit(part.name, size, reading.limit_bytes)
        planes.append(_page(part, data, stored, reading))
        forms = [f"{len(plane)} × {plane.shape[1]} × {plane.shape[2]} {plane.dtype}" for plane in (planes[0], planes[-1])]
        if len(planes[-1]) > 1 or forms[0] != forms[1]:
            raise BadInput(
                f"{part.name} has {count} pages, the first {forms[0]} and page {number + 1} {forms[1]} (bands × height × width); "
                "pages are read as bands where all are greyscale of one size and type: save the page that is meant by itself"
            )
    return np.concatenate(planes)


def _page(part: Part, data: bytes, stored: Image.Image, reading: Reading) -> Pixels:
    """The picture or page that is open."""
    within_limit(part.name, stored.width * stored.height * len(stored.getbands()), reading.limit_bytes)
    if stored.mode not in GREY_MODES + COLOUR_MODES + DEEP_MODES:
        raise BadInput(f"{part.name} has pixel mode {stored.mode}; grey and colour of 8 or 16 bits and grey floats are read")
    tags: dict[int, Any] = getattr(stored, "tag_v2", {})
    forms = {_form(tile) for tile in getattr(stored, "tile", ())}
    cut = stored.mode not in DEEP_MODES and (max(tags.get(BITS, (8,))) > 8 or any(";16" in form for form in forms))
    mended = forms <= OTHER_BYTE.keys() and tags.get(PLANES, 1) == 1
    if (cut and not mended) or tags.get(SAMPLES, len(stored.getbands())) != len(stored.getbands()):
        raise BadInput(
            f"{part.name} has more bits or bands than are read of pixel mode {stored.mode}; save it as FITS, as npy, or as one "
            "greyscale file a band (--pattern)"
        )
    if stored.mode in DEEP_MODES:
        return np.asarray(stored).astype(np.float32)[None]
    levels = np.asarray(stored.convert("L" if stored.mode in GREY_MODES else "RGB"))
    if cut:
        levels = levels * np.float32(256) + _low_bytes(data)
    return np.ascontiguousarray(levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1))


def _low_bytes(data: bytes) -> Pixels:
    """Pillow has no colours of 16 bits and takes the high byte of each value; told that the bytes are swapped, the low one."""
    with Image.open(io.BytesIO(data)) as stored:
        assert isinstance(stored, ImageFile.ImageFile)
        stored.tile = [tile._replace(args=_swapped(tile.args)) for tile in stored.tile]
        return np.asarray(stored.convert("RGB"))


def _swapped(args: Any) -> Any:
    return OTHER_BYTE[args] if isinstance(args, str) else (OTHER_BYTE[args[0]], *args[1:])


def _form(tile: Any) -> str:
    """What Pillow calls the form of stored values."""
    return str(tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0])
