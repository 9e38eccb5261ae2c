"""Entries with 64-bit sizes are the same bytes whatever Python writes them."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import pytest

from galaxies.zipped import LargeEntry

HEADER = zipfile.ZipInfo.FileHeader


def written() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("labels", "files"):
            with archive.open(LargeEntry(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.arange(5, dtype=np.int64), allow_pickle=False)
    return stream.getvalue()


def header_before_3_11_4(entry: zipfile.ZipInfo, zip64: bool | None = None) -> bytes:
    """Small sizes stand in the 32-bit fields too, where later versions write that the 64-bit ones count."""
    header = bytearray(HEADER(entry, zip64))
    header[18:26] = entry.compress_size.to_bytes(4, "little") + entry.file_size.to_bytes(4, "little")
    return bytes(header)


def test_the_bytes_are_those_recorded_and_read_as_any_zip() -> None:
    content = written()
    assert hashlib.sha256(content).hexdigest() == "808b8f79b119df630035370d663bc24f021465d352696963a74263fd93840635"
    with np.load(io.BytesIO(content)) as arrays:
        assert arrays.files == ["labels", "files"]
        assert arrays["files"].tolist() == [0, 1, 2, 3, 4]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None


def test_an_older_python_writes_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = written()
    monkeypatch.setattr(zipfile.ZipInfo, "FileHeader", header_before_3_11_4)
    assert written() == newer
