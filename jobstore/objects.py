"""Results in S3-compatible object storage, for deployments of several hosts: ``s3://bucket/prefix/<first two of key>/<key>``.

An object holds what a file of `ResultStore` holds. Reading asks for ranges of exactly the object that was opened (its ETag), so
that nobody reads half of one result and half of another. A local folder keeps what is being made.

A worker has patience with a storage that is slow to answer, as its work is done by then. Who answers clients has not: it reads in
haste, looks for several results at a time, and leaves a storage that did not answer alone for a few seconds.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from galaxies.errors import BadInput, Transient
from galaxies.jobs import Result
from jobstore.breaker import Breaker
from jobstore.results import FRESH_SECONDS, ResultStore
from jobstore.sealed import KEY, TAIL_BYTES, check_key, described, seal

READ_BYTES = 256 * 1024
WHOLE_BYTES = 64 * 2**20
"""Larger results go up in parts, so that memory stays flat; of two equal ones made at the same moment the later stays then."""
LOOKS = 16
"""Results that are looked for at a time."""
LOOK_SECONDS = 4.0
"""How long who is in haste waits for one answer, and for all those of one `ObjectResults.find_many` to begin."""
REST_SECONDS = 5.0
"""For how long it asks for nothing after a failure."""


class ObjectResults:
    """As `jobstore.results.ResultStore`; endpoint, region and credentials are those of the environment (``AWS_…``).

    ``in_haste``: what is read is for a client that waits.

    Raises
    ------
    BadInput : the URL, or what the environment says, cannot be used.
    Transient : the folder cannot be made.
    """

    def __init__(self, url: str, folder: Path, *, in_haste: bool = False) -> None:
        self._url = url
        self._store = _connection(url, 30, 20, retries=3)
        self._read = _connection(url, LOOK_SECONDS, LOOK_SECONDS, retries=2) if in_haste else self._store
        self._breaker = Breaker(REST_SECONDS) if in_haste else None
        self._looks = ThreadPoolExecutor(LOOKS, thread_name_prefix="results")
        self._local = ResultStore(folder)

    def find(self, key: str) -> Result | None:
        """What the stored result of ``key`` is, if it is there as a whole.

        Raises
        ------
        Transient : the storage does not answer.
        """
        found = self._tail(key)
        return found[0] if found else None

    def find_many(self, keys: Sequence[str]) -> list[Result | Transient | None]:
        """`find` of several at the same time; what cannot be looked for has the error in its place."""
        begin_by = time.monotonic() + LOOK_SECONDS
        if len(keys) < 2:
            return [self._looked(key, begin_by) for key in keys]
        return list(self._looks.map(lambda key: self._looked(key, begin_by), keys))

    def _looked(self, key: str, begin_by: float) -> Result | Transient | None:
        if time.monotonic() > begin_by:
            return Transient(f"the result storage {self._url} is too slow now")
        try:
            return self.find(key)
        except Transient as error:
            return error

    def open(self, key: str) -> tuple[Result, BinaryIO] | None:
        """What the stored result of ``key`` is, and a stream at its first byte, of which `Result.bytes` are the result's.

        Raises
        ------
        Transient : the storage does not answer.
        """
        found = self._tail(key)
        if found is None:
            return None
        result, etag = found
        return result, cast(BinaryIO, io.BufferedReader(_Remote(self, _path(key), etag, result.bytes), READ_BYTES))

    def read(self, key: str) -> bytes:
        """The bytes of a stored result.

        Raises
        ------
        KeyError : there is none.
        Transient : the storage does not answer.
        """
        opened = self.open(key)
        if opened is None:
            raise KeyError(key)
        with opened[1] as stream:
            return stream.read(opened[0].bytes)

    def scratch(self) -> AbstractContextManager[Path]:
        """A local folder for files on their way; see `ResultStore.scratch`."""
        return self._local.scratch()

    def clear_scratch(self) -> int:
        """Remove what killed processes left: local folders, and objects set aside; returns the number of folders."""
        with self._talking():
            for entries in obstore.list(self._store, "gone"):
                for entry in entries:
                    if time.time() - entry["last_modified"].timestamp() > FRESH_SECONDS:
                        obstore.delete(self._store, entry["path"])
        return self._local.clear_scratch()

    def put(self, key: str, source: Path, describe: Result) -> Result:
        """Move ``source`` in under ``key``; fills in size and digest. A whole result that is there already stays and is returned.

        Raises
        ------
        Transient : the storage does not answer, or the local disk is full.
        """
        path = _path(key)
        try:
            result = seal(source, key, describe)
            size = source.stat().st_size
        except OSError as error:
            raise Transient(f"a result cannot be written: {error.strerror}") from None
        with self._talking():
            if size > WHOLE_BYTES:
                first = self.find(key)
                if first is None:
                    obstore.put(self._store, path, source, use_multipart=True)
            else:
                first = self._create(key, source)
        source.unlink()
        return first or result

    def _create(self, key: str, source: Path) -> Result | None:
        """Put ``source`` unless something whole is there, which is returned."""
        content = source.read_bytes()
        try:
            obstore.put(self._store, _path(key), content, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            first = self.find(key)
            if first is None:  # nobody could read what is there
                obstore.put(self._store, _path(key), content, use_multipart=False)
            return first
        return None

    def delete(self, key: str, unless: Callable[[], bool] = lambda: False) -> bool:
        """Remove a result; returns whether one is gone. ``unless`` is asked when nobody finds it any more.

        Raises
        ------
        Transient : the storage does not answer.
        """
        path, aside = _path(key), f"gone/{key}.{os.urandom(8).hex()}"
        with self._if_it_answers(), self._talking():
            try:
                obstore.rename(self._store, path, aside)
            except FileNotFoundError:
                return False
            needed = unless()
            if needed:
                obstore.copy(self._store, aside, path)
            obstore.delete(self._store, aside)
        return not needed

    def entries(self) -> Iterator[tuple[str, float]]:
        """Every result's key and when it was written (POSIX seconds), in no order.

        Raises
        ------
        Transient : the storage does not answer.
        """
        with self._talking():
            for entries in obstore.list(self._store, chunk_size=1000):
                for entry in entries:
                    key = entry["path"].rpartition("/")[2]
                    if KEY.fullmatch(key):
                        yield key, entry["last_modified"].timestamp()

    def check_writable(self) -> None:
        """For readiness.

        Raises
        ------
        Transient : nothing can be written, to the storage or to the local folder.
        """
        self._local.check_writable()
        with self._talking():
            obstore.put(self._read, "probe", datetime.now(UTC).isoformat().encode())

    def _tail(self, key: str) -> tuple[Result, str] | None:
        path = _path(key)
        with self._if_it_answers(), self._talking():
            try:
                answer = obstore.get(self._read, path, options={"range": {"suffix": TAIL_BYTES}})
                result = described(bytes(answer.bytes()), answer.meta["size"])
            except FileNotFoundError:
                return None
        return (result, answer.meta["e_tag"] or "") if result else None

    def part(self, path: str, etag: str, first: int, end: int) -> bytes:
        """Bytes ``first`` to before ``end`` of the object at ``path``, while it is the one with this ETag.

        Raises
        ------
        Transient : it is not, or the storage does not answer.
        """
        with self._talking():
            try:
                return bytes(obstore.get(self._read, path, options={"range": (first, end), "if_match": etag}).bytes())
            except (FileNotFoundError, PreconditionError):
                raise Transient("the result was removed while it was read; send the request again") from None

    def _if_it_answers(self) -> AbstractContextManager[None]:
        return self._breaker.call() if self._breaker else nullcontext()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise Transient(f"the result storage {self._url} does not answer as it should: {_reason(error)}") from None


class _Remote(io.RawIOBase):
    """The first ``size`` bytes of one object, fetched as they are read."""

    def __init__(self, store: ObjectResults, path: str, etag: str, size: int) -> None:
        self._store, self._path, self._etag, self._size = store, path, etag, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes a memoryview
        end = min(self._size, self._at + len(buffer))
        if end <= self._at:
            return 0
        data = self._store.part(self._path, self._etag, self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _connection(url: str, seconds: float, retry_seconds: float, *, retries: int) -> S3Store:
    """``seconds`` for one answer; what fails is tried again for ``retry_seconds``."""
    try:
        return S3Store.from_url(
            url,
            client_options={"timeout": timedelta(seconds=seconds), "connect_timeout": "5s", "allow_http": True},
            retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=retry_seconds)},
        )
    except (BaseError, ValueError) as error:
        wanted = "s3://bucket/prefix is needed, and what AWS_… may say"
        raise BadInput(f"results_url {url!r} cannot be used: {_reason(error)}; {wanted}", field="results_url") from None


def _reason(error: Exception) -> str:
    """Its first line: obstore's errors are pages."""
    return str(error).strip().splitlines()[0][:200]


def _path(key: str) -> str:
    return f"{check_key(key)[:2]}/{key}"
