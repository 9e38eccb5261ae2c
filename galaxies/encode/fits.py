"""FITS: float32 bands in the card's units, latents, request and check sums, written piece by piece.

One galaxy is one ImageHDU a band, several are one cube (x, y, n) a band. astropy builds the headers; the data is streamed,
because astropy copies a cube as a whole to add up its DATASUM.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from galaxies.encode.encoded import Encoded
from galaxies.encode.fits_checksum import add_to_sum, checksum_text
from galaxies.encode.fits_headers import band_header, extension_names, header_text, primary_header
from galaxies.encode.frames import native_size
from galaxies.encode.provenance import provenance_text
from galaxies.errors import BadInput
from galaxies.pixels import physical
from galaxies.product import Product, image_names, image_seeds

BLOCK = 2880
CARD = 80
PIECE = 72
TABLE_ROWS = 256
NO_SEED = -1


def encode_fits(product: Product, path: Path, created: datetime) -> Encoded:
    """Write primary header, bands and LATENTS; DATE is ``created``.

    Values are `galaxies.pixels.physical`, whether the model makes fluxes or display levels; NaN and infinities stay. SEED is the
    seed of the first galaxy that has one of its own, and absent where none has.
    """
    with path.open("w+b") as stream:
        _write_hdu(stream, primary_header(product, created), iter(()), history=_history(product))
        for index, name in enumerate(extension_names(product.card.bands)):
            _write_hdu(stream, band_header(product, product.card.bands[index], name), _planes(product, index))
        rows = _latents_dtype(product)
        _write_hdu(stream, _latents_header(product, rows), _latents(product, rows))
    return Encoded("application/fits", *native_size(product), len(product.images))


def request_from_fits(path: Path) -> dict[str, Any]:
    """The provenance of a FITS file that `encode_fits` has written: ``{"request": …, "model": …}``.

    HISTORY that other tools have added behind it is passed over.

    Raises
    ------
    BadInput : the file has no such HISTORY.
    OSError : the file cannot be read, or is not FITS.
    """
    with fits.open(path) as hdus:
        text = "".join(str(line).rstrip() for line in hdus[0].header.get("HISTORY", []))
    try:
        found, _ = json.JSONDecoder().raw_decode(text[max(text.find("{"), 0) :])
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} has no request in its HISTORY: {error}") from None
    if not isinstance(found, dict) or "request" not in found:
        raise BadInput(f"{path} has no request in its HISTORY")
    return found


def _history(product: Product) -> list[bytes]:
    """HISTORY cards of the request. Blanks are escaped: readers drop those at the end of a card."""
    text = provenance_text(product).replace(" ", "\\u0020")
    return [f"HISTORY {text[i : i + PIECE]}".ljust(CARD).encode("ascii") for i in range(0, len(text), PIECE)]


def _planes(product: Product, band: int) -> Iterator[bytes]:
    """One band of every galaxy, bottom row first, as big-endian float32."""
    for index in range(len(product.images)):
        values = physical(product.image(index), product.card.normalisation)[band]
        yield values[::-1].astype(">f4").tobytes()


def _latents_dtype(product: Product) -> np.dtype[Any]:
    """Columns of LATENTS: NAME, SEED, CLASS where the model has classes, SCORE and SCORE_SD, Z and W where the product has them.

    CLASS is as wide as the model's longest, so that tables of one model can be put together.
    """
    names, classes = image_names(product.request), product.card.class_names()
    fields: list[tuple[Any, ...]] = [("NAME", f"S{max(map(len, names))}"), ("SEED", ">i8")]
    if classes:
        fields.append(("CLASS", f"S{max(len(header_text(name)) for name in classes) or 1}"))
    if product.scores is not None:
        fields += [("SCORE", ">f4"), ("SCORE_SD", ">f4")]
    if product.z is not None:
        fields.append(("Z", ">f4", product.z.shape[1:]))
    if product.w is not None:
        fields.append(("W", ">f4", product.w.shape[1:]))
    return np.dtype(fields)


def _latents_header(product: Product, rows: np.dtype[Any]) -> fits.Header:
    header = fits.Header()
    header["XTENSION"] = ("BINTABLE", "binary table")
    header["BITPIX"], header["NAXIS"] = 8, 2
    header["NAXIS1"], header["NAXIS2"] = rows.itemsize, (len(product.images), "one row a galaxy, in cube order")
    header["PCOUNT"], header["GCOUNT"], header["TFIELDS"] = 0, 1, len(rows.names or ())
    header["EXTNAME"] = ("LATENTS", "where the galaxies lie in latent space")
    for number, name in enumerate(rows.names or (), 1):
        column = rows[name]
        values = int(np.prod(column.shape, dtype=np.int64))
        header[f"TTYPE{number}"] = name
        header[f"TFORM{number}"] = f"{column.itemsize}A" if column.kind == "S" else f"{values}{'K' if name == 'SEED' else 'E'}"
        if name == "SEED":
            header[f"TNULL{number}"] = (NO_SEED, "no seed of its own")
        if len(column.shape) > 1:
            header[f"TDIM{number}"] = "(" + ",".join(map(str, reversed(column.shape))) + ")"
    if "W" in (rows.names or ()):
        header.add_comment("W is before truncation.")
    return header


def _latents(product: Product, rows: np.dtype[Any]) -> Iterator[bytes]:
    names, seeds = image_names(product.request), image_seeds(product.request)
    for start in range(0, len(names), TABLE_ROWS):
        chosen = slice(start, start + TABLE_ROWS)
        table = np.zeros(len(names[chosen]), dtype=rows)
        table["NAME"] = names[chosen]
        table["SEED"] = [NO_SEED if seed is None else seed for seed, _ in seeds[chosen]]
        if "CLASS" in (rows.names or ()):
            table["CLASS"] = [header_text(name or "") for _, name in seeds[chosen]]
        judged = product.scores and {"SCORE": product.scores.value, "SCORE_SD": product.scores.spread}
        for column, values in ({"Z": product.z, "W": product.w} | (judged or {})).items():
            if values is not None:
                table[column] = values[chosen]
        yield table.tobytes()


def _write_hdu(stream: BinaryIO, header: fits.Header, chunks: Iterator[bytes], history: list[bytes] | None = None) -> None:
    """Room for the header, the data as it comes, then the header with the check sums that are known by now."""
    start = stream.tell()
    stream.write(_header_bytes(header, history, "0" * 16, 0))
    datasum, written = 0, 0
    for chunk in chunks:
        datasum = add_to_sum(datasum, chunk)
        written += stream.write(chunk)
    stream.write(bytes(-written % BLOCK))
    end = stream.tell()
    blank = _header_bytes(header, history, "0" * 16, datasum)
    stream.seek(start)
    stream.write(_header_bytes(header, history, checksum_text(add_to_sum(datasum, blank)), datasum))
    stream.seek(end)


def _header_bytes(header: fits.Header, history: list[bytes] | None, checksum: str, datasum: int) -> bytes:
    sums = [f"CHECKSUM= '{checksum}'", f"DATASUM = '{datasum:<10d}'"]
    cards: bytes = header.tostring(endcard=False, padding=False).encode("ascii") + b"".join(history or ())
    cards += b"".join(card.ljust(CARD).encode("ascii") for card in (*sums, "END"))
    return cards.ljust(len(cards) + -len(cards) % BLOCK)
