"""The only place where value ranges are converted.

Three ranges occur: *signed* (network output, about -1 … 1), *physical* (fluxes in the units of the card's bands, or display
levels for display-trained models) and *display* (uint8 pictures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import (
    AsinhNormalisation,
    AsinhStretch,
    Band,
    IdentityStretch,
    LinearNormalisation,
    LinearStretch,
    LuptonStretch,
    ModelCard,
)

Resample = Literal["lanczos", "bicubic", "nearest"]
Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

RESAMPLING: dict[str, Image.Resampling] = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}
PERCENTILES = (0.5, 99.5)
DISPLAY_LEVELS = 255.0

_RGB = 3
_LUPTON_SLOPE_AT = 0.1


def signed_from_uint8(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0 … 255 → -1 … 1, the range that networks see."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def uint8_from_signed(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """-1 … 1 → 0 … 255, rounded to nearest; values outside are clipped, NaN becomes 0."""
    scaled = np.rint(pixels.astype(np.float32) * np.float32(127.5) + np.float32(127.5))
    levels: NDArray[np.uint8] = np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0).astype(np.uint8)
    return levels


def physical(images: Floats, normalisation: LinearNormalisation | AsinhNormalisation) -> Floats:
    """Undo the normalisation: network output → values in the units of the bands.

    Parameters
    ----------
    images : (…, bands, H, W) float32, about -1 … 1. Values outside are not clipped; NaN stays NaN.
    normalisation : of the card, one constant a band.

    Returns
    -------
    float32 of the same shape, computed in float64. What float32 cannot hold is ±inf.
    """
    low, high = _per_band(normalisation.low), _per_band(normalisation.high)
    with np.errstate(over="ignore", invalid="ignore"):
        values = low + (images.astype(np.float64) + 1.0) / 2.0 * (high - low)
        if isinstance(normalisation, AsinhNormalisation):
            values = _per_band(normalisation.scale) * np.sinh(values)
        return values.astype(np.float32)


def signed_from_physical(values: Floats, normalisation: LinearNormalisation | AsinhNormalisation) -> Floats:
    """Inverse of `physical`: values in the units of the bands → what networks see, about -1 … 1.

    Parameters
    ----------
    values : (…, bands, H, W) float32. Values outside the constants' range are not clipped; NaN stays NaN.
    normalisation : one constant a band.

    Returns
    -------
    float32 of the same shape, computed in float64.
    """
    low, high = _per_band(normalisation.low), _per_band(normalisation.high)
    wide = values.astype(np.float64)
    if isinstance(normalisation, AsinhNormalisation):
        wide = np.arcsinh(wide / _per_band(normalisation.scale))
    signed: Floats = ((wide - low) / (high - low) * 2.0 - 1.0).astype(np.float32)
    return signed


def display(
    image: Floats,
    card: ModelCard,
    stretch: IdentityStretch | LinearStretch | AsinhStretch | LuptonStretch,
    size: int,
    resample: Resample,
) -> Picture:
    """One galaxy as a picture.

    One band gives a greyscale picture, all others give colour. Three bands of a display-trained model are red, green and blue as
    they stand. Else the bands are ordered by wavelength where the card knows every one, and taken in the card's order, bluest
    first, where it does not: the reddest band is shown red, the bluest blue, and green is the middle one (two bands: their mean).
    Of more than three bands the middle one of the list is taken.

    Parameters
    ----------
    image : (bands, H, W) float32 network output.
    card : of the model; `ModelCard.display` decides whether values are display levels or fluxes.
    stretch : flux models: how fluxes become levels. Ignored by display-trained models.
    size : side of the picture in pixels; the native side means no resampling. Resampled after the stretch.

    Returns
    -------
    (size, size) or (size, size, 3) uint8. Values that are not finite become 0 in their channel.
    """
    if card.display:
        picture = _picture(uint8_from_signed(_channels(np.where(np.isfinite(image), image, -1.0), card.bands, display=True)))
    else:
        picture = flux_picture(physical(image, card.normalisation), card.bands, stretch)
    return _resized(picture, size, resample)


def flux_picture(
    values: Floats, bands: Sequence[Band], stretch: IdentityStretch | LinearStretch | AsinhStretch | LuptonStretch
) -> Picture:
    """Fluxes (bands, H, W) as a picture (H, W) or (H, W, 3) of the same size; bands are chosen as `display` says."""
    return _picture(_stretched(_channels(values, bands, display=False), stretch))


def _picture(levels: Picture) -> Picture:
    return np.ascontiguousarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))


def _per_band(values: list[float]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)[:, None, None]


def _channels(values: Floats, bands: Sequence[Band], *, display: bool) -> Floats:
    """(bands, H, W) → (1, H, W) or (3, H, W): the bands that are shown, red first."""
    count = len(bands)
    if count == 1 or (display and count == _RGB):
        return values
    wavelengths = [band.wavelength_um for band in bands if band.wavelength_um is not None]
    order = np.argsort(wavelengths, kind="stable") if len(wavelengths) == count else np.arange(count)
    blue, red = values[order[0]], values[order[-1]]
    green = (blue + red) / np.float32(2) if count == _RGB - 1 else values[order[count // 2]]
    return np.stack([red, green, blue])


def _stretched(values: Floats, stretch: IdentityStretch | LinearStretch | AsinhStretch | LuptonStretch) -> Picture:
    """Fluxes (channels, H, W) → uint8 levels of the same shape."""
    if isinstance(stretch, IdentityStretch):
        raise ValueError("an identity stretch shows display levels; fluxes need linear, asinh or lupton")
    finite = np.isfinite(values)
    wide = np.where(finite, values, 0.0).astype(np.float64)
    if isinstance(stretch, LuptonStretch):
        shares = _lupton(wide - stretch.minimum, stretch)
    else:
        low, high = _limits(values[finite], stretch)
        shares = np.clip((wide - low) / (high - low), 0.0, 1.0)
        if isinstance(stretch, AsinhStretch):
            shares = np.arcsinh(shares / stretch.a) / np.arcsinh(1.0 / stretch.a)
    levels: Picture = np.rint(255.0 * np.where(finite, shares, 0.0)).astype(np.uint8)
    return levels


def _limits(finite: Floats, stretch: LinearStretch | AsinhStretch) -> tuple[float, float]:
    """Black and white of one image, never equal: an image of one value is black."""
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 1.0)
    low = float(low if stretch.minimum is None else stretch.minimum)
    high = float(high if stretch.maximum is None else stretch.maximum)
    return low, high if high > low else float(np.nextafter(np.float32(low), np.float32(np.inf)))


def _lupton(bands: NDArray[np.float64], stretch: LuptonStretch) -> NDArray[np.float64]:
    """Lupton et al. (2004, PASP 116, 133) as `astropy.visualization.make_lupton_rgb` has it: fluxes above black → 0 … 1.

    The mean of the bands is stretched and every band scaled with it, so colour stays; a pixel whose brightest channel passes 1 is
    divided by that channel.
    """
    intensity = bands.mean(axis=0)
    slope = _LUPTON_SLOPE_AT / np.arcsinh(_LUPTON_SLOPE_AT * stretch.q)
    light = np.where(intensity > 0, intensity, 1.0)
    factor = np.where(intensity > 0, np.arcsinh(light * stretch.q / stretch.stretch) * slope / light, 0.0)
    scaled = np.clip(bands * factor, 0.0, None)
    shares: NDArray[np.float64] = scaled / np.maximum(scaled.max(axis=0), 1.0)
    return shares


def _resized(picture: Picture, size: int, resample: Resample) -> Picture:
    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), RESAMPLING[resample]))
