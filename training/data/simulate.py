"""``prepare --simulate``: galaxies made with GalSim through the same crop, downsampling, filters and constants as real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.archive import Archive
from training.data.items import Facts, Item, Raw
from training.data.like import read_like
from training.data.options import PrepareOptions, Reading
from training.data.prepare import Progress, gather, mirrored
from training.data.process import Outcome, finish
from training.data.sim_presets import PRESETS, SimPreset
from training.data.write import aside

__all__ = ["PRESETS", "Simulation", "simulate"]


@dataclass(frozen=True)
class Simulation:
    """``count`` galaxies as ``preset`` has them; image i follows from ``seed`` and i alone.

    ``arms`` is the part of discs with spiral arms, ``mergers`` the part of all galaxies that merge; None: as the preset has it.
    """

    preset: str
    count: int
    seed: int = 0
    arms: float | None = None
    mergers: float | None = None

    @property
    def camera(self) -> SimPreset:
        """The camera and the galaxies of the preset, with the parts that are asked for."""
        return PRESETS[self.preset].weighted(self.arms, self.mergers)


def simulate(options: PrepareOptions, simulation: Simulation, progress: Progress) -> Archive:
    """Make and write an archive with the true parameters in ``catalogue.csv``.

    ``options.selection.class_column`` may name a column of the catalogue (``kind``) whose values become classes.

    Raises
    ------
    BadInput : the preset is unknown, or a table is given.
    """
    if simulation.preset not in PRESETS:
        raise BadInput(f"--simulate {simulation.preset!r}: {', '.join(PRESETS)} are allowed", field="simulate")
    if options.selection.csv is not None:
        raise BadInput("--simulate makes its own catalogue; --csv does not go with it", field="csv")
    of_files = {
        "--rename-class": options.selection.rename or None,
        "--pattern": options.pattern,
        "--label-key": options.label_key,
        "--object-key": options.object_key,
    }
    others = [option for option in options.selection.given() if option != "--class-column"]
    others += [option for option, value in of_files.items() if value is not None]
    if others:
        raise BadInput(f"--simulate reads no files and no table; {', '.join(others)} cannot go with it", field="simulate")
    family = f"{simulation.preset}-{simulation.seed}"
    items = [Item(f"simulated-{index:06d}", f"{family}-{index}") for index in range(simulation.count)]
    work = partial(_simulated, simulation=simulation, reading=options.reading, column=options.selection.class_column)
    asked = {name: part for name, part in (("arms", simulation.arms), ("mergers", simulation.mergers)) if part is not None}
    origin: dict[str, str | float] = {
        "simulator": simulation.preset, "seed": simulation.seed, "count": simulation.count, "galsim": version("galsim"), **asked
    }  # fmt: skip
    like = read_like(options.like) if options.like else None
    classes = _classes(simulation, options.selection.class_column)
    if classes is not None:
        mirrored(classes, options.mirror_pairs)
    with aside(options.out) as folder:
        return gather(replace(options, origin=origin), like, items, work, folder, progress)


def _classes(simulation: Simulation, column: str | None) -> list[str] | None:
    """The classes that a column of the catalogue gives, where they are known before anything is drawn."""
    if column is None:
        return []
    return {"kind": simulation.camera.kinds, "winding": ["-1.0", "1.0"]}.get(column)


def _simulated(item: Item, simulation: Simulation, reading: Reading, column: str | None) -> Outcome:
    from training.data.sim_draw import draw_galaxy  # noqa: PLC0415 - GalSim takes a second that only simulating needs

    preset = simulation.camera
    rng = np.random.default_rng([simulation.seed, int(item.name.rpartition("-")[2])])
    pixels, parameters = draw_galaxy(preset, rng)
    if column is not None and column not in parameters:
        raise BadInput(f"the catalogue has no column {column!r}; it has {', '.join(parameters)}", field="class_column")
    bands = tuple(
        Band(name=band.name, unit=preset.unit, zero_point=band.zero_point, wavelength_um=band.wavelength_um)
        for band in preset.bands
    )
    raw = Raw(pixels, Facts(bands, preset.pixel_scale_arcsec), "")
    try:
        outcome = finish(item.name, raw, reading)
    except BadInput as error:
        return Outcome(problem=error.message)
    outcome.parameters.update(parameters)
    return outcome
