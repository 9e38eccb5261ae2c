"""Animated WebP, put together from stills by the container's specification (RFC 9649); the request is in its XMP packet."""

from __future__ import annotations

import io
import struct
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, pictures, ticks
from galaxies.encode.provenance import provenance_text
from galaxies.pixels import Picture
from galaxies.product import Product

TICKS_PER_SECOND = 1000
QUALITY = 80

_ANIMATED, _WITH_XMP = 0x02, 0x04
_OPAQUE = b"\x02"
"""Of a frame: it replaces what was there."""

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:galaxy="urn:galaxy:provenance"><galaxy:provenance>{}</galaxy:provenance>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def encode_webp(product: Product, path: Path, created: datetime) -> Encoded:
    """Write the film; it repeats for ever. ``created`` is not used.

    Every frame is a picture of its own: libwebp's encoder of animations would join neighbours that are similar, and a slow film
    would step.
    """
    size = display_size(product)
    with path.open("wb") as stream:
        stream.write(b"RIFF\0\0\0\0WEBP")
        stream.write(_chunk(b"VP8X", struct.pack("<B3x", _ANIMATED | _WITH_XMP) + 2 * _three_bytes(size - 1)))
        stream.write(_chunk(b"ANIM", bytes(6)))  # black behind it; 0: for ever
        for pixels, duration in zip(pictures(product), ticks(product, TICKS_PER_SECOND), strict=True):
            place = bytes(6) + 2 * _three_bytes(size - 1)
            stream.write(_chunk(b"ANMF", place + _three_bytes(duration) + _OPAQUE + _image_chunk(pixels)))
        stream.write(_chunk(b"XMP ", _XMP.format(escape(provenance_text(product))).encode("ascii")))
        length = stream.tell()
        stream.seek(4)
        stream.write(struct.pack("<I", length - 8))
    return Encoded("image/webp", size, size, len(product.images))


def _image_chunk(pixels: Picture) -> bytes:
    """The bitstream of one picture: a still WebP without its file header."""
    still = io.BytesIO()
    rgb = pixels if pixels.ndim > 2 else np.stack([pixels] * 3, axis=-1)
    Image.fromarray(rgb).save(still, format="WEBP", quality=QUALITY, method=0)
    return still.getvalue()[12:]


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def _three_bytes(number: int) -> bytes:
    return number.to_bytes(3, "little")
