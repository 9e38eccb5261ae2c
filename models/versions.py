"""One version of a model or scorer: a folder with a ``card.json`` and the files that the card lists with their digests."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from galaxies.cards import Card, CardFile, ModelCard, ScorerCard
from galaxies.errors import BadModel

WEIGHTS = frozenset({"mapping", "synthesis", "generator", "buffers", "discriminator", "scorer"})
"""Roles of files that only a program needs which runs or trains the network."""
SCORERS = "scorers"
"""The folder of a store in which scorers lie."""

AnyCard = TypeVar("AnyCard", ModelCard, ScorerCard)


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


def read_exported(folder: Path) -> Version:
    """The model in ``folder``, published or only exported.

    Raises
    ------
    BadModel : there is none.
    """
    return Version(parsed(folder / "card.json", ModelCard), folder)


def read_exported_scorer(folder: Path) -> ScorerVersion:
    """The same of a scorer."""
    return ScorerVersion(parsed(folder / "card.json", ScorerCard), folder)


def in_store(version: Published) -> bool:
    """Whether its folder lies where a store keeps that version; what lies there never changes."""
    own = (version.card.name, version.card.version)
    return any((path.parent.name, path.name) == own for path in (version.folder.absolute(), version.folder.resolve()))


def _card(folder: Path, kind: type[AnyCard]) -> AnyCard:
    path = folder / "card.json"
    card = parsed(path, kind)
    if card.digest != card.compute_digest():
        raise BadModel(f"{path} was changed after publication: its digest is not {card.digest or 'given'}")
    if (card.name, card.version) != (folder.parent.name, folder.name):
        raise BadModel(f"{path} describes {card.reference}, but lies in the folder of {folder.parent.name}@{folder.name}")
    return card


def parsed(path: Path, kind: type[AnyCard]) -> AnyCard:
    """The card in the file ``path``; whether its digest is right is not looked at.

    Raises
    ------
    BadModel : there is no such file, or it holds no such card.
    """
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


def verify(version: Published, *, bare: bool = False) -> None:
    """Check size and sha256 of every file.

    Parameters
    ----------
    bare : a version that has none of its weights will do, as in an image of the API.

    Raises
    ------
    BadModel : a file is missing, truncated or changed, or its path leaves the folder.
    """
    files = version.card.files
    if bare and not any((version.folder / name).exists() for name, entry in files.items() if entry.role in WEIGHTS):
        files = {name: entry for name, entry in files.items() if entry.role not in WEIGHTS}
    for name, entry in files.items():
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
