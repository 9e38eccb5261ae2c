"""The file of API keys: who may call, within which bounds. Of a key only its SHA-256 is kept; keys are 256 random bits.

Keys of one name belong to one caller, who thus replaces a key without losing sight of its jobs. The file is read anew when it has
changed, so a key that is made or revoked counts within a second, in every process that reads the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from galaxies.errors import BadInput, NotFound

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
NAMES = "1 to 64 letters, digits, dots, hyphens and underscores are allowed, the first a letter or digit"
CHECK_SECONDS = 0.5
_LOG = structlog.get_logger("app.keys")


class Key(BaseModel):
    """One key: whose it is and what its holder may do; 0 means no bound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: str = Field(pattern=NAME)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    created: datetime
    revoked: datetime | None = None
    requests_per_minute: int = Field(default=600, ge=0)
    unfinished_jobs: int = Field(default=100, ge=0)
    daily_pixels: int = Field(default=20_000_000_000, ge=0)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[Key] = []


class KeyFile:
    """The keys in the file ``path``; a file that is not there holds none. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_id: dict[str, Key] = {}
        self._seen: tuple[int, ...] | None = None
        self._checked = float("-inf")

    def find(self, token: str) -> Key | None:
        """The key that ``token`` is, if it is valid; compared in constant time."""
        self._refresh()
        parts = token.split("_", 2)
        key = self._by_id.get(parts[1]) if len(parts) == 3 and parts[0] == "gs" else None
        expected = key.sha256 if key is not None else "0" * 64
        same = hmac.compare_digest(_digest(token), expected)
        return key if key is not None and same and key.revoked is None else None

    def entries(self) -> list[Key]:
        """Every key, revoked ones too, in the order in which they were made.

        Raises
        ------
        BadInput : the file cannot be read.
        """
        try:
            return _Keys.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(f"the file of keys {self.path} cannot be read: {error.strerror}", field="keys_file") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(map(str, first["loc"]))
            raise BadInput(f"the file of keys {self.path} is damaged at {where or 'its top'}: {first['msg']}") from None

    def create(self, name: str, **bounds: int) -> tuple[str, Key]:
        """A new key for the caller ``name``: the token, which is not kept, and what is kept.

        Raises
        ------
        BadInput : the name or a bound is not allowed, or the file cannot be read or written.
        """
        with self._changing() as keys:
            key_id = secrets.token_hex(4)
            token = f"gs_{key_id}_{secrets.token_urlsafe(32)}"
            try:
                key = Key(id=key_id, name=name, sha256=_digest(token), created=_now(), **bounds)
            except ValidationError as error:
                first = error.errors()[0]
                wrong = NAMES if first["loc"][0] == "name" else first["msg"]
                raise BadInput(f"{first['loc'][0]} {first['input']!r}: {wrong}", field=str(first["loc"][0])) from None
            keys.append(key)
        return token, key

    def revoke(self, which: str) -> list[Key]:
        """Revoke the key whose id is ``which``, or every key of the caller of that name; returns those that were valid.

        Raises
        ------
        NotFound : no key has that id or name.
        """
        with self._changing() as keys:
            chosen = [key for key in keys if which in (key.id, key.name)]
            if not chosen:
                raise NotFound(f"no key has the id or name {which!r}; `keys list` shows them")
            ended = [key for key in chosen if key.revoked is None]
            keys[:] = [key.model_copy(update={"revoked": _now()}) if key in ended else key for key in keys]
        return ended

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """The keys to be changed in place, one process at a time; written aside and renamed, so no reader sees half a file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = self.entries()
                yield keys
                descriptor, aside = tempfile.mkstemp(dir=self.path.parent, prefix=".keys-")
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(_Keys(keys=keys).model_dump_json(indent=1) + "\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                Path(aside).replace(self.path)
        except OSError as error:
            raise BadInput(f"the file of keys {self.path} cannot be written: {error.strerror}", field="keys_file") from None

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        try:
            status = self.path.stat()
            seen: tuple[int, ...] | None = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            seen = None
        if seen == self._seen and seen is not None:
            return
        try:
            self._by_id = {key.id: key for key in self.entries()}
            self._seen = seen
        except BadInput as error:  # half a copy, or a wrong one: the keys before it stay
            _LOG.error("keys not read anew", reason=error.message)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
