"""Augmentation of what the discriminator sees, so that it cannot learn a small training set by heart (Karras et al. 2020).

The same random transforms act on real and on generated images, so the generator is not taught to make transformed galaxies as
long as p stays well below 1. Mirroring is left out unless asked for: a mirrored clockwise spiral is an anticlockwise one, so
where there are classes the data pipeline mirrors (`training.data.archive.Archive.batch`), which changes the label too.

Beyond an image's border lies its mirror image. Concepción's thesis (2023) turned training images and filled the corners with
zeros or by reflection; both left edges that a model then learnt, because they were in the data. The presets ``concepcion``
(black) and ``concepcion-reflect`` do that for comparison and are known to be bad: they alone transform real images only.
"""

from __future__ import annotations

from galaxies.errors import BadInput
from training.augment.colour import BandGain, Brightness, Contrast, Hue, LumaFlip, Saturation
from training.augment.controller import Controller
from training.augment.geometry import Drift, EighthTurns, Mirror, QuarterTurns, Rotation, Scale, Shift, Stretch
from training.augment.pipeline import Augmentation, Pipeline
from training.augment.pixels import CutOut, DiffColour, DiffShift, Noise, OctaveFilter

__all__ = ["ADA_PRESETS", "PRESETS", "Augmentation", "Controller", "build"]

_BLIT = (Mirror(), QuarterTurns(), Shift())
_GEOMETRY = (Scale(), Rotation(), Stretch(), Rotation(), Drift())
_COLOUR = (Brightness(), Contrast(), LumaFlip(), Hue(), Saturation())

PRESETS: dict[str, Pipeline] = {
    "none": Pipeline(),
    # what a telescope could have done to a galaxy; colours stay what they are but for a tenth
    "galaxy": Pipeline(
        geometry=(Mirror(), QuarterTurns(), Shift(0.125), Scale(0.1)),
        colour=(BandGain(0.1),),
        pixels=(CutOut(0.3, sky=True),),
        adaptive=True,
    ),
    # StyleGAN2-ADA's pixel blitting, geometry and colour ("bgc"), which its authors recommend …
    "published": Pipeline(geometry=_BLIT + _GEOMETRY, colour=_COLOUR, adaptive=True),
    # … and with the filter, noise and cut-out that they describe and found of no further use ("bgcfnc")
    "published-full": Pipeline(
        geometry=_BLIT + _GEOMETRY, colour=_COLOUR, pixels=(OctaveFilter(), Noise(), CutOut()), adaptive=True
    ),
    # Zhao et al. 2020 (DiffAugment), row N1: colour, translation and cut-out, there always applied (p = 1)
    "diffaugment": Pipeline(pixels=(DiffColour(), DiffShift(), CutOut())),
    # row C: turns by 45°, corners black or mirrored; known to leave artefacts
    "concepcion": Pipeline(geometry=(EighthTurns(),), fill=-1.0, reals_only=True),
    "concepcion-reflect": Pipeline(geometry=(EighthTurns(),), reals_only=True),
}

ADA_PRESETS = frozenset(name for name, pipeline in PRESETS.items() if pipeline.adaptive)
"""Presets whose strength the `Controller` adapts."""


def build(name: str, bands: int, *, mirror: bool = False) -> Augmentation:
    """The augmentation ``name`` for images of ``bands`` bands.

    Parameters
    ----------
    mirror : x-flips too; not where classes change when an image is mirrored.

    Raises
    ------
    BadInput : there is no such preset, or ``bands`` is less than 1.
    """
    if name not in PRESETS:
        raise BadInput(f"augmentation {name!r} is unknown; there are {', '.join(PRESETS)}", field="augment")
    if bands < 1:
        raise BadInput(f"{bands} bands: 1 or more are needed", field="bands")
    pipeline = PRESETS[name]
    return Augmentation(name, pipeline if mirror else pipeline.without_mirror(), bands)
