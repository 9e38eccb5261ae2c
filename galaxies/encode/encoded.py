"""What an encoder reports about the file it has written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoded:
    """A written file: media type, pixels of one picture in it (native ones for FITS and npz) and how many galaxies it holds."""

    media_type: str
    width: int
    height: int
    images: int
