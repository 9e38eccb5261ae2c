"""What an archive's manifest says to the model card and to pictures: bands, scale, constants, stretch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from galaxies.cards import Band, IdentityStretch, Stretch
from training.data.archive import Constants, normalisation_of

_STRETCH: TypeAdapter[Stretch] = TypeAdapter(Stretch)
STERADIAN_UNITS = {"MJy/sr": 1e6, "MJy sr-1": 1e6, "Jy/sr": 1.0, "Jy sr-1": 1.0}
AB_ZERO_JANSKY = 8.90
ARCSEC = math.radians(1 / 3600)


@dataclass(frozen=True)
class Description:
    """What a card says about pixel values; all of it follows from the archive's manifest."""

    bands: list[Band]
    pixel_scale_arcsec: float | None
    normalisation: Constants
    stretch: Stretch
    display: bool


def describe(manifest: dict[str, Any]) -> Description:
    """Of a manifest of either format (or its copy in a checkpoint). Format 1 holds display levels."""
    details = manifest.get("band_details") or [{"name": name} for name in manifest["bands"]]
    stretch = manifest.get("stretch")
    return Description(
        bands=[Band(**detail) for detail in details],
        pixel_scale_arcsec=manifest["pixel_scale_arcsec"],
        normalisation=normalisation_of(manifest),
        stretch=IdentityStretch() if stretch is None else _STRETCH.validate_python(stretch),
        display=manifest.get("display", True),
    )


def with_zero_point(band: Band, pixel_scale_arcsec: float | None) -> Band:
    """Surface brightness over a known pixel has a zero point: the AB magnitude of a pixel of value 1."""
    if band.zero_point is not None or band.unit not in STERADIAN_UNITS or pixel_scale_arcsec is None:
        return band
    jansky = STERADIAN_UNITS[band.unit] * (pixel_scale_arcsec * ARCSEC) ** 2
    return band.model_copy(update={"zero_point": float(f"{AB_ZERO_JANSKY - 2.5 * math.log10(jansky):.6g}")})


def spread(band: Band, factor: float) -> Band:
    """``band`` of images averaged down by ``factor``: a pixel holds the light of factor² old ones, so one unit is brighter."""
    if band.zero_point is None:
        return band
    return band.model_copy(update={"zero_point": float(f"{band.zero_point - 5.0 * math.log10(factor):.6g}")})
