"""A product → the bytes of one file, each format with its provenance in its own way.

``FORMATS`` is the list: a new format is one file with one function ``(product, path, created) -> Encoded`` and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from galaxies.encode.archive import encode_npz, encode_zip
from galaxies.encode.encoded import Encoded
from galaxies.encode.fits import encode_fits, request_from_fits
from galaxies.encode.gif import encode_gif
from galaxies.encode.mp4 import encode_mp4
from galaxies.encode.png import encode_png
from galaxies.encode.webp import encode_webp
from galaxies.errors import Unsupported
from galaxies.product import Product, image_names

__all__ = ["FORMATS", "Encoded", "encode", "request_from_fits"]

FORMATS: dict[str, Callable[[Product, Path, datetime], Encoded]] = {
    "png": encode_png,
    "fits": encode_fits,
    "gif": encode_gif,
    "webp": encode_webp,
    "mp4": encode_mp4,
    "zip": encode_zip,
    "npz": encode_npz,
}


def encode(product: Product, path: Path, created: datetime, on_image: Callable[[int], None] = lambda _: None) -> Encoded:
    """Write ``product`` at ``path`` in the format that its request names.

    A failure may leave half a file: ``path`` lies where nobody looks for results, and `jobstore.results.ResultStore.put` moves
    what is whole to where they do. Images are converted one at a time, so memory does not grow with their number. The same
    product gives the same bytes, except for the DATE of a FITS file, which is ``created``.

    Parameters
    ----------
    product : its request is resolved, and its images are in the order of `galaxies.product.image_names`.
    path : of the file to be; its folder exists. An existing file is replaced.
    created : when the galaxies were made, with a time zone.
    on_image : called with the index of each image before it is converted, and may wait until that image is there, so that
        encoding can begin before the last is made; what it raises ends the encoding and comes through.

    Raises
    ------
    Unsupported : the request names no format, or one that its operation does not have.
    ValueError : the images do not fit the request or the card, or ``created`` has no time zone.
    OSError : the file cannot be written.
    """
    _check(product, created)
    return FORMATS[product.request.format or ""](replace(product, on_image=on_image), path, created)


def _check(product: Product, created: datetime) -> None:
    request, shape = product.request, product.images.shape
    if request.format not in request.formats:
        raise Unsupported(
            f"{request.operation} cannot be written as {request.format}; its formats are {', '.join(request.formats)}",
            field="/format",
        )
    expected = (len(image_names(request)), len(product.card.bands))
    if len(shape) != 4 or shape[:2] != expected:
        raise ValueError(f"images have shape {shape}; the request and the card make (N, bands) = {expected}")
    if created.tzinfo is None:
        raise ValueError("created has no time zone; give it in UTC")
