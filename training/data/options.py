"""What ``prepare`` is asked to do: one frozen document, written into the manifest as it was resolved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from galaxies.cards import Band
from galaxies.errors import BadInput

Resampling = Literal["area", "sum", "nearest"]
NanPolicy = Literal["fail", "zero", "median"]
OnError = Literal["fail", "skip"]
Layout = Literal["bands", "objects"]
BandAxis = Literal["auto", "first", "last"]
Kind = Literal["auto", "display", "asinh", "minmax", "linear"]

MEGABYTE = 2**20
OF_THE_TABLE = {
    "header": "--no-header",
    "file_column": "--file-column",
    "file_pattern": "--file-pattern",
    "class_column": "--class-column",
    "object_column": "--object-column",
    "where": "--where",
    "minimum": "--min",
    "maximum": "--max",
}
"""What the command line calls the fields of `Selection` that mean nothing without a table."""


@dataclass(frozen=True)
class Selection:
    """Which rows of the table are taken and what they say; columns by name or 0-based number."""

    csv: Path | None = None
    header: bool = True
    file_column: str = "file"
    file_pattern: str = "{}"
    class_column: str | None = None
    object_column: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    minimum: tuple[tuple[str, float], ...] = ()
    maximum: tuple[tuple[str, float], ...] = ()
    rename: tuple[tuple[str, str], ...] = ()

    def given(self) -> list[str]:
        """The options of the table that were given, as the command line calls them."""
        return [option for name, option in OF_THE_TABLE.items() if getattr(self, name) != getattr(Selection, name)]

    def check_renames(self, classes: Collection[str]) -> None:
        """Whether every class that is to be renamed is one of ``classes``.

        Raises
        ------
        BadInput : one is not.
        """
        known = ", ".join(sorted(filter(None, classes)))
        for old, new in self.rename:
            if old not in classes:
                raise BadInput(f"--rename-class {old}={new}: no class is {old!r}; there are {known}", field="rename_class")

    def texts(self) -> list[str]:
        """The conditions as the manifest shows them."""
        return (
            [f"{column} = {value}" for column, value in self.where]
            + [f"{column} >= {value:g}" for column, value in self.minimum]
            + [f"{column} <= {value:g}" for column, value in self.maximum]
        )


@dataclass(frozen=True)
class Reading:
    """How one object's pixels become a square of the archive."""

    resolution: int = 64
    crop: int | None = None
    grey: bool = False
    resample: Resampling = "area"
    nan: NanPolicy = "fail"
    band_axis: BandAxis = "auto"
    hdu: tuple[str, ...] = ()
    key: str = "images"
    bands: tuple[Band, ...] = ()
    saturation: float | None = None
    reject: tuple[tuple[str, float], ...] = ()
    limit_bytes: int = 512 * MEGABYTE


@dataclass(frozen=True)
class PrepareOptions:
    """The source (``origin`` where it is no file), where the archive goes, and how objects are selected, read and normalised."""

    source: Path
    out: Path
    selection: Selection = Selection()
    reading: Reading = Reading()
    pattern: str | None = None
    layout: Layout = "bands"
    label_key: str | None = None
    object_key: str | None = None
    held_out: float = 0.1
    on_error: OnError = "fail"
    jobs: int = 1
    name: str = ""
    credits: str = ""
    pixel_scale_arcsec: float | None = None
    mirror_pairs: tuple[tuple[str, str], ...] = ()
    normalisation: Kind = "auto"
    softening: float = 3.0
    like: Path | None = None
    origin: dict[str, str | float] | None = None


def choice(option: str, text: str, allowed: object) -> str:
    """``text``, if the literal type ``allowed`` has it.

    Raises
    ------
    BadInput : it has not.
    """
    names = get_args(allowed)
    if text not in names:
        raise BadInput(f"{option} {text!r}: {', '.join(names)} are allowed")
    return text
