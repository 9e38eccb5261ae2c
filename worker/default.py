"""Keeps the default model warm: a version published while the worker runs is loaded before anybody asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from galaxies.errors import BadInput, BadModel, GalaxyError
from models.store import ModelStore
from models.versions import Version
from worker.loaded import LoadedModel, LoadedModels

PERIOD_SECONDS = 3.0
RETRY_SECONDS = 300.0
"""A version that was refused is tried again so seldom: memory may have been short, or its files may have been restored."""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Refusal:
    message: str
    until: float


class DefaultModel:
    """Looks every few seconds which version is the default one, on a thread of its own: loading takes seconds.

    That is the newest version that works. One that cannot be loaded, or whose card cannot be read, is refused with one line in
    the log, and the one before it serves: also in a worker that starts beside a damaged version, as it does after a crash.
    """

    def __init__(self, store: ModelStore, models: LoadedModels, on_refusal: Callable[[], None] = lambda: None) -> None:
        self._store, self._models, self._on_refusal = store, models, on_refusal
        self._warm: Version | None = None
        self._refused: dict[str, _Refusal] = {}
        self._trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="default model", daemon=True)

    @property
    def reference(self) -> str:
        """``name@version`` of what is warm; of another model than the default one where no version of that works."""
        return self._warm.card.reference if self._warm is not None else ""

    def begin(self) -> LoadedModel:
        """Load the newest version of the default model that works, or where none does the first of another model.

        Raises
        ------
        NotFound : there is no default model.
        BadInput : the device does not work.
        BadModel : no version of any model works; the message tells what is wrong with the newest of the default one.
        """
        name = self._store.default_name()
        self._refuse_unreadable(name)
        for version in sorted(self._store.versions()[0], key=lambda version: version.card.name != name):
            loaded = self._try(version)
            if loaded is not None:
                if version.card.name != name:
                    _LOG.error("no version of the default model works; another model serves", default=name, model=self.reference)
                return loaded
        raise BadModel(next(iter(self._refused.values())).message)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the load that runs."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Warm the newest version that works if that is another than before; whatever goes wrong is logged, once."""
        trouble = ""
        try:
            name = self._store.default_name()
            self._refuse_unreadable(name)
            for version in (version for version in self._store.versions()[0] if version.card.name == name):
                if self._is_warm(version) or (self._may_be_tried(version.card.digest) and self._try(version)):
                    break
        except Exception as error:
            trouble = _message(error)
            if trouble != self._trouble:
                _LOG.error("no default model is found; the one before stays", message=trouble)
        self._trouble = trouble

    def _is_warm(self, version: Version) -> bool:
        return self._warm is not None and version.card.digest == self._warm.card.digest

    def _refuse_unreadable(self, name: str) -> None:
        for message in self._store.problems(name):
            if self._may_be_tried(message):
                self._refuse(message, name, message)

    def _may_be_tried(self, key: str) -> bool:
        refusal = self._refused.get(key)
        return refusal is None or time.monotonic() >= refusal.until

    def _try(self, version: Version) -> LoadedModel | None:
        """Load ``version`` and keep it loaded instead of the one before it; None where it is refused."""
        try:
            loaded = self._models.pin(version)
        except BadInput:  # the device, not the version
            raise
        except Exception as error:
            self._refuse(version.card.digest, version.card.reference, _message(error))
            return None
        self._warm = version
        return loaded

    def _refuse(self, key: str, model: str, message: str) -> None:
        """``key``: the version's digest, or, where its card cannot be read, what is wrong with it."""
        self._refused[key] = _Refusal(message, time.monotonic() + RETRY_SECONDS)
        self._on_refusal()
        _LOG.error("model version refused", model=model, message=message)

    def _loop(self) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            self.look()


def _message(error: Exception) -> str:
    return error.message if isinstance(error, GalaxyError) else repr(error)
