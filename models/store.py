"""The model store: immutable, digest-checked versions under ``<root>/<name>/<version>/`` with a ``card.json`` each.

Scorers, which judge images, lie beside the models in the same form under ``<root>/scorers/<name>/<version>/``.

Several roots are searched in order (the bundled zoo, then the operator's own). Publishing verifies a version, writes it aside and
renames it, so a reader never sees half of one; a running service lists it without a restart.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from galaxies.cards import NAME_PATTERN, VERSION_PATTERN, Card, CardFile, ModelCard, ScorerCard
from galaxies.errors import BadInput, BadModel, NotFound

BUNDLED = Path(__file__).parent / "zoo"
SCORERS = "scorers"
_REFERENCE = re.compile(f"{NAME_PATTERN.rstrip('$')}(@{VERSION_PATTERN[1:-1]})?$")


@dataclass(frozen=True)
class Published:
    """One published version: its card and the folder that holds its files."""

    card: Card
    folder: Path

    def path(self, role: str) -> Path:
        """The file with ``role``.

        Raises
        ------
        BadModel : the card names no such file.
        """
        for name, entry in self.card.files.items():
            if entry.role == role:
                return self.folder / name
        raise BadModel(f"model {self.card.reference} has no {role} file")


@dataclass(frozen=True)
class Version(Published):
    """A version of a model."""

    card: ModelCard


@dataclass(frozen=True)
class ScorerVersion(Published):
    """A version of a scorer."""

    card: ScorerCard


AnyVersion = TypeVar("AnyVersion", Version, ScorerVersion)
AnyCard = TypeVar("AnyCard", ModelCard, ScorerCard)
Stamp = tuple[int, ...]


@dataclass
class ModelStore:
    """Versions under ``roots``; ``default`` is the name that requests without a model get.

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
        """The default model's name.

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
        return next((v.card.name for v in versions if v.card.has_w), names[0])

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


def read_version(folder: Path) -> Version:
    """The version in ``folder``; checks that its card is whole and belongs there.

    Raises
    ------
    BadModel : the card is missing, not JSON, of another format, changed after publication, or of another name or version.
    """
    return Version(_card(folder, ModelCard), folder)


def read_scorer(folder: Path) -> ScorerVersion:
    """The same of a scorer."""
    return ScorerVersion(_card(folder, ScorerCard), folder)


def read_exported_scorer(folder: Path) -> ScorerVersion:
    """The scorer in ``folder``, published or only exported.

    Raises
    ------
    BadModel : there is none.
    """
    return ScorerVersion(_parsed(folder / "card.json", ScorerCard), folder)


def _card(folder: Path, kind: type[AnyCard]) -> AnyCard:
    path = folder / "card.json"
    card = _parsed(path, kind)
    if card.digest != card.compute_digest():
        raise BadModel(f"{path} was changed after publication: its digest is not {card.digest or 'given'}")
    if (card.name, card.version) != (folder.parent.name, folder.name):
        raise BadModel(f"{path} describes {card.reference}, but lies in the folder of {folder.parent.name}@{folder.name}")
    return card


def _parsed(path: Path, kind: type[AnyCard]) -> AnyCard:
    """The card in the file ``path``; whether its digest is right is not looked at."""
    try:
        return kind.model_validate_json(_regular(path).read_bytes())
    except OSError as error:
        raise BadModel(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ascii(".".join(map(str, first["loc"])))[1:-1] or "document"
        raise BadModel(f"{path} is not a {'scorer' if kind is ScorerCard else 'model'} card: {where}: {first['msg']}") from None


def _regular(path: Path) -> Path:
    """``path``, if it is a file: a pipe or a device would be waited for, or read without end."""
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no such file")
    return path


def verify(version: Published) -> None:
    """Check size and sha256 of every file.

    Raises
    ------
    BadModel : a file is missing, truncated or changed, or its path leaves the folder.
    """
    for name, entry in version.card.files.items():
        path = version.folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BadModel(f"model {version.card.reference} names a file outside its folder: {name!r}")
        try:
            actual = describe(path, entry.role)
        except OSError as error:
            raise BadModel(f"model {version.card.reference}: {name} cannot be read: {error.strerror}") from None
        if actual != entry:
            raise BadModel(
                f"model {version.card.reference}: {name} has {actual.bytes} bytes, sha256 {actual.sha256[:12]}…; "
                f"its card says {entry.bytes} bytes, {entry.sha256[:12]}…: restore or publish it again"
            )


def describe(path: Path, role: str) -> CardFile:
    """Digest and size of a file, as a card lists it.

    Raises
    ------
    OSError : there is no such file, or it cannot be read.
    """
    with _regular(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return CardFile.model_validate({"sha256": digest, "bytes": path.stat().st_size, "role": role})


def publish(source: Path, root: Path) -> Version:
    """Copy the exported version in ``source`` into ``root``; its card names where. Published versions never change.

    Raises
    ------
    BadModel : the source is not a whole version.
    BadInput : that version exists already.
    """
    return read_version(_publish(source, root, ModelCard))


def publish_scorer(source: Path, root: Path) -> ScorerVersion:
    """The same of a scorer."""
    return read_scorer(_publish(source, root / SCORERS, ScorerCard))


def _publish(source: Path, root: Path, kind: type[AnyCard]) -> Path:
    """Verify, write aside, rename; returns the folder of the new version."""
    card = _parsed(source / "card.json", kind)
    card = card.model_copy(update={"digest": card.compute_digest()})
    verify(Published(card, source))
    target = root / card.name / card.version
    published = BadInput(f"{card.reference} is published already and never changes; choose another version", field="version")
    if target.exists():
        raise published
    aside = target.with_name(f".{card.version}.{uuid.uuid4().hex}")
    try:
        for name in card.files:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, aside / name)
        (aside / "card.json").write_text(card.model_dump_json(indent=1) + "\n")
        verify(Published(card, aside))
        if _parsed(aside / "card.json", kind).compute_digest() != card.digest:
            raise BadModel(f"{source / 'card.json'} has numbers that are not finite; JSON has none")
        try:
            aside.rename(target)
        except OSError:  # another publication of the same version was first
            raise (published if target.exists() else BadModel(f"{target} cannot be written")) from None
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return target
