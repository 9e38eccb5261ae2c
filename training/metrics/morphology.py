"""Physical measurements of one galaxy: photometry and isophotes by photutils, structure by statmorph.

Every number is NaN where it could not be measured, and the flags say why. Fluxes are above the median of the border; positions,
radii and axes are in pixels. Display-trained models are measured on their display levels: the numbers then compare galaxies with
galaxies of the same kind, and are not physical.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import statmorph
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.stats import sigma_clipped_stats
from numpy.typing import NDArray
from photutils.isophote import Ellipse, EllipseGeometry, Isophote
from photutils.segmentation import SegmentationImage, SourceCatalog, detect_sources

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

VERSION = 1  # raised when a number is measured otherwise, so that kept measurements are not taken for new ones

STRUCTURE = ("gini", "m20", "concentration", "asymmetry", "smoothness", "sersic_n")
SHAPE = ("half_light_radius", "ellipticity", "position_angle", "semi_major_axis", "isophote_flux")
FLAGS = ("no_source", "isophotes_from_moments", "statmorph_failed", "statmorph_flagged", "sersic_failed", "timed_out")
SPECTRUM_BINS = 12
HISTOGRAM_BINS = 128

_BORDER = 0.1
_THRESHOLD = 1.5
_FEWEST_PIXELS = 5
_SMOOTHING = Gaussian2DKernel(1.5, x_size=5, y_size=5)
_STARTS = (1.3, 0.8, 2.0)
_STEP = 0.15
_ITERATIONS = 25
_CONVERGED = (0, 1, 2)  # photutils: fit, or usable though not all harmonics converged


@dataclass(frozen=True)
class _Source:
    """The galaxy: the image above its background, the pixels that are the galaxy's, those of others, and the noise."""

    image: Image
    own: Mask
    others: Mask
    noise: float
    catalogue: Any

    @property
    def threshold(self) -> float:
        return _THRESHOLD * self.noise


def columns(bands: int) -> list[str]:
    """Names of the numbers of `measure`, in their order: fluxes, shape, structure, then flags (0 or 1)."""
    return [*(f"flux_{i}" for i in range(bands)), *SHAPE, *STRUCTURE, *FLAGS]


