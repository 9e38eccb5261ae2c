"""One simulated galaxy: parameters from a random generator, then GalSim's profiles through PSF, pixels and noise.

Bulge (Sérsic), disc (exponential), spiral arms (a logarithmic spiral that modulates the disc; Ringermacher & Mead 2009 discuss
such forms), knots of young stars, mergers of two such galaxies with a tidal tail, faint neighbours. GalSim: Rowe et al. 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import galsim
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from training.data.sim_presets import SimBand, SimPreset

FAST = galsim.GSParams(folding_threshold=0.01, maxk_threshold=2e-3, kvalue_accuracy=1e-4, maximum_fft_size=8192)
SERSIC = (2.0, 3.0, 4.0)
ARM_GRID, ARM_CELL = 96, 1 / 10
TAIL_BLOBS = 24
BLUER_ARMS, SCATTER = 0.8, 0.05

Parameters = dict[str, float | str]


@dataclass(frozen=True)
class Component:
    """A profile of flux 1 and the magnitude of its light in every band."""

    profile: Any
    magnitudes: NDArray[np.float64]


def draw_galaxy(preset: SimPreset, rng: np.random.Generator) -> tuple[NDArray[np.float32], Parameters]:
    """Image (bands, side, side) float32 in the preset's unit, first row at the top, and the true parameters.

    All randomness is ``rng``'s. Parameters that a kind of galaxy does not have are empty texts.
    """
    kind = _one_of(preset.shares, rng)
    magnitude, radius = _brightness(preset, rng), _radius(preset, rng)
    if kind == "merger":
        components, parameters = _merger(preset, magnitude, radius, rng)
    else:
        components, parameters = _galaxy(preset, kind, magnitude, radius, rng)
    totals = _total(components)
    neighbours = int(rng.poisson(preset.neighbours))
    everything = components + [one for _ in range(neighbours) for one in _neighbour(preset, magnitude, radius, rng)]
    offset = rng.uniform(-1.0, 1.0, 2) * preset.pixel_scale_arcsec
    image = np.stack([_exposed(preset, band, number, everything, offset, rng) for number, band in enumerate(preset.bands)])
    known: Parameters = {"kind": kind, "pixel_scale_arcsec": preset.pixel_scale_arcsec}
    known |= {f"mag_{band.name}": float(total) for band, total in zip(preset.bands, totals, strict=True)}
    empty: Parameters = dict.fromkeys(PARAMETERS, "")
    return image, known | empty | parameters | {"neighbours": float(neighbours)}


PARAMETERS = (
    "radius_arcsec", "bulge_fraction", "bulge_sersic", "bulge_radius_arcsec", "axis_ratio", "angle_deg", "redness_bulge",
    "redness_disc", "arms", "pitch_deg", "winding", "arm_strength", "companion_flux_ratio", "companion_distance_arcsec",
    "companion_angle_deg", "tail_fraction", "neighbours",
)  # fmt: skip


def _one_of(shares: tuple[tuple[str, float], ...], rng: np.random.Generator) -> str:
    names, weights = zip(*shares, strict=True)
    return str(names[int(rng.choice(len(names), p=weights))])


def _brightness(preset: SimPreset, rng: np.random.Generator) -> float:
    mean, deviation, low, high = preset.magnitude
    return float(np.clip(rng.normal(mean, deviation), low, high))


def _radius(preset: SimPreset, rng: np.random.Generator) -> float:
    median, spread = preset.radius_arcsec
    return float(median * np.exp(np.clip(rng.normal(), -2.0, 2.0) * spread))


def _colours(preset: SimPreset, magnitude: float, redness: float, rng: np.random.Generator) -> NDArray[np.float64]:
    scatter = rng.normal(0.0, SCATTER, len(preset.bands))
    return magnitude + np.array([band.colour + band.redness * redness for band in preset.bands]) + scatter


def _share(magnitude: float, fraction: float) -> float:
    """The magnitude of a fraction of the light."""
    return magnitude - 2.5 * float(np.log10(max(fraction, 1e-6)))


def _galaxy(
    preset: SimPreset, kind: str, magnitude: float, radius: float, rng: np.random.Generator
) -> tuple[list[Component], Parameters]:
    """Bulge, and for discs and spirals a disc, for spirals arms and knots too."""
    elliptical, spiral = kind == "elliptical", kind == "spiral"
    bulge = 1.0 if elliptical else float(rng.uniform(0.03, 0.3 if spiral else 0.5))
    sersic = float(SERSIC[int(rng.integers(len(SERSIC)))])
    bulge_radius = radius if elliptical else radius * float(rng.uniform(0.15, 0.4))
    ratio = float(rng.uniform(0.5, 1.0) if elliptical else np.sqrt(rng.uniform(0.35 if spiral else 0.1, 1.0) ** 2 * 0.96 + 0.04))
    angle = float(rng.uniform(0.0, 180.0))
    old, young = float(rng.normal(0.7, 0.7)), float(rng.normal(-0.4, 0.8))
    bulge_ratio = ratio if elliptical else (1.0 + ratio) / 2.0
    round_ = galsim.Sersic(sersic, half_light_radius=bulge_radius, trunc=6.0 * bulge_radius, gsparams=FAST)
    components = [Component(_tilted(round_, bulge_ratio, angle), _colours(preset, _share(magnitude, bulge), old, rng))]
    parameters: Parameters = {
        "radius_arcsec": radius, "bulge_fraction": bulge, "bulge_sersic": sersic, "bulge_radius_arcsec": bulge_radius,
        "axis_ratio": ratio, "angle_deg": angle, "redness_bulge": old,
    }  # fmt: skip
    if elliptical:
        return components, parameters
    parameters["redness_disc"] = young
    strength = float(rng.uniform(0.15, 0.5)) if spiral else 0.0
    disc = galsim.Exponential(half_light_radius=radius, gsparams=FAST)
    smooth = _colours(preset, _share(magnitude, (1.0 - bulge) * (1.0 - strength)), young, rng)
    components.append(Component(_tilted(disc, ratio, angle), smooth))
    if spiral:
        arms, pitch = float(rng.choice([2, 2, 2, 3, 4])), float(rng.uniform(12.0, 30.0))
        winding, phase = float(rng.choice([-1, 1])), float(rng.uniform(0, 2 * np.pi))
        profile = _arms(radius, int(arms), pitch, winding, phase)
        bright = _colours(preset, _share(magnitude, (1.0 - bulge) * strength), young - BLUER_ARMS, rng)
        components.append(Component(_tilted(profile, ratio, angle), bright))
        parameters |= {"arms": arms, "pitch_deg": pitch, "winding": winding, "arm_strength": strength}
    return components, parameters


def _arms(radius: float, arms: int, pitch: float, winding: float, phase: float) -> Any:
    """Logarithmic spiral arms in an exponential disc, as an image of flux 1; they fade towards the centre."""
    cell = radius * ARM_CELL
    y, x = (np.mgrid[:ARM_GRID, :ARM_GRID] - (ARM_GRID - 1) / 2) * cell
    r, theta = np.hypot(x, y) + 1e-9, np.arctan2(y, x)
    wave = np.cos(arms * (winding * theta - np.log(r / radius) / np.tan(np.radians(pitch))) + phase)
    height = radius / 1.678
    light = np.exp(-r / (1.15 * height)) * np.exp(1.8 * (wave - 1.0)) * (1.0 - np.exp(-((r / (0.6 * height)) ** 2)))
    light *= np.clip((ARM_GRID / 2 * cell - r) / (8 * cell), 0.0, 1.0)
    return galsim.InterpolatedImage(galsim.Image(light, scale=cell), x_interpolant="linear", flux=1.0, gsparams=FAST)


def _tilted(profile: Any, ratio: float, angle: float) -> Any:
    return profile.shear(q=max(ratio, 0.1), beta=angle * galsim.degrees)


def _merger(preset: SimPreset, magnitude: float, radius: float, rng: np.random.Generator) -> tuple[list[Component], Parameters]:
    """Two galaxies side by side and a curved tail out of the first."""
    kinds = [_one_of(preset.merging, rng) for _ in range(2)]
    flux_ratio, tail = float(np.exp(rng.uniform(np.log(0.2), 0.0))), float(rng.uniform(0.04, 0.15))
    first, parameters = _galaxy(preset, kinds[0], _share(magnitude, (1 - tail) / (1 + flux_ratio)), radius * 0.8, rng)
    light = _share(magnitude, (1 - tail) * flux_ratio / (1 + flux_ratio))
    second, _ = _galaxy(preset, kinds[1], light, radius * 0.8 * flux_ratio**0.3, rng)
    distance, direction = radius * float(rng.uniform(1.0, 3.2)), float(rng.uniform(0.0, 2 * np.pi))
    half = (distance / 2 * np.cos(direction), distance / 2 * np.sin(direction))
    moved = [Component(c.profile.shift(-half[0], -half[1]), c.magnitudes) for c in first]
    moved += [Component(c.profile.shift(*half), c.magnitudes) for c in second]
    stream = _tail(radius, direction, float(rng.choice([-1, 1])), distance, rng).shift(-half[0], -half[1])
    moved.append(Component(stream, _colours(preset, _share(magnitude, tail), -0.3, rng)))
    parameters |= {
        "companion_flux_ratio": flux_ratio, "companion_distance_arcsec": distance,
        "companion_angle_deg": float(np.degrees(direction)), "tail_fraction": tail,
    }  # fmt: skip
    return moved, parameters


def _tail(radius: float, direction: float, turn: float, distance: float, rng: np.random.Generator) -> Any:
    """An arc that leaves on the far side of the companion, widens and fades: Gaussians along a curve, flux 1 in all."""
    length, bend = distance * float(rng.uniform(0.8, 1.4)), turn * float(rng.uniform(1.0, 2.2))
    along = np.linspace(0.1, 1.0, TAIL_BLOBS)
    angle = direction + np.pi + bend * along
    reach = radius * 0.4 + length * along
    fluxes = np.exp(-1.5 * along)
    blobs = [
        galsim.Gaussian(sigma=radius * (0.12 + 0.2 * s), flux=float(f), gsparams=FAST).shift(
            float(d * np.cos(a)), float(d * np.sin(a))
        )
        for s, a, d, f in zip(along, angle, reach, fluxes / fluxes.sum(), strict=True)
    ]
    return galsim.Add(blobs, gsparams=FAST)


def _neighbour(preset: SimPreset, magnitude: float, radius: float, rng: np.random.Generator) -> list[Component]:
    """A small faint galaxy somewhere in the field, not on the galaxy itself."""
    field = preset.side * preset.pixel_scale_arcsec / 2
    distance, angle = float(rng.uniform(0.5, 1.2)) * field, float(rng.uniform(0, 2 * np.pi))
    kind = "elliptical" if rng.random() < 0.4 else "disc"
    parts, _ = _galaxy(preset, kind, magnitude + float(rng.uniform(2.0, 5.0)), radius * float(rng.uniform(0.2, 0.6)), rng)
    return [Component(c.profile.shift(distance * np.cos(angle), distance * np.sin(angle)), c.magnitudes) for c in parts]


def _total(components: list[Component]) -> NDArray[np.float64]:
    flux = np.sum([10 ** (-0.4 * component.magnitudes) for component in components], axis=0)
    magnitudes: NDArray[np.float64] = -2.5 * np.log10(flux)
    return magnitudes


def _exposed(
    preset: SimPreset,
    band: SimBand,
    number: int,
    components: list[Component],
    offset: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """One band: light through PSF and pixels, Poisson noise of the light and noise of the sky, smoothed as drizzling does."""
    light = galsim.Add(
        [c.profile * 10 ** (-0.4 * (float(c.magnitudes[number]) - band.zero_point)) for c in components], gsparams=FAST
    )
    image = galsim.Convolve([light.shift(*offset), _psf(preset, band)], gsparams=FAST).drawImage(
        nx=preset.side, ny=preset.side, scale=preset.pixel_scale_arcsec, dtype=float
    )
    clean = np.asarray(image.array)
    white = rng.standard_normal(clean.shape)
    sigma = preset.noise_sigma_px[number]
    if sigma:
        white = gaussian_filter(white, sigma, mode="wrap") / _narrowing(sigma)
    level = rng.normal(0.0, 0.3 * band.noise)
    noisy = clean + white * np.sqrt(band.noise**2 + np.clip(clean, 0.0, None) / band.gain) + level
    return np.ascontiguousarray(noisy[::-1], dtype=np.float32)


@lru_cache(maxsize=16)
def _psf(preset: SimPreset, band: SimBand) -> Any:
    """Airy with the telescope's obscuration in space, Moffat on the ground."""
    if preset.diameter_m is None:
        return galsim.Moffat(beta=3.5, fwhm=band.fwhm_arcsec, gsparams=FAST)
    size = band.wavelength_um * 1e-6 / preset.diameter_m * 206_264.8
    return galsim.Airy(lam_over_diam=size, obscuration=0.2, gsparams=FAST)


@lru_cache(maxsize=16)
def _narrowing(sigma: float) -> float:
    """By how much smoothing lowers the deviation of white noise."""
    impulse = np.zeros(65)
    impulse[32] = 1.0
    return float((gaussian_filter1d(impulse, sigma) ** 2).sum())
