"""Distributions of physical measurements: generated against real, beside real against real at the same sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.pixels import physical
from training.metrics import morphology
from training.metrics.chunks import Chunks
from training.metrics.morphology import FLAGS, SPECTRUM_BINS, pixel_histograms, radial_spectrum
from training.metrics.pool import MeasuringPool
from training.metrics.samples import Samples
from training.metrics.statistics import compare, compare_histograms, energy_distance, told_apart

Values = NDArray[np.float64]

CHUNK = 64
DRAWN_BINS = 40
DRAWN_POINTS = 600
DRAWN_RANGE = (0.5, 99.5)
SIGMAS = 1.75  # Concepción thesis (2023)

UNITS = {
    "half-light radius": "pixels",
    "semi-major axis": "pixels",
    "position angle": "degrees",
    "ellipticity": "1 - b/a",
}


@dataclass(frozen=True)
class Measured:
    """One set of galaxies: the numbers of `morphology.columns` (N, columns), log power spectra, pixel histograms."""

    table: Values
    spectra: Values
    histograms: Values


def measure(samples: Samples, card: ModelCard, pool: MeasuringPool, chunks: Chunks) -> Measured:
    """Measure every galaxy of ``samples`` in the units of the bands (display levels for display-trained models)."""
    follows_from = ["morphology", morphology.VERSION, pool.seconds, samples.name, card.normalisation.model_dump(), card.display]

    def make(start: int, stop: int, tick: Callable[[int], None]) -> Values:
        return pool.measure(physical(samples.signed(start, stop), card.normalisation), tick)

    table = chunks.rows(f"{samples.what}, physical", follows_from, samples.count, CHUNK, make).astype(np.float64)
    signed = samples.signed(0, samples.count)
    return Measured(table, radial_spectrum(physical(signed, card.normalisation)), pixel_histograms(signed))


def bands_bluest_first(card: ModelCard) -> list[int]:
    """Band indices from blue to red: by wavelength where known; display RGB reversed; else the card's order."""
    waves = [band.wavelength_um for band in card.bands if band.wavelength_um is not None]
    if len(waves) == len(card.bands):
        return [int(i) for i in np.argsort(waves, kind="stable")]
    order = list(range(len(card.bands)))
    return order[::-1] if card.display and len(order) == 3 else order


def magnitudes(measured: Measured, card: ModelCard) -> Values:
    """-2.5 log₁₀ flux + zero point (0 where not known), (bands, N); NaN for fluxes that are not positive."""
    flux = measured.table[:, : len(card.bands)].T
    zero = np.array([[band.zero_point or 0.0] for band in card.bands])
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Values = np.where(flux > 0, -2.5 * np.log10(flux), np.nan) + zero
    return found


def quantities(measured: Measured, card: ModelCard) -> dict[str, Values]:
    """Name → values (N,) of every scalar statistic."""
    order = bands_bluest_first(card)
    names = [band.name for band in card.bands]
    mags = magnitudes(measured, card)
    found = {f"total flux {names[i]}": mags[i] for i in order}
    found |= {f"colour {names[a]} - {names[b]}": mags[a] - mags[b] for a, b in zip(order, order[1:], strict=False)}
    own = morphology.columns(len(names))
    for name in (*morphology.SHAPE, *morphology.STRUCTURE):
        label = {"half_light_radius": "half-light radius", "semi_major_axis": "semi-major axis", "m20": "M20", "gini": "Gini",
                 "sersic_n": "Sérsic index"}.get(name, name.replace("_", " "))  # fmt: skip
        values = measured.table[:, own.index(name)]
        found[label] = _magnitude(values) if name == "isophote_flux" else values
    thirds = np.array_split(np.arange(SPECTRUM_BINS), 3)
    for name, bins in zip(("large", "middle", "small"), thirds, strict=True):
        found[f"log power at {name} scales"] = measured.spectra[:, bins].mean(axis=1)
    return found


def _magnitude(flux: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, -2.5 * np.log10(flux), np.nan)


def unit(name: str, card: ModelCard) -> str:
    """The unit of a statistic of `quantities`."""
    if "flux" in name or "colour" in name:
        return "instrumental magnitudes of display levels" if card.display else "mag"
    return UNITS.get(name, "")


