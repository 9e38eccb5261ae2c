"""What a FITS header says of an image: band, unit, zero point, wavelength, pixel scale, saturation."""

from __future__ import annotations

import math
from typing import Any

from galaxies.cards import Band

UNIT_KEYS = ("BUNIT", "BUNITS")
ZERO_POINT_KEYS = ("MAGZERO", "MAGZPT", "ZEROPNT", "ZEROPT", "PHOTZP", "MAG_ZERO")
FILTER_KEYS = ("FILTER", "FILTER1", "BAND", "FILTNAM1")
CLEAR = ("", "CLEAR", "CLEAR1L", "CLEAR2L", "N/A", "NONE")
ARCSEC = {"deg": 3600.0, "arcsec": 1.0, "arcmin": 60.0, "rad": math.degrees(1) * 3600.0}
NUMBER_KEYS = ("SATURATE", "SATLEVEL")

# Pivot wavelengths in µm: JWST NIRCam and HST ACS/WFC3 (handbooks), SDSS (Fukugita et al. 1996).
WAVELENGTHS = {
    "F090W": 0.902,
    "F115W": 1.154, "F150W": 1.501, "F200W": 1.989, "F277W": 2.777, "F356W": 3.565, "F410M": 4.084, "F444W": 4.402,
    "F435W": 0.433, "F475W": 0.475, "F555W": 0.536, "F606W": 0.592, "F775W": 0.769, "F814W": 0.806, "F850LP": 0.904,
    "F105W": 1.055, "F110W": 1.153, "F125W": 1.249, "F140W": 1.392, "F160W": 1.537,
    "u": 0.3557, "g": 0.4702, "r": 0.6176, "i": 0.7490, "z": 0.8947,
}  # fmt: skip


def band_of(header: Any, primary: Any, given: str | None, number: int, planes: int, *, use_name: bool = True) -> Band:
    """The band of an image: the name that a pattern gave, else the filter, else the extension's name, else its number.

    ``planes`` of a cube have no header of their own, so only unit and zero point are known for them.
    """
    name = given or ""
    if not name and planes == 1:
        name = _filter(header) or (str(header.get("EXTNAME", "")).strip() if use_name else "") or _filter(primary)
    name = name or f"band{number}"
    return Band(
        name=name,
        unit=_text(header, UNIT_KEYS) or _text(primary, UNIT_KEYS),
        zero_point=zero_point(header) if zero_point(header) is not None else zero_point(primary),
        wavelength_um=_number(header, ("WAVELEN",)) or wavelength_of(name) or _pivot(header),
    )


def wavelength_of(name: str) -> float | None:
    """Wavelength in µm of a band that is known by name."""
    return WAVELENGTHS.get(name) or WAVELENGTHS.get(name.upper())


def zero_point(header: Any) -> float | None:
    """AB magnitude of one unit: as a keyword says, or from PHOTFLAM and PHOTPLAM (HST, ACS data handbook)."""
    value = _number(header, ZERO_POINT_KEYS)
    flux, pivot = _number(header, ("PHOTFLAM",)), _number(header, ("PHOTPLAM",))
    if value is None and flux and pivot:
        return -2.5 * math.log10(flux) - 5.0 * math.log10(pivot) - 2.408
    return value


def pixel_scale(header: Any) -> float | None:
    """Side of a pixel in arcsec: the square root of the area that the linear part of the WCS gives a pixel."""
    unit = str(header.get("CUNIT1", "deg" if str(header.get("CTYPE1", "")).startswith(("RA", "DEC", "GL")) else "")).strip()
    if unit not in ARCSEC:
        return None
    if "CD1_1" in header:
        a, b, c, d = (float(header.get(f"CD{i}_{j}", 0.0)) for i in (1, 2) for j in (1, 2))
    elif "CDELT1" in header:
        x, y = float(header["CDELT1"]), float(header.get("CDELT2", header["CDELT1"]))
        pc = [[float(header.get(f"PC{i}_{j}", i == j)) for j in (1, 2)] for i in (1, 2)]
        a, b, c, d = x * pc[0][0], x * pc[0][1], y * pc[1][0], y * pc[1][1]
    else:
        return None
    area = abs(a * d - b * c)
    return float(f"{math.sqrt(area) * ARCSEC[unit]:.6g}") if area > 0 else None


def saturation(header: Any, primary: Any) -> float | None:
    """The value of a full pixel, where the header names it."""
    value = _number(header, NUMBER_KEYS)
    return value if value is not None else _number(primary, NUMBER_KEYS)


def _filter(header: Any) -> str:
    for key in FILTER_KEYS:
        text = str(header.get(key, "")).strip()
        if text.upper() not in CLEAR:
            return text
    return ""


def _pivot(header: Any) -> float | None:
    """HST writes the pivot wavelength in ångström."""
    pivot = _number(header, ("PHOTPLAM",))
    return None if pivot is None else pivot / 1e4


def _text(header: Any, keys: tuple[str, ...]) -> str | None:
    return next((str(header[key]).strip() for key in keys if str(header.get(key, "")).strip()), None)


def _number(header: Any, keys: tuple[str, ...]) -> float | None:
    for key in keys:
        value = header.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None
