"""Results in a folder that the API and the workers share: ``<root>/<first two of key>/<key>``.

A file holds the result's bytes and what they are; see `jobstore.sealed`. It is written aside, digested and moved. Nothing is
flushed to the disk by force: that costs 2 to 5 ms a job, the kernel keeps what a killed process has written, and after a power
cut a file that lost its end is not found (journaling file systems grow a file only when its bytes are there). The first result of
a key stays until it is deleted: what a caller was told of it (length, digest) remains true.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from galaxies.errors import Transient
from galaxies.jobs import Result
from jobstore.sealed import KEY, TAIL_BYTES, check_key, described, seal

FRESH_SECONDS = 60.0
"""A scratch folder as young as this may not have its lock yet."""

PROBE_BYTES = 2**20
"""So much is written to see whether the folder can be."""

_ALIVE, _GONE = "alive", ".gone"


class ResultStore:
    """Results by key. Deleting is final; reading never finds half a file.

    Raises
    ------
    Transient : the folder cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            (root / "scratch").mkdir(parents=True, exist_ok=True)
            (root / "locks").mkdir(exist_ok=True)
        except OSError as error:
            raise Transient(f"the result store {root} cannot be made: {error.strerror}") from None
        self._spare: list[Path] = []

    def path(self, key: str) -> Path:
        """Where the bytes of ``key`` lie, or would lie."""
        return self.root / check_key(key)[:2] / key

    def find(self, key: str) -> Result | None:
        """What the stored result of ``key`` is, if it is there as a whole."""
        opened = self.open(key)
        if opened is None:
            return None
        opened[1].close()
        return opened[0]

    def find_many(self, keys: Sequence[str]) -> list[Result | Transient | None]:
        """`find` of several; an error in the place of what cannot be looked for, which a folder does not have."""
        return [self.find(key) for key in keys]

    def open(self, key: str) -> tuple[Result, BinaryIO] | None:
        """What the stored result of ``key`` is, and the file at its first byte, of which `Result.bytes` are the result's."""
        try:
            stream = open(self.path(key), "rb", buffering=0)  # noqa: SIM115 - the caller closes it
        except OSError:
            return None
        result = _description(stream)
        if result is None:
            stream.close()
            return None
        stream.seek(0)
        return result, stream

    def read(self, key: str) -> bytes:
        """The bytes of a stored result.

        Raises
        ------
        KeyError : there is none.
        """
        opened = self.open(key)
        if opened is None:
            raise KeyError(key)
        with opened[1] as stream:
            return stream.read(opened[0].bytes)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files on their way, on the same file system; emptied at the end, whatever happens.

        A lock on one file in it says that its process lives; see `clear_scratch`. The folder is kept for the next one who needs
        one: making and removing it takes longer than writing a small result.

        Raises
        ------
        Transient : no folder can be made.
        """
        try:
            folder = self._spare_scratch() or self._new_scratch()
        except OSError as error:
            raise self._refusal(error) from None
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                for entry in os.scandir(folder):
                    if entry.name != _ALIVE:
                        os.unlink(entry.path)
                self._spare.append(folder)

    def _spare_scratch(self) -> Path | None:
        with contextlib.suppress(IndexError):  # several threads take from the list
            folder = self._spare.pop()
            return folder if (folder / _ALIVE).exists() else None
        return None

    def _new_scratch(self) -> Path:
        (self.root / "scratch").mkdir(parents=True, exist_ok=True)  # the volume may have been lost since the start
        folder = Path(tempfile.mkdtemp(dir=self.root / "scratch"))
        lock = (folder / _ALIVE).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        weakref.finalize(self, _remove, folder, lock)
        return folder

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
        for left in (self.root / "scratch").glob(f"*{_GONE}"):  # whoever deleted it was killed
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > FRESH_SECONDS:
                    left.unlink()
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
            result = seal(source, key, describe)
            return result if _linked(source, target) else self._first(key, source, result)
        except OSError as error:
            raise self._refusal(error) from None

    def _first(self, key: str, source: Path, result: Result) -> Result:
        """The whole result that is there, else ``result``, moved in; one at a time, so that all agree which is the first."""
        target = self.path(key)
        target.parent.mkdir(exist_ok=True)
        (self.root / "locks").mkdir(exist_ok=True)
        with (self.root / "locks" / key[:2]).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _linked(source, target):  # the folder was missing; a plain move here would hide a result linked meanwhile
                return result
            first = self.find(key)
            if first is None:
                source.replace(target)
        return first or result

    def delete(self, key: str, unless: Callable[[], bool] = lambda: False) -> bool:
        """Remove a result; returns whether one is gone.

        ``unless`` is asked when nobody finds the result any more: where it says that the result is needed after all, by a job
        that came at this very moment, it comes back.
        """
        aside = self.root / "scratch" / f"{key}.{os.urandom(8).hex()}{_GONE}"
        try:
            self.path(key).rename(aside)
        except FileNotFoundError:
            return False
        needed = unless()
        if needed:
            _linked(aside, self.path(key))
        aside.unlink()
        return not needed

    def entries(self) -> Iterator[tuple[str, float]]:
        """Every result's key and when it was written (POSIX seconds), in no order."""
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            with contextlib.suppress(OSError), os.scandir(folder) as files:
                for file in files:
                    if KEY.fullmatch(file.name):
                        with contextlib.suppress(FileNotFoundError):
                            yield file.name, file.stat().st_mtime

    def check_writable(self) -> None:
        """For readiness.

        Raises
        ------
        Transient : nothing can be written, or no more than a small result.
        """
        try:
            with tempfile.NamedTemporaryFile(dir=self.root / "scratch") as probe:
                probe.write(bytes(PROBE_BYTES))
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> Transient:
        return Transient(f"the result store {self.root} cannot be written: {error.strerror}")


def _remove(folder: Path, lock: BinaryIO) -> None:
    with lock:
        shutil.rmtree(folder, ignore_errors=True)


def _description(stream: BinaryIO) -> Result | None:
    """What a file of the store says about itself at its end; None where that is not whole."""
    try:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - TAIL_BYTES))
        return described(stream.read(TAIL_BYTES), size)
    except OSError:
        return None


def _linked(source: Path, target: Path) -> bool:
    """Give ``source`` the name ``target`` too, unless something has it or this file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
