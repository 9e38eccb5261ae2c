"""``--normalise-like``: the constants of another archive, read before anything else and held against the first image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.archive import Constants, normalisation_of, read_manifest
from training.data.damage import named


@dataclass(frozen=True)
class Like:
    """What the archive in ``folder`` says of its values."""

    folder: Path
    bands: list[tuple[str, str | None]]
    display: bool
    normalisation: Constants
    stretch: dict[str, Any] | None
    digest: str

    def check(self, bands: Sequence[Band], *, display: bool) -> None:
        """Whether the constants mean the same for images of ``bands``.

        Raises
        ------
        BadInput : these are levels and those fluxes, or names or units of the bands differ.
        """
        if self.display != display:
            raise BadInput(
                f"{self.folder} and this set are not both levels or both fluxes; its constants mean nothing here", field="like"
            )
        ours = [(band.name, band.unit) for band in bands]
        if self.bands != ours:
            raise BadInput(
                f"{self.folder} has bands {self.bands}; this set has {ours}: names and units must be the same", field="like"
            )


def read_like(folder: Path) -> Like:
    """The constants of the archive in ``folder``; its images are not looked at.

    Raises
    ------
    BadInput : it is no archive, or its manifest lacks something.
    """
    manifest = read_manifest(folder)
    with named(str(folder), "a data set archive", field="like"):
        details = manifest.get("band_details", [{"name": name} for name in manifest["bands"]])
        return Like(
            folder=folder,
            bands=[(band["name"], band.get("unit")) for band in details],
            display=manifest.get("display", True),
            normalisation=normalisation_of(manifest),
            stretch=manifest.get("stretch"),
            digest=manifest["digest"],
        )
