"""The presets: one file for each origin, each with a visible dict ``PRESETS`` from name to `Preset`; here they are joined."""

from __future__ import annotations

from galaxies.errors import BadInput
from training.config import TrainConfig, fit
from training.data.archive import Archive
from training.presets import concepcion, eth, fussell_moews, nottingham, ours, tribhuvan
from training.presets.preset import Preset

PRESETS: dict[str, Preset] = {
    **ours.PRESETS,
    **fussell_moews.PRESETS,
    **nottingham.PRESETS,
    **concepcion.PRESETS,
    **eth.PRESETS,
    **tribhuvan.PRESETS,
}
SCORER = "eth-e3"
"""Not a generator: ``python -m training score`` trains it."""


def find(name: str) -> Preset:
    """The preset ``name``.

    Raises
    ------
    BadInput : there is none of this name.
    """
    if name == SCORER:
        raise BadInput(f"preset {name!r} is a scorer, which `python -m training score` trains", field="preset")
    if name not in PRESETS:
        raise BadInput(f"preset {name!r} is unknown; there are {', '.join(PRESETS)}", field="preset")
    return PRESETS[name]


def resolve(preset: str, overrides: list[str], *, bands: int, resolution: int, classes: int, floats: bool = False) -> TrainConfig:
    """The run's configuration: the preset, fitted to the data set, with ``key=value`` overrides; see `fit`.

    Raises
    ------
    BadInput : the preset or a key is unknown, or a value has the wrong type or is not allowed.
    """
    return fit(find(preset).config, overrides, bands=bands, resolution=resolution, classes=classes, floats=floats)


def resolve_for(source: Archive, preset: str, overrides: list[str]) -> TrainConfig:
    """The configuration of a run on ``source``; see `resolve`."""
    manifest = source.manifest
    bands, classes = len(manifest["bands"]), len(manifest["classes"])
    return resolve(preset, overrides, bands=bands, resolution=manifest["resolution"], classes=classes, floats=source.physical)


def replaced(config: TrainConfig, source: Archive) -> str:
    """A line that says that the archive's size has taken the place of the preset's; empty where it has not."""
    now, own = config.network, find(config.preset).config.network
    archive = (source.manifest["resolution"], len(source.manifest["bands"]))
    pairs = zip((now.resolution, now.bands), archive, (own.resolution, own.bands), strict=True)
    if not any(used == given != printed for used, given, printed in pairs):
        return ""
    return (
        f"preset {config.preset} is for {own.resolution} px, bands {own.bands}; with this archive its network is one of "
        f"{now.resolution} px, bands {now.bands}"
    )
