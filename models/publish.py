"""From an exported folder to a published version: verified, written aside and renamed, so nobody reads half of one."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from pathlib import Path

from galaxies.cards import ModelCard, ScorerCard
from galaxies.errors import BadInput, BadModel
from models.versions import SCORERS, AnyCard, Published, ScorerVersion, Version, parsed, read_scorer, read_version, verify


def publish(source: Path, root: Path) -> Version:
    """Copy the exported version in ``source`` into ``root``; its card names where. Published versions never change.

    Raises
    ------
    BadModel : the source is not a whole version.
    BadInput : that version exists already.
    OSError : it cannot be written; the error names its folder, and nothing is left.
    """
    return read_version(_publish(source, root, ModelCard))


def publish_scorer(source: Path, root: Path) -> ScorerVersion:
    """The same of a scorer."""
    return read_scorer(_publish(source, root / SCORERS, ScorerCard))


def _publish(source: Path, root: Path, kind: type[AnyCard]) -> Path:
    """Verify, write aside, rename; returns the folder of the new version."""
    card = parsed(source / "card.json", kind)
    card = card.model_copy(update={"digest": card.compute_digest()})
    verify(Published(card, source))
    target = root / card.name / card.version
    published = BadInput(f"{card.reference} is published already and never changes; choose another version", field="version")
    if target.exists():
        raise published
    aside = target.with_name(f".{card.version}.{uuid.uuid4().hex}")
    new = [folder for folder in target.parents if not folder.exists()]
    try:
        for name in card.files:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, aside / name)
        (aside / "card.json").write_text(card.model_dump_json(indent=1) + "\n")
        verify(Published(card, aside))
        if parsed(aside / "card.json", kind).compute_digest() != card.digest:
            raise BadModel(f"{source / 'card.json'} has numbers that are not finite; JSON has none")
        try:
            aside.rename(target)
        except OSError:  # another publication of the same version was first
            raise (published if target.exists() else BadModel(f"{target} cannot be written")) from None
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # another publication has come to need them
            for folder in new:
                folder.rmdir()
        if isinstance(error, OSError):  # of a full disk, copying names the file that it reads
            error.filename, error.filename2 = str(target), None
        raise
    return target
