"""The model store as the API sees it: what it holds, read anew aside every few seconds. The store itself keeps the cards."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from galaxies.cards import ModelCard, ScorerCard
from galaxies.errors import BadModel, NotFound
from models.store import BUNDLED, AnyVersion, ModelStore
from models.versions import Version, verify
from telemetry.outages import Outage

LEAST_SECONDS = 0.05
"""Between two readings of the store, whatever is set: its thread would never rest."""
RETRY_SECONDS = 30.0
"""How long a damaged version is taken for damaged before its files are looked at again."""

log = structlog.get_logger("app.catalogue")


@dataclass(frozen=True)
class _Verdict:
    """What is wrong with a version's files, "" where nothing is, and until when (monotonic seconds) that is believed."""

    fault: str
    until: float


@dataclass(frozen=True)
class _Snapshot:
    versions: list[Version] = field(default_factory=list)
    by_reference: dict[str, Version] = field(default_factory=dict)
    default: str | None = None
    scorers: list[ScorerCard] = field(default_factory=list)


class Catalogue:
    """Whole versions of a `ModelStore`. Safe to share between threads.

    Once started it reads the store anew every ``refresh_seconds`` on a thread of its own, as that takes long where a new version
    has large files; who asks is told what was known before. Only who comes before the first reading waits for it; and who names
    a version that is not known yet waits until its files are digested.

    A version whose files are not those of its card is never taken for the newest one, so what is asked for by name goes on; once
    it is restored it is there again, `RETRY_SECONDS` after it was looked at. Nor is a version of the default model that a worker
    has not ``warmed`` yet (references of what each takes for the default): files may be whole and the graph in them unusable,
    which only workers find out.
    """

    def __init__(self, store: ModelStore, refresh_seconds: float, warmed: Callable[[], set[str]] = set) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._warmed = warmed
        self._served: str | None = None
        self._snapshot: _Snapshot | None = None
        self._verdicts: dict[str, _Verdict] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="catalogue", daemon=True)

    def start(self) -> None:
        """Begin to read the store every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more. What is being read is not waited for: digesting large files takes a while, and nobody needs it now."""
        self._stopped.set()

    def renew(self) -> None:
        """Read the store now; other callers are told what was known before."""
        with self._lock:
            self._snapshot = self._read()

    def versions(self) -> list[Version]:
        """Every version that serves, newest first within a name: without damaged ones and what workers have not warmed yet."""
        return self._known().versions

    def scorers(self) -> list[ScorerCard]:
        """The cards of all whole scorers, newest first within a name."""
        return self._known().scorers

    def default_name(self) -> str | None:
        """The default model's name, or None where there is no model."""
        return self._known().default

    def get(self, reference: str | None = None, field: str = "/model") -> Version:
        """The version named ``name`` (its newest) or ``name@version``; None is the default model. ``field`` points to the name.

        Raises
        ------
        NotFound : there is no such name or version.
        BadModel : the version is there but its card cannot be read, or its files are not those of the card.
        """
        snapshot = self._known()
        found = snapshot.by_reference.get(reference or snapshot.default or "")
        if found is not None:
            return found
        try:
            version = self._store.get(reference)
        except NotFound as error:
            raise NotFound(error.message, field=error.field and field) from None
        return self._checked_version(version)

    def _known(self) -> _Snapshot:
        if self._snapshot is None:
            with self._lock:
                if self._snapshot is None:
                    self._snapshot = self._read()
        return self._snapshot

    def _loop(self) -> None:
        lost = Outage(log, "model store not read; what was known of it stays", "model store read again")
        while not self._stopped.wait(max(self._refresh_seconds, LEAST_SECONDS)):
            try:
                self.renew()
                lost.went_well()
            except Exception as error:
                lost.failed(error)

    def _checked_version(self, version: AnyVersion) -> AnyVersion:
        """``version``, whose files are looked at when it appears, and again where they were wrong.

        Raises
        ------
        BadModel : they are not those that the card names.
        """
        verdict = self._verdicts.get(version.card.digest)
        if verdict is None or time.monotonic() >= verdict.until:
            verdict = self._judge(version, verdict)
        if verdict.fault:
            raise BadModel(verdict.fault)
        return version

    def _judge(self, version: AnyVersion, before: _Verdict | None) -> _Verdict:
        try:
            verify(version, bare=BUNDLED in version.folder.parents)
            verdict = _Verdict("", math.inf)
        except BadModel as error:
            verdict = _Verdict(error.message, time.monotonic() + RETRY_SECONDS)
            if before is None or before.fault != verdict.fault:
                log.error("model version refused; the one before it stays", reason=verdict.fault)
        self._verdicts[version.card.digest] = verdict
        return verdict

    def _whole(self, version: AnyVersion) -> bool:
        try:
            self._checked_version(version)
        except BadModel:
            return False
        return True

    def _read(self) -> _Snapshot:
        whole = [version for version in self._store.versions()[0] if self._whole(version)]
        try:
            default = self._store.default_name()
        except NotFound:
            default = None
        too_new = self._not_warmed([version.card for version in whole if version.card.name == default])
        versions = [version for version in whole if version.card.digest not in too_new]
        by_reference = {v.card.reference: v for v in whole}
        for version in reversed(versions):
            by_reference[version.card.name] = version
        scorers = [version.card for version in self._store.scorers()[0] if self._whole(version)]
        return _Snapshot(versions, by_reference, default, scorers)

    def _not_warmed(self, own: list[ModelCard]) -> list[str]:
        """Digests of those of ``own``, the default model's versions from the newest on, that come before the one which is served.

        While no worker is there that one stays; before the first has come it is the newest.
        """
        warmed = self._warmed()
        there = [card.digest for card in own if card.reference in warmed]
        if there:
            self._served = there[-1]
        digests = [card.digest for card in own]
        return digests[: digests.index(self._served)] if self._served in digests else []
