"""Result bytes in a folder that the API and the workers share: ``<root>/<first two of key>/<key>`` and ``<key>.json`` beside it.

A result is written aside, digested and renamed; the JSON comes last, so a result with its JSON is whole. Nothing is flushed to
the disk by force: that costs 2 to 5 ms a job, the kernel keeps what a killed process has written, and after a power cut a file
that lost its bytes is shorter than its JSON says (journaling file systems grow a file only when its bytes are there), so `find`
does not see it. The first result of a key stays until it is deleted: what a caller was told of it (length, digest) remains true.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from galaxies.errors import Transient
from galaxies.jobs import Result

FRESH_SECONDS = 60.0
"""A scratch folder as young as this may not have its lock yet."""

_KEY = re.compile(r"[0-9a-f]{64}")
_ALIVE = "alive"


class ResultStore:
    """Results by key. Deleting is final; reading never finds half a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scratch").mkdir(parents=True, exist_ok=True)
        (root / "locks").mkdir(exist_ok=True)

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

        A lock on one file in it says that its process lives; see `clear_scratch`.

        Raises
        ------
        Transient : no folder can be made.
        """
        try:
            folder = tempfile.TemporaryDirectory(dir=self.root / "scratch", ignore_cleanup_errors=True)
        except OSError as error:
            raise self._refusal(error) from None
        with folder as name:
            try:
                lock = (Path(name) / _ALIVE).open("wb")
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise self._refusal(error) from None
            with lock:
                yield Path(name)

    def clear_scratch(self) -> int:
        """Remove the scratch folders of processes that were killed; returns their number.

        The kernel frees a dead process's locks, so this neither guesses from ages nor from process ids, which mean nothing in
        another container.
        """
        removed = 0
        for folder in (self.root / "scratch").glob("*/"):
            try:
                if time.time() - folder.stat().st_mtime < FRESH_SECONDS:
                    continue
                with (folder / _ALIVE).open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            except OSError:  # in use, or another worker clears it too
                continue
            removed += 1
        return removed

    def put(self, key: str, source: Path, describe: Result) -> Result:
        """Move ``source`` in under ``key``; fills in size and digest.

        Where a whole result is there already it stays and is returned: a job that shares it may have ended with it, and a FITS
        file says when it was made, so two results of one key can differ.

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
            aside = source.with_suffix(".json")
            aside.write_text(result.model_dump_json())
            target.parent.mkdir(exist_ok=True)
            with (self.root / "locks" / key[:2]).open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                first = self.find(key)
                if first is not None:
                    return first
                source.replace(target)
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
