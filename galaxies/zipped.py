"""Entries of zip files whose bytes depend on nothing but their content."""

from __future__ import annotations

import zipfile

ZIP64 = 45
"""The version of the format that 64-bit sizes need."""


class LargeEntry(zipfile.ZipInfo):
    """An entry with 64-bit sizes and a fixed date, for ``ZipFile.open(entry, "w", force_zip64=True)``.

    Python before 3.11.4 writes another header for these (CPython issue 103861); this one is that of the later versions.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, date_time=(1980, 1, 1, 0, 0, 0))
        self.create_version = self.extract_version = ZIP64

    def FileHeader(self, zip64: bool | None = None) -> bytes:  # noqa: N802 - zipfile's name
        """The local header, whose own 32-bit sizes say that those behind it count."""
        header = bytearray(super().FileHeader(zip64))
        header[18:26] = b"\xff" * 8
        return bytes(header)