def measure(image: NDArray[np.float32]) -> dict[str, float]:
    """Measure one galaxy (bands, H, W) in linear units; see `columns`.

    The galaxy is the segment of the band mean that holds the centre, or the nearest one to it. Half-light radius (circular),
    Gini, M20, concentration, asymmetry, smoothness and Sérsic index are statmorph's (Rodriguez-Gomez et al. 2019); ellipticity,
    position angle (degrees from the x axis), semi-major axis and flux inside are those of the outermost elliptical isophote above
    1.5 σ of the border (Fussell & Moews 2019), without their enlargement to 512 px, which adds no information. Where isophotes do
    not fit, the segment's moments stand in, and a flag says so.
    """
    found = dict.fromkeys(columns(len(image)), math.nan) | dict.fromkeys(FLAGS, 0.0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        source = _detect(image.mean(axis=0).astype(np.float64)) if np.isfinite(image).all() else None
        if source is None:
            return found | {"no_source": 1.0}
        found |= {f"flux_{i}": _flux(band, source) for i, band in enumerate(image)}
        found |= _isophotes(source)
        found |= _structure(source)
    return found


def _border(image: Image) -> Mask:
    width = max(1, round(_BORDER * len(image)))
    ring = np.ones(image.shape, dtype=bool)
    ring[width:-width, width:-width] = False
    return ring


def _detect(image: Image) -> _Source | None:
    _, background, noise = sigma_clipped_stats(image[_border(image)], sigma=3.0)
    noise = max(float(noise), float(np.ptp(image)) * 1e-3)
    if noise == 0:
        return None
    above = image - background
    segments = detect_sources(convolve(above, _SMOOTHING), _THRESHOLD * noise, n_pixels=_FEWEST_PIXELS)
    if segments is None:
        return None
    labels = np.asarray(segments.data)
    rows, columns_ = np.nonzero(labels)
    middle = (len(image) - 1) / 2
    nearest = np.argmin((rows - middle) ** 2 + (columns_ - middle) ** 2)
    own = labels == labels[rows[nearest], columns_[nearest]]
    return _Source(above, own, (labels > 0) & ~own, noise, SourceCatalog(above, SegmentationImage(own.astype(np.int32))))


def _flux(band: NDArray[np.float32], source: _Source) -> float:
    wide = band.astype(np.float64)
    return float((wide[source.own] - np.median(wide[_border(wide)])).sum())


def _moments(source: _Source) -> dict[str, float]:
    catalogue = source.catalogue
    return {
        "ellipticity": _number(catalogue.ellipticity),
        "position_angle": _number(catalogue.orientation) % 180.0,
        "semi_major_axis": _number(catalogue.semimajor_axis),
        "isophote_flux": float(source.image[source.own].sum()),
    }


def _isophotes(source: _Source) -> dict[str, float]:
    """Shape of the outermost isophote; starts nearer and farther out until one fits."""
    moments = _moments(source)
    try:
        outer = _outermost(source, moments)
    except Exception:  # photutils' fitter raises many types of its own on odd images
        outer = None
    if outer is None:
        return {**moments, "isophotes_from_moments": 1.0}
    return {
        "ellipticity": float(outer.eps),
        "position_angle": math.degrees(outer.pa) % 180.0,
        "semi_major_axis": float(outer.sma),
        "isophote_flux": float(outer.tflux_e),
    }


def _outermost(source: _Source, moments: dict[str, float]) -> Isophote | None:
    image = np.where(source.others, 0.0, source.image)  # a masked array would be five times slower
    axis, most = moments["semi_major_axis"], len(image) / 2 - 1
    x, y = _number(source.catalogue.x_centroid), _number(source.catalogue.y_centroid)
    ellipticity = min(max(moments["ellipticity"], 0.05), 0.9)
    for start in (min(max(factor * axis, 3.0), most) for factor in _STARTS):
        geometry = EllipseGeometry(x, y, start, ellipticity, math.radians(moments["position_angle"]))
        fitted = Ellipse(image, geometry).fit_image(
            sma0=start, minsma=0.95 * start, maxsma=min(most, 3.5 * axis), step=_STEP, maxit=_ITERATIONS, maxgerr=1.0
        )
        good = [one for one in fitted if one.stop_code in _CONVERGED and one.sma > 0 and one.intens > source.threshold]
        if good:
            return max(good, key=lambda one: float(one.sma))
    return None


def _structure(source: _Source) -> dict[str, float]:
    try:
        (found,) = statmorph.source_morphology(
            source.image,
            source.own.astype(np.int32),
            mask=source.others,
            weightmap=np.full_like(source.image, source.noise),
        )
    except Exception:  # statmorph raises many types of its own on odd images
        return {"statmorph_failed": 1.0}
    numbers = {name: _usable(getattr(found, name)) for name in STRUCTURE}
    numbers["half_light_radius"] = _usable(found.rhalf_circ)
    flags = {"statmorph_flagged": float(found.flag >= 2), "sersic_failed": float(found.flag_sersic >= 2)}
    if flags["sersic_failed"]:
        numbers["sersic_n"] = math.nan
    return numbers | flags


def _usable(value: object) -> float:
    """statmorph writes -99 where it has no answer."""
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) and number > -99.0 else math.nan


def _number(value: Any) -> float:
    """The only element of a photutils quantity or array."""
    return float(np.asarray(getattr(value, "value", value)).ravel()[0])


def radial_spectrum(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """log₁₀ of the radial mean power of the band mean of (N, bands, H, W), (N, `SPECTRUM_BINS`), from low to high frequency."""
    mean = images.mean(axis=1).astype(np.float64)
    power = np.abs(np.fft.fft2(mean - mean.mean(axis=(1, 2), keepdims=True))) ** 2
    frequency = np.hypot(*np.meshgrid(*(2 * [np.fft.fftfreq(images.shape[-1])])))
    bins = np.minimum((frequency / 0.5 * SPECTRUM_BINS).astype(int), SPECTRUM_BINS)  # corners beyond Nyquist are left out
    found = np.stack([power[:, bins == k].mean(axis=1) for k in range(SPECTRUM_BINS)], axis=1)
    spectrum: NDArray[np.float64] = np.log10(found + np.finfo(np.float64).tiny)
    return spectrum


def pixel_histograms(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shares of pixels in `HISTOGRAM_BINS` equal bins of -1 … 1, (N, bands, bins), from network-range images; ends are open."""
    n, bands = images.shape[:2]
    bins = np.clip(((images.astype(np.float64) + 1) / 2 * HISTOGRAM_BINS).astype(int), 0, HISTOGRAM_BINS - 1)
    rows = np.arange(n * bands)[:, None] * HISTOGRAM_BINS + bins.reshape(n * bands, -1)
    counts = np.bincount(rows.ravel(), minlength=n * bands * HISTOGRAM_BINS)
    shares: NDArray[np.float64] = counts.reshape(n, bands, HISTOGRAM_BINS) / rows.shape[1]
    return shares
