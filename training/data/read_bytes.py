"""Bytes of a file on disk or in a zip, unpacked from gzip, and never more than a limit: a small file can hold a huge one."""

from __future__ import annotations

import gzip
import io
import zipfile
from functools import lru_cache
from pathlib import Path

from galaxies.errors import BadInput
from training.data.items import Part
from training.data.options import MEGABYTE

GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(part: Part, limit: int) -> bytes:
    """The bytes of ``part``, gzip undone.

    Raises
    ------
    BadInput : the file, unpacked, is larger than ``limit`` bytes.
    """
    data = _from_zip(part, limit) if part.member is not None else _from_disk(part.path, limit)
    if data.startswith(GZIP_MAGIC):
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            data = stream.read(limit + 1)
    within_limit(part.name, len(data), limit)
    return data


def within_limit(name: str, size: int, limit: int) -> None:
    """Refuse what unpacks to more than ``limit`` bytes.

    Raises
    ------
    BadInput : it does.
    """
    if size > limit:
        raise BadInput(
            f"{name} unpacks to more than {limit / MEGABYTE:g} MiB; if that is meant, raise --max-megabytes",
        )


@lru_cache(maxsize=4)
def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip that stays open: reading its directory again for every file would take longer than the file."""
    return zipfile.ZipFile(path)


def _from_zip(part: Part, limit: int) -> bytes:
    container = open_zip(part.path)
    assert part.member is not None
    within_limit(part.name, container.getinfo(part.member).file_size, limit)
    with container.open(part.member) as stream:
        return stream.read(limit + 1)


def _from_disk(path: Path, limit: int) -> bytes:
    within_limit(path.name, path.stat().st_size, limit)
    return path.read_bytes()
