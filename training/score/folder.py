"""What a folder made by ``score`` holds: what it was begun with, its trained members, and the table once it is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from galaxies.errors import BadInput
from training import checkpoints
from training.aside import write_text

CONFIG, MEMBERS, TABLE = "config.json", "members", "score.json"
BEGUN_WITH = {"options": dict, "archives": list}
"""What `CONFIG` says."""
FINISHED_WITH = {
    "options": dict,
    "network": dict,
    "dataset": dict,
    "examples": dict,
    "methods": dict,
    "trunk": str,
    "ensemble_disagreement": dict,
}
"""What an export reads from `TABLE`."""
ONCE_MORE = "run the same `score` command once more"


def is_score_folder(folder: Path) -> bool:
    """Whether ``folder`` was made by ``score``, finished or not."""
    if (folder / MEMBERS).is_dir():
        return True
    try:
        begun_with(folder)
    except BadInput:
        return False
    return True


def begun_with(folder: Path) -> dict[str, Any]:
    """The options and the digests of the archives that ``folder`` was begun with.

    Raises
    ------
    BadInput : they are missing or damaged.
    """
    return _read(folder / CONFIG, BEGUN_WITH, "choose another folder, or remove this one")


def table_of(folder: Path) -> dict[str, Any]:
    """The table of a finished ``folder``.

    Raises
    ------
    BadInput : the folder is not finished, or the table is damaged or of an older version.
    """
    if not (folder / TABLE).is_file():
        raise BadInput(f"{folder} is not finished: there is no {TABLE}; the same `score` command goes on with it")
    return _read(folder / TABLE, FINISHED_WITH, ONCE_MORE)


def claim(folder: Path, options: Mapping[str, Any], archives: list[str]) -> None:
    """Write what ``folder`` is made of, or compare it with what it was begun with; look whether its members can be read.

    Raises
    ------
    BadInput : an option or a data set differs, or a file is damaged; nothing is written then.
    """
    if (folder / CONFIG).is_file():
        before = begun_with(folder)
        differences = checkpoints.differences(_flat(before["options"], before["archives"]), _flat(options, archives))
        if differences:
            raise BadInput(checkpoints.begun_otherwise(folder, differences), field="out")
        for path in sorted((folder / MEMBERS).glob("*.safetensors")):
            _tensors(path)
    write_text(folder / CONFIG, json.dumps({"options": options, "archives": archives}, indent=1) + "\n")


def load_member(network: nn.Module, path: Path) -> None:
    """Give ``network`` the weights of a finished member.

    Raises
    ------
    BadInput : the file is damaged, or of another network.
    """
    try:
        network.load_state_dict(_tensors(path))
    except RuntimeError as error:
        raise BadInput(_anew(path, f"does not fit this network: {' '.join(str(error).split())}")) from None


def _tensors(path: Path) -> dict[str, Any]:
    try:
        return checkpoints.read_tensors(path)
    except BadInput as error:
        raise BadInput(_anew(path, error.message.removeprefix(f"{path} "))) from None


def _anew(path: Path, what: str) -> str:
    return f"{path} {what}; remove it and {ONCE_MORE}: it is trained anew"


def _flat(options: Mapping[str, Any], archives: list[str]) -> dict[str, Any]:
    return {**options, **dict(zip(("data set", "unknown"), archives, strict=False))}


def _read(path: Path, says: Mapping[str, Any], remedy: str) -> dict[str, Any]:
    """The JSON object in ``path``, which says what ``says`` names, of these types.

    Raises
    ------
    BadInput : it does not; the message ends with the ``remedy``.
    """
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}; {remedy}") from None
    found: dict[str, Any] = read if isinstance(read, dict) else {}
    absent = [key for key, kind in says.items() if not isinstance(found.get(key), kind)]
    if absent:
        raise BadInput(f"{path} does not say its {', '.join(absent)}: it is damaged or of another version; {remedy}")
    return found
