"""What the simulator imitates: bands, pixels, noise, PSF, and how bright, large and red galaxies are. ``PRESETS`` lists them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SimBand:
    """One band: AB magnitude of a pixel of value 1, noise of a pixel, electrons a unit, PSF.

    ``colour`` is the mean of (band - reference band) in magnitudes, ``redness`` by how much it grows with one σ of redness.
    """

    name: str
    wavelength_um: float
    zero_point: float
    noise: float
    gain: float
    fwhm_arcsec: float
    colour: float
    redness: float


@dataclass(frozen=True)
class SimPreset:
    """A camera and its galaxies. ``noise_sigma_px`` smooths the noise as drizzling does; ``neighbours`` is their mean number.

    ``shares`` are those of the kinds among all galaxies, ``merging`` those among the two galaxies of a merger.
    """

    bands: tuple[SimBand, ...]
    unit: str
    pixel_scale_arcsec: float
    side: int
    diameter_m: float | None
    noise_sigma_px: tuple[float, ...]
    magnitude: tuple[float, float, float, float]
    radius_arcsec: tuple[float, float]
    neighbours: float
    shares: tuple[tuple[str, float], ...] = (("elliptical", 0.25), ("disc", 0.3), ("spiral", 0.25), ("merger", 0.2))
    merging: tuple[tuple[str, float], ...] = (("elliptical", 0.3), ("disc", 0.4), ("spiral", 0.3))

    @property
    def kinds(self) -> list[str]:
        """The kinds of galaxies that there are."""
        return [name for name, share in self.shares if share]

    def weighted(self, arms: float | None, mergers: float | None) -> SimPreset:
        """The same camera with spiral arms in a part ``arms`` of all discs and a part ``mergers`` of all galaxies merging.

        The other kinds keep their proportions; None leaves a part as it is.
        """
        shares, merging = dict(self.shares), dict(self.merging)
        if mergers is not None:
            shares = {name: share * (1.0 - mergers) / (1.0 - shares["merger"]) for name, share in shares.items()}
            shares["merger"] = mergers
        if arms is not None:
            for kinds in (shares, merging):
                discs = kinds["disc"] + kinds["spiral"]
                kinds |= {"disc": discs * (1.0 - arms), "spiral": discs * arms}
        return replace(self, shares=tuple(shares.items()), merging=tuple(merging.items()))


def _ceers(scale: float, side: int) -> SimPreset:
    """CEERS NIRCam mosaics (Bagley et al. 2023) in MJy/sr.

    Noise, its correlation, magnitudes, radii and colours are those of the 84 good stamps of the real set at 0.03 arcsec a pixel
    (robust statistics of border pixels and of 1.35 arcsec apertures). Noise is white on larger pixels.
    """
    area = scale / 0.03
    zero = 28.0865 - 5.0 * math.log10(area)
    values = (
        ("F150W", 1.501, 0.0077, 4.0e3, 0.050, 0.79, 0.28),
        ("F277W", 2.777, 0.0040, 8.0e3, 0.092, 0.0, 0.0),
        ("F444W", 4.402, 0.0058, 5.0e3, 0.145, -0.27, -0.22),
    )
    bands = tuple(
        SimBand(name, wave, zero, noise / area, gain * area**2, fwhm, colour, redness)
        for name, wave, noise, gain, fwhm, colour, redness in values
    )
    smooth = (0.48, 0.80, 0.80) if area == 1.0 else (0.0, 0.0, 0.0)
    return SimPreset(bands, "MJy/sr", scale, side, 6.5, smooth, (21.4, 0.9, 18.5, 24.5), (0.28, 0.35), 1.0)


_SDSS = SimPreset(
    bands=(
        SimBand("g", 0.4702, 22.5, 0.012, 900.0, 1.44, 0.65, 0.18),
        SimBand("r", 0.6176, 22.5, 0.018, 850.0, 1.32, 0.0, 0.0),
        SimBand("i", 0.7490, 22.5, 0.026, 800.0, 1.26, -0.33, -0.07),
    ),
    unit="nanomaggy",
    pixel_scale_arcsec=0.396,
    side=128,
    diameter_m=None,
    noise_sigma_px=(0.0, 0.0, 0.0),
    magnitude=(16.4, 0.9, 13.5, 18.0),
    radius_arcsec=(3.6, 0.4),
    neighbours=1.5,
)

PRESETS: dict[str, SimPreset] = {"ceers": _ceers(0.03, 100), "ceers-06": _ceers(0.06, 64), "sdss": _SDSS}
