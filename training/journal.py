"""``log.jsonl``: what a run measured, one JSON object a line, in the order of the images seen (``kimg``, in thousands)."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from galaxies.errors import BadInput
from training.aside import named, write_text

NAME = "log.jsonl"


def append(run: Path, row: dict[str, Any]) -> None:
    """Add one row at the end, whole or not at all."""
    path = run / NAME
    size = path.stat().st_size if path.exists() else 0
    try:
        with named(path), path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


def read_log(run: Path) -> list[dict[str, Any]]:
    """The rows; a line cut off by a crash is left out.

    Raises
    ------
    BadInput : there is no log.
    """
    try:
        text = (run / NAME).read_text(errors="replace")
    except OSError as error:
        raise BadInput(f"{run / NAME} cannot be read: {error.strerror}; the folder of a training run is needed") from None
    return [row for row in map(_row, text.splitlines()) if row is not None]


def rewind(run: Path, kimg: float) -> None:
    """Drop what a killed run wrote beyond the checkpoint at ``kimg``, from which it goes on, and a line that it did not end."""
    path = run / NAME
    if not path.exists():
        return
    before = path.read_text(errors="replace")
    kept = [line for line in before.splitlines() if (row := _row(line)) is not None and row.get("kimg", 0) <= kimg]
    after = "".join(f"{line}\n" for line in kept)
    if after != before:
        write_text(path, after)


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
