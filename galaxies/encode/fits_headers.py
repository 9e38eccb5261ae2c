"""What the headers of a FITS file say: whose galaxies, from which model, in which units, on which scale."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from astropy.io.fits import Header

from galaxies.cards import Band
from galaxies.encode.frames import native_size
from galaxies.jobs import RENDERER
from galaxies.product import Product, image_seeds

ORIGIN = "galsynth"

_LONGEST_VALUE = 68


def header_text(text: str) -> str:
    """``text`` as one FITS string value: printable ASCII, at most 68 characters with quotes counted twice.

    Accents are dropped, other characters that FITS does not know become ``?``.
    """
    plain = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("μ", "u"))
    kept = "".join(c if " " <= c <= "~" else "?" for c in plain if not unicodedata.combining(c)).strip()
    while len(kept.replace("'", "''")) > _LONGEST_VALUE:
        kept = kept[:-1]
    return kept


def primary_header(product: Product, created: datetime) -> Header:
    """The primary header without its HISTORY."""
    card, request = product.card, product.request
    seeds = [seed for seed, _ in image_seeds(request) if seed is not None]
    header = Header()
    header["SIMPLE"] = (True, "conforms to the FITS standard")
    header["BITPIX"] = (8, "no data here, see the extensions")
    header["NAXIS"] = 0
    header["EXTEND"] = True
    header["ORIGIN"] = (ORIGIN, "galaxy synthesis service")
    header["CREATOR"] = (f"{ORIGIN} renderer {RENDERER}", "software that made this file")
    header["DATE"] = (created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "when it was made (UTC)")
    header["SYNTHET"] = (True, "synthetic galaxies, not observations")
    header["MODEL"] = header_text(card.name)
    header["MODELVER"] = header_text(card.version)
    header["MODELSHA"] = card.digest.removeprefix("sha256:")
    header["OPERATN"] = request.operation
    if seeds:
        several = len(product.images) > 1
        header["SEED"] = (seeds[0], "first seed, all are in LATENTS" if several else "seed of the galaxy")
    if request.truncation is not None:
        header["TRUNC"] = (request.truncation, "truncation psi")
    if product.scores is not None:
        header["SCORER"] = (header_text(product.scores.scorer.reference), "scorer of the column SCORE of LATENTS")
        header["SCORESHA"] = product.scores.scorer.digest.removeprefix("sha256:")
        header["SCORE"] = (float(product.scores.value.mean()), "mean score, 0 to 8")
    header["NGALAXY"] = (len(product.images), "number of galaxies")
    for line in _remarks(product):
        header.add_comment(line)
    return header


def _remarks(product: Product) -> list[str]:
    lines = [
        "Synthetic galaxies of a generative model. They are no observations.",
        "MODELSHA is the SHA-256 of the model version.",
        "HISTORY holds the request as JSON, cut into pieces of 72 characters:",
        "joined, and sent again to the service, it gives the same pixels.",
        "Rows are flipped against the PNG of the same request, for FITS counts",
        "them from the bottom: a viewer shows both the same way up.",
    ]
    if product.card.display:
        lines += [
            "The model was trained on display images (stretched, 8 bit):",
            "values are display-referred levels, not fluxes.",
        ]
    if any(not band.unit for band in product.card.bands):
        lines.append("Bands without BUNIT are in a unit that the model card does not know.")
    return lines


def band_header(product: Product, band: Band, name: str) -> Header:
    """Header of one band's ImageHDU: an image for one galaxy, a cube (x, y, n) for several."""
    width, height = native_size(product)
    count = len(product.images)
    header = Header()
    header["XTENSION"] = ("IMAGE", "image extension")
    header["BITPIX"] = (-32, "float32")
    header["NAXIS"] = 2 if count == 1 else 3
    header["NAXIS1"], header["NAXIS2"] = width, height
    if count > 1:
        header["NAXIS3"] = (count, "galaxies, in the order of LATENTS")
    header["PCOUNT"], header["GCOUNT"] = 0, 1
    header["EXTNAME"] = name
    header["FILTER"] = header_text(band.name) or name
    if band.wavelength_um is not None:
        header["WAVELEN"] = (band.wavelength_um, "[um] wavelength of the band")
    if band.unit:
        header["BUNIT"] = header_text(band.unit)
    if band.zero_point is not None:
        header["MAGZERO"] = (band.zero_point, "[mag] AB magnitude of one BUNIT")
    if product.card.pixel_scale_arcsec is not None:
        _add_scale(header, product.card.pixel_scale_arcsec, width, height, count)
    return header


def _add_scale(header: Header, scale: float, width: int, height: int, count: int) -> None:
    """A linear frame: offsets from the image centre in arcsec. A synthetic galaxy has no place on the sky, so none is given."""
    header["WCSNAME"] = ("OFFSET", "from the image centre, no sky position")
    for axis, length in ((1, width), (2, height)):
        header[f"CTYPE{axis}"] = "LINEAR"
        header[f"CUNIT{axis}"] = "arcsec"
        header[f"CRPIX{axis}"] = ((length + 1) / 2, "centre of the image")
        header[f"CRVAL{axis}"] = 0.0
        header[f"CDELT{axis}"] = (scale, "[arcsec] pixel scale")
    if count > 1:
        header["CTYPE3"] = ("LINEAR", "row of LATENTS")
        header["CRPIX3"], header["CRVAL3"], header["CDELT3"] = 1.0, 1.0, 1.0


def extension_names(bands: list[Band]) -> list[str]:
    """An EXTNAME for every band: its name, made unique and not empty."""
    names: list[str] = []
    for number, band in enumerate(bands, 1):
        name = header_text(band.name) or f"BAND{number}"
        taken = {other.upper() for other in (*names, "LATENTS", "PRIMARY")}
        names.append(name if name.upper() not in taken else f"{name[:24]}_{number}")
    return names
