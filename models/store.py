"""The model store: immutable, digest-checked versions under ``<root>/<name>/<version>/`` with a ``card.json`` each.

Scorers, which judge images, lie beside the models in the same form under ``<root>/scorers/<name>/<version>/``.

Several roots are searched in order (the bundled zoo, then the operator's own). A running service lists what `models.publish` adds
without a restart.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from galaxies.cards import NAME_PATTERN, VERSION_PATTERN, Card, ModelCard, ScorerCard
from galaxies.errors import BadInput, BadModel, NotFound
from models.versions import SCORERS, ScorerVersion, Version, read_scorer, read_version

BUNDLED = Path(__file__).parent / "zoo"
DEFAULT = "sdss-gz1-64"
"""The bundled model that requests without a model get where no other is chosen, whatever is published beside it."""
_REFERENCE = re.compile(f"{NAME_PATTERN.rstrip('$')}(@{VERSION_PATTERN[1:-1]})?$")


AnyVersion = TypeVar("AnyVersion", Version, ScorerVersion)
Stamp = tuple[int, ...]


@dataclass
class ModelStore:
    """Versions under ``roots``; ``default`` is the name that requests without a model get, None that of `default_name`.

    A card is parsed once and again only when its file changes, so asking costs a few calls of ``stat``. Safe to share between
    threads.
    """

    roots: list[Path] = field(default_factory=lambda: [BUNDLED])
    default: str | None = None
    _read: dict[Path, tuple[Stamp, Version]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _scorers: dict[Path, tuple[Stamp, ScorerVersion]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def versions(self) -> tuple[list[Version], list[str]]:
        """Every readable version, newest first within a name, and one message for each that is not readable.

        Only cards are read here; files are checked by `verify`.
        """
        return self._all("*/*", self._version)

    def problems(self, name: str) -> list[str]:
        """One message for each version of the model ``name`` that is not readable; a ``name@version`` has none here."""
        return self._all(f"{name}/*", self._version)[1] if re.fullmatch(NAME_PATTERN, name) else []

    def scorers(self) -> tuple[list[ScorerVersion], list[str]]:
        """The same of scorers."""
        return self._all(f"{SCORERS}/*/*", self._scorer)

    def _all(self, folders: str, read: Callable[[Path], AnyVersion]) -> tuple[list[AnyVersion], list[str]]:
        found: dict[str, AnyVersion] = {}
        problems: list[str] = []
        for root in self.roots:
            for path in sorted(root.glob(f"{folders}/card.json")):
                if path.parent.name.startswith("."):
                    continue
                try:
                    version = read(path.parent)
                except BadModel as error:
                    problems.append(error.message)
                else:
                    found.setdefault(version.card.reference, version)
        return sorted(found.values(), key=lambda v: (v.card.name, _negated_age(v.card))), problems

    def names(self) -> list[str]:
        """Names with at least one readable version."""
        return sorted({v.card.name for v in self.versions()[0]})

    def default_name(self) -> str:
        """The default model's name: the configured one, else `DEFAULT`, else the first model with a w space, else the first.

        Raises
        ------
        NotFound : there is no model at all, or the configured default is absent.
        """
        versions = self.versions()[0]
        names = [v.card.name for v in versions]
        if self.default is not None:
            if self.default not in names:
                raise NotFound(f"the default model {self.default!r} is not in the store; it has {_listing(names)}")
            return self.default
        if not names:
            raise NotFound(f"no model in {', '.join(map(str, self.roots))}; publish one with `python -m training publish`")
        return DEFAULT if DEFAULT in names else next((v.card.name for v in versions if v.card.has_w), names[0])

    def get(self, reference: str | None = None) -> Version:
        """The version named ``name`` (its newest) or ``name@version``; None is the default model.

        Raises
        ------
        NotFound : there is no such name or version; the message lists what there is.
        BadModel : the version is there but its card cannot be read.
        """
        reference = reference or self.default_name()
        name, _, wanted = reference.partition("@")
        if not _REFERENCE.fullmatch(reference):
            there = _listing(self.names())
            raise NotFound(f"model {reference!r} is not a name or name@version; there are {there}", field="/model")
        if wanted:
            for root in self.roots:
                if (root / name / wanted / "card.json").is_file():
                    return self._version(root / name / wanted)
        everything = self.versions()[0]
        own = [v for v in everything if v.card.name == name]
        if not own:
            raise NotFound(f"model {name!r} is unknown; there are {_listing([v.card.name for v in everything])}", field="/model")
        if wanted:
            versions = ", ".join(v.card.version for v in own)
            raise NotFound(f"model {name!r} has no version {wanted!r}; it has {versions}", field="/model")
        return own[0]

    def get_scorer(self, reference: str) -> ScorerVersion:
        """The scorer ``name@version``.

        Raises
        ------
        NotFound : there is none; the message lists what there is.
        """
        versions = self.scorers()[0]
        for version in versions:
            if version.card.reference == reference:
                return version
        there = ", ".join(version.card.reference for version in versions) or "none"
        raise NotFound(f"scorer {reference!r} is unknown; there are {there}", field="/score")

    def _version(self, folder: Path) -> Version:
        return _kept(folder, self._read, read_version)

    def _scorer(self, folder: Path) -> ScorerVersion:
        return _kept(folder, self._scorers, read_scorer)


def _kept(folder: Path, held: dict[Path, tuple[Stamp, AnyVersion]], read: Callable[[Path], AnyVersion]) -> AnyVersion:
    """The version in ``folder``, read again only when its card has changed."""
    try:
        state = (folder / "card.json").stat()
    except OSError:
        return read(folder)
    stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
    known = held.get(folder)
    if known is None or known[0] != stamp:
        known = held[folder] = (stamp, read(folder))
    return known[1]


def _listing(names: list[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"


def _negated_age(card: Card) -> tuple[float, str]:
    return (-card.created.timestamp(), card.version)


def split_roots(text: str) -> list[Path]:
    """The model stores that ``GALSYNTH_MODELS_DIRS`` names: paths with ``:`` between them (``;`` on Windows) or a JSON list.

    Raises
    ------
    BadInput : ``text`` begins like a JSON list and is none, or one of other things than strings.
    """
    if not text.lstrip().startswith("["):
        return [Path(part) for part in text.split(os.pathsep) if part]
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        allowed = f"""paths with {os.pathsep!r} between them, or a JSON list such as ["/data/models"]"""
        raise BadInput(f"GALSYNTH_MODELS_DIRS is {text[:100]!r}; allowed are {allowed}", field="GALSYNTH_MODELS_DIRS")
    return [Path(part) for part in parts if part]


def summary(card: ModelCard) -> dict[str, Any]:
    """What a list of models says about one version."""
    return {
        "name": card.name,
        "version": card.version,
        "title": card.title,
        "resolution": card.resolution,
        "bands": [band.model_dump() for band in card.bands],
        "classes": [entry.model_dump() for entry in card.classes],
        "operations": card.operations,
    }


def scorer_summary(card: ScorerCard) -> dict[str, Any]:
    """What a list of scorers says about one version."""
    return {
        "name": card.name,
        "version": card.version,
        "title": card.title,
        "meaning": card.meaning,
        "side": card.side,
        "bands": [band.model_dump() for band in card.bands],
        "display": card.display,
        "members": card.members,
    }
