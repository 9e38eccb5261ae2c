"""Animated WebP; the request is in its XMP packet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, picture, ticks
from galaxies.encode.provenance import provenance_text
from galaxies.product import Product

TICKS_PER_SECOND = 1000
QUALITY = 80

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:galaxy="urn:galaxy:provenance"><galaxy:provenance>{}</galaxy:provenance>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


class _Film(Image.Image):
    """The frames of a product as one of Pillow's multi-frame images, so that its writer takes them one by one."""

    def __init__(self, product: Product) -> None:
        super().__init__()
        self._product = product
        self.n_frames = len(product.images)
        self._at = -1
        self.seek(0)

    def seek(self, frame: int) -> None:
        if frame != self._at:
            pixels = picture(self._product, frame)
            shown = Image.fromarray(pixels if pixels.ndim > 2 else np.stack([pixels] * 3, axis=-1))
            self.im, self._mode, self._size, self._at = shown.im, shown.mode, shown.size, frame

    def tell(self) -> int:
        return max(self._at, 0)


def encode_webp(product: Product, path: Path, created: datetime) -> Encoded:
    """Write the film; it repeats for ever. ``created`` is not used.

    Equal neighbouring frames become one longer frame: libwebp's encoder does that, and the film keeps its length.
    """
    size = display_size(product)
    _Film(product).save(
        path,
        format="WEBP",
        save_all=True,
        loop=0,
        duration=ticks(product, TICKS_PER_SECOND),
        quality=QUALITY,
        method=0,
        xmp=_XMP.format(escape(provenance_text(product))).encode("ascii"),
    )
    return Encoded("image/webp", size, size, len(product.images))
