"""Result bytes in a folder that the API and the workers share: ``<root>/<first two of key>/<key>`` and ``<key>.json`` beside it.

A result is written aside, digested and renamed; the JSON comes last, so a result with its JSON is whole. Nothing is flushed to
the disk by force: that costs 2 to 5 ms a job, the kernel keeps what a killed process has written, and after a power cut a file
that lost its bytes is shorter than its JSON says (journaling file systems grow a file only when its bytes are there), so `find`
does not see it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from galaxies.errors import Transient
from galaxies.jobs import Result

_KEY = re.compile(r"[0-9a-f]{64}")


class ResultStore:
    """Results by key. Deleting is final; reading never finds half a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scratch").mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the bytes of ``key`` lie, or would lie."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"result key {key!r} is not 64 hexadecimal digits")
        return self.root / key[:2] / key

    def find(self, key: str) -> Result | None:
        """The stored result of ``key``, if its bytes are there in full length."""
        path = self.path(key)
        try:
            result = Result.model_validate_json(path.with_suffix(".json").read_bytes())
            whole = path.stat().st_size == result.bytes
        except (OSError, ValueError):
            return None
        return result if whole else None

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files on their way, on the same file system; removed at the end, whatever happens.

        Raises
        ------
        Transient : no folder can be made.
        """
        try:
            folder = tempfile.TemporaryDirectory(dir=self.root / "scratch", ignore_cleanup_errors=True)
        except OSError as error:
            raise self._refusal(error) from None
        with folder as name:
            yield Path(name)

    def put(self, key: str, source: Path, describe: Result) -> Result:
        """Move ``source`` in under ``key``; fills in size and digest.

        Raises
        ------
        Transient : the disk is full or the folder cannot be written.
        """
        target = self.path(key)
        try:
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            update = {"key": key, "bytes": source.stat().st_size, "digest": f"sha256:{digest}"}
            result = describe.model_copy(update=update)
            target.parent.mkdir(exist_ok=True)
            source.replace(target)
            aside = source.with_suffix(".json")
            aside.write_text(result.model_dump_json())
            aside.replace(target.with_suffix(".json"))
        except OSError as error:
            raise self._refusal(error) from None
        return result

    def delete(self, key: str) -> None:
        """Remove a result; nothing happens where there is none."""
        self.path(key).with_suffix(".json").unlink(missing_ok=True)
        self.path(key).unlink(missing_ok=True)

    def check_writable(self) -> None:
        """For readiness.

        Raises
        ------
        Transient : nothing can be written.
        """
        try:
            with tempfile.NamedTemporaryFile(dir=self.root / "scratch"):
                pass
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> Transient:
        return Transient(f"the result store {self.root} cannot be written: {error.strerror}")
