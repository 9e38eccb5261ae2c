"""The model store as the API sees it: what it holds, looked up anew every few seconds. The store itself keeps the cards."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from galaxies.errors import NotFound
from models.store import ModelStore, Version


@dataclass(frozen=True)
class _Snapshot:
    versions: list[Version] = field(default_factory=list)
    by_reference: dict[str, Version] = field(default_factory=dict)
    default: str | None = None


class Catalogue:
    """Readable versions of a `ModelStore`; a new one is seen within ``refresh_seconds``. Safe to share between threads."""

    def __init__(self, store: ModelStore, refresh_seconds: float) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._snapshot = _Snapshot()
        self._checked = float("-inf")
        self._lock = threading.Lock()

    def versions(self) -> list[Version]:
        """Every readable version, newest first within a name; damaged ones are left out."""
        return self._fresh().versions

    def default_name(self) -> str | None:
        """The default model's name, or None where there is no model."""
        return self._fresh().default

    def get(self, reference: str | None = None) -> Version:
        """The version named ``name`` (its newest) or ``name@version``; None is the default model.

        Raises
        ------
        NotFound : there is no such name or version.
        BadModel : the version is there but its card cannot be read.
        """
        snapshot = self._fresh()
        found = snapshot.by_reference.get(reference or snapshot.default or "")
        return found if found is not None else self._store.get(reference)

    def _fresh(self) -> _Snapshot:
        if time.monotonic() - self._checked > self._refresh_seconds:
            with self._lock:
                self._snapshot = self._read()
                self._checked = time.monotonic()
        return self._snapshot

    def _read(self) -> _Snapshot:
        versions, _ = self._store.versions()
        by_reference = {v.card.reference: v for v in versions}
        for version in reversed(versions):
            by_reference[version.card.name] = version
        try:
            default = self._store.default_name()
        except NotFound:
            default = None
        return _Snapshot(versions, by_reference, default)
