"""The files of an evaluation become part of an exported model: all of them, or none.

A card names files by their digests, so a report cannot be written over the one that the card names. New files are written aside,
whole; the card then names them there; they take their usual names; the card names those. Whenever this is cut short, the folder
holds a whole model, either with what it had before or with all that is new.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from galaxies.cards import ModelCard, Role
from models.versions import describe, read_exported
from training.aside import write_bytes, write_text

ROLES: dict[str, Role] = {
    "samples.png": "samples",
    "report/report.json": "report_json",
    "report/report.html": "report_html",
}
ASIDE = "evaluation-"


def attach(folder: Path, card: ModelCard, write: Callable[[Path], None]) -> ModelCard:
    """Put the files of `ROLES`, which ``write(aside)`` makes under their names, and ``card`` with them into the model ``folder``.

    Returns the new card. What was there of these roles is replaced.
    """
    aside = folder / f"{ASIDE}{uuid.uuid4().hex[:8]}"
    try:
        (aside / "report").mkdir(parents=True)
        write(aside)
        for name in ROLES:  # all is on the disk before anything changes
            write_bytes(aside / "again" / name, (aside / name).read_bytes())
        there, made = (_naming(card, aside, prefix) for prefix in (f"{aside.name}/", ""))
        for path, new in ((aside / "there.json", there), (aside / "card.json", made)):
            write_text(path, new.model_dump_json(indent=1) + "\n")
        (folder / "report").mkdir(exist_ok=True)
        (aside / "there.json").replace(folder / "card.json")
        for name in ROLES:
            (aside / "again" / name).replace(folder / name)
        (aside / "card.json").replace(folder / "card.json")
    finally:
        _sweep(folder)
    return made


def _naming(card: ModelCard, made: Path, prefix: str) -> ModelCard:
    """``card`` with the files in ``made``, under ``prefix`` and their names, in place of those that it has of their roles."""
    files = {name: entry for name, entry in card.files.items() if entry.role not in ROLES.values()}
    files |= {prefix + name: describe(made / name, role) for name, role in ROLES.items()}
    card = card.model_copy(update={"files": files})
    return card.model_copy(update={"digest": card.compute_digest()})


def _sweep(folder: Path) -> None:
    """Remove what this run or killed ones have left aside, but for what the card names."""
    named = {Path(name).parts[0] for name in read_exported(folder).card.files}
    for left in folder.glob(f"{ASIDE}*"):
        if left.name not in named:
            shutil.rmtree(left, ignore_errors=True)