def distributions(fake: Measured, reference: Measured, floor: Measured, card: ModelCard, seed: int) -> dict[str, Any]:
    """Every comparison, as JSON values; all three sets are of one size."""
    sets = [quantities(one, card) for one in (fake, reference, floor)]
    found: dict[str, Any] = {}
    for name in sets[0]:
        mine, real, other = (values[name] for values in sets)
        spread = float(np.nanstd(real)) if np.isfinite(real).any() else 0.0
        found[name] = {
            "unit": unit(name, card),
            "generated": compare(mine, real, spread or 1.0, seed),
            "floor": compare(other, real, spread or 1.0, seed),
            "median": {key: _median(v) for key, v in zip(("generated", "real", "floor"), (mine, real, other), strict=True)},
            "drawn": _drawn(mine, real, other),
        }
    for i, band in enumerate(card.bands):
        found[f"pixels {band.name}"] = _pixels(fake.histograms[:, i], reference.histograms[:, i], floor.histograms[:, i], seed)
    apart = told_apart({name: part["generated"]["p"] for name, part in found.items() if part["generated"]})
    for name, part in found.items():
        part["told_apart"] = apart.get(name)
    return {
        "n": len(fake.table),
        "statistics": found,
        "joint_energy": _joint(sets[0], sets[1], sets[2], seed),
        "flags": {key: _flags(one, card) for key, one in (("generated", fake), ("real", reference), ("floor", floor))},
        "spectra": {key: one.spectra.mean(axis=0).tolist() for key, one in
                    (("generated", fake), ("real", reference), ("floor", floor))},
        "colour_magnitude": colour_magnitude(fake, reference, floor, card),
    }  # fmt: skip


def _median(values: Values) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def _drawn(*samples: Values) -> dict[str, Any] | None:
    """Histograms to look at, as shares."""
    finite = [values[np.isfinite(values)] for values in samples]
    if min(map(len, finite)) == 0:
        return None
    low, high = np.percentile(np.concatenate(finite), DRAWN_RANGE)
    edges = np.linspace(low, high if high > low else low + 1, DRAWN_BINS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in finite]
    names = ("generated", "real", "floor")
    return {"edges": edges.tolist(), **{name: share.tolist() for name, share in zip(names, shares, strict=True)}}


def _pixels(fake: Values, reference: Values, floor: Values, seed: int) -> dict[str, Any]:
    bins = fake.shape[1]
    drawn = {name: one.mean(axis=0).tolist() for name, one in (("generated", fake), ("real", reference), ("floor", floor))}
    middle = (np.arange(bins) + 0.5) / bins * 2 - 1
    medians = {key: float(middle[np.searchsorted(np.cumsum(values), 0.5)]) for key, values in drawn.items()}
    return {
        "unit": "of the network's range -1 … 1",
        "generated": compare_histograms(fake, reference, seed),
        "floor": compare_histograms(floor, reference, seed),
        "median": medians,
        "drawn": {"edges": np.linspace(-1, 1, bins + 1).tolist(), **drawn},
    }


def _joint(fake: dict[str, Values], reference: dict[str, Values], floor: dict[str, Values], seed: int) -> dict[str, Any]:
    """Energy distance of all scalar statistics together, each in units of the real standard deviation."""
    names = [name for name, values in reference.items() if np.isfinite(values).any() and np.nanstd(values) > 0]

    def scaled(one: dict[str, Values]) -> Values:
        return np.stack([(one[n] - np.nanmean(reference[n])) / np.nanstd(reference[n]) for n in names], axis=1)

    real = scaled(reference)
    return {"generated": energy_distance(scaled(fake), real, seed), "floor": energy_distance(scaled(floor), real, seed)}


def _flags(measured: Measured, card: ModelCard) -> dict[str, int]:
    own = morphology.columns(len(card.bands))
    return {name: int(measured.table[:, own.index(name)].sum()) for name in FLAGS}


def colour_magnitude(fake: Measured, reference: Measured, floor: Measured, card: ModelCard) -> dict[str, Any] | None:
    """The share of galaxies inside median ± 1.75 σ of the real magnitude and colour; None for models of one band.

    The colour is that of the two bluest bands, the magnitude that of the redder of them: g - r and r for g, r, i.
    """
    order = bands_bluest_first(card)
    if len(order) < 2:
        return None
    blue, red = order[:2]
    points = []
    for one in (fake, reference, floor):
        mags = magnitudes(one, card)
        points.append(np.stack([mags[red], mags[blue] - mags[red]], axis=1))
    real = points[1][np.isfinite(points[1]).all(axis=1)]
    if len(real) == 0:
        return None
    centre, deviation = np.median(real, axis=0), real.std(axis=0)
    low, high = centre - SIGMAS * deviation, centre + SIGMAS * deviation

    def share(values: Values) -> float:
        """Galaxies without a magnitude count as outside."""
        return float(((values >= low) & (values <= high)).all(axis=1).mean())

    names = [card.bands[i].name for i in (blue, red)]
    return {
        "magnitude": names[1],
        "colour": " - ".join(names),
        "low": low.tolist(),
        "high": high.tolist(),
        "share": {"generated": share(points[0]), "real": share(points[1]), "floor": share(points[2])},
        "points": {
            key: np.round(values[np.isfinite(values).all(axis=1)][:DRAWN_POINTS], 4).tolist()
            for key, values in zip(("generated", "real"), points[:2], strict=True)
        },
    }
