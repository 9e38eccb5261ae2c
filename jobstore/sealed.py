"""What a stored result looks like: its bytes, then what they are (`Result` as JSON), the length of that JSON and a mark.

One file, or one object, costs half of what two do, and what has its end is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from pathlib import Path

from galaxies.jobs import Result

KEY = re.compile(r"[0-9a-f]{64}")
TAIL_BYTES = 4096
"""So many bytes of the end hold the whole description."""

_END = struct.Struct(">I8s")
_MAGIC = b"galsynth"


def check_key(key: str) -> str:
    """``key``, if it is one.

    Raises
    ------
    ValueError : it is not 64 hexadecimal digits.
    """
    if not KEY.fullmatch(key):
        raise ValueError(f"result key {key!r} is not 64 hexadecimal digits")
    return key


def seal(source: Path, key: str, describe: Result) -> Result:
    """Write behind the bytes of ``source`` what they are; fills in key, size and digest.

    Raises
    ------
    OSError : the disk is full.
    """
    with open(source, "r+b") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        update = {"key": key, "bytes": stream.seek(0, os.SEEK_END), "digest": f"sha256:{digest}"}
        result = describe.model_copy(update=update)
        text = result.model_dump_json().encode()
        stream.write(text + _END.pack(len(text), _MAGIC))
    return result


def described(tail: bytes, size: int) -> Result | None:
    """What a stored result of ``size`` bytes, its description among them, says at its end; None where that is not whole."""
    try:
        length, magic = _END.unpack(tail[-_END.size :])
        text = tail[-_END.size - length : -_END.size]
        if magic != _MAGIC or len(text) != length:
            return None
        result = Result.model_validate_json(text)
    except (ValueError, struct.error):
        return None
    return result if result.bytes + length + _END.size == size else None
