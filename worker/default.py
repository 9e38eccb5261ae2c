"""Keeps the default model warm: a version published while the worker runs is loaded before anybody asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from galaxies.errors import GalaxyError
from models.store import ModelStore
from models.versions import Version
from worker.loaded import LoadedModel, LoadedModels

PERIOD_SECONDS = 3.0

_LOG = structlog.get_logger(__name__)


class DefaultModel:
    """Looks every few seconds which version is the default one, on a thread of its own: loading takes seconds.

    A version that cannot be loaded is refused with one line in the log, and the one before stays warm.
    """

    def __init__(self, store: ModelStore, models: LoadedModels, on_refusal: Callable[[], None] = lambda: None) -> None:
        self._store, self._models, self._on_refusal = store, models, on_refusal
        self._seen: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="default model", daemon=True)

    def warm(self, version: Version) -> LoadedModel:
        """Load ``version`` and keep it loaded instead of the default before it.

        Raises
        ------
        GalaxyError : it does not work.
        """
        loaded = self._models.pin(version)
        self._seen = version.card.digest
        return loaded

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the load that runs."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Warm the default model if it has changed; whatever goes wrong is logged, once."""
        what = "the default model"
        try:
            version = self._store.get()
            what = version.card.digest
            if what != self._seen:
                self.warm(version)
        except Exception as error:
            if what != self._seen:
                message = error.message if isinstance(error, GalaxyError) else repr(error)
                self._on_refusal()
                _LOG.error("default model refused; the one before stays", message=message)
            self._seen = what

    def _loop(self) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            self.look()
