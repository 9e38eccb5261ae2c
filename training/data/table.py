"""The CSV that selects and labels: columns by name or by 0-based number, with or without a header."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field

from galaxies.errors import BadInput
from training.data.items import stem
from training.data.options import Selection


@dataclass(frozen=True)
class Row:
    """What the table says of one file."""

    file: str
    object_id: str
    label: str | None


@dataclass(frozen=True)
class Table:
    """The rows that are selected; ``problems`` are rows that cannot be used, by number."""

    rows: list[Row]
    problems: list[str] = field(default_factory=list)


def read_table(selection: Selection) -> Table:
    """Read, select and name.

    Raises
    ------
    BadInput : the table cannot be read, a column is missing, a value that is compared is no number, a file comes twice, or no
        row is selected.
    """
    names, lines = _lines(selection)
    file_at = _position(selection, selection.file_column, names)
    class_at = _optional(selection, selection.class_column, names)
    object_at = _optional(selection, selection.object_column, names)
    keep = _condition(selection, names)
    rename = dict(selection.rename)
    table = Table([])
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 2 if selection.header else 1):
        if len(line) < len(names):
            table.problems.append(f"{selection.csv}: row {number} has {len(line)} columns, not {len(names)}")
            continue
        if not keep(number, line):
            continue
        key = line[file_at].strip()
        file = selection.file_pattern.replace("{}", key)
        label = None if class_at is None else rename.get(line[class_at].strip(), line[class_at].strip())
        if label == "":
            table.problems.append(f"{selection.csv}: row {number} ({file}) has no label in column {selection.class_column!r}")
            continue
        if file in seen:
            raise BadInput(f"{selection.csv} names {file} twice, in rows {seen[file]} and {number}", field="csv")
        seen[file] = number
        object_id = stem(file) if object_at is None else line[object_at].strip()
        table.rows.append(Row(file, object_id, label))
    if not table.rows and not table.problems:
        raise BadInput(f"no row of {selection.csv} is selected by {', '.join(selection.texts()) or 'anything'}", field="csv")
    return table


def _lines(selection: Selection) -> tuple[list[str], list[list[str]]]:
    try:
        assert selection.csv is not None
        with selection.csv.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream, delimiter="\t" if selection.csv.suffix == ".tsv" else ",") if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{selection.csv} cannot be read as CSV: {error}", field="csv") from None
    if not lines:
        raise BadInput(f"{selection.csv} has no rows", field="csv")
    if not selection.header:
        return [""] * len(lines[0]), lines
    return [name.strip() for name in lines[0]], lines[1:]


def _position(selection: Selection, column: str, names: list[str]) -> int:
    """The number of a column. A header whose cell under a number is itself a number is taken for a forgotten --no-header."""
    if column in names and column:
        return names.index(column)
    if column.isdecimal() and int(column) < len(names):
        if selection.header and _is_number(names[int(column)]):
            raise BadInput(
                f"{selection.csv}: column {column} of the first row is {names[int(column)]!r}, which looks like data; "
                "say --no-header where the table has none",
                field="csv",
            )
        return int(column)
    known = ", ".join(names) if selection.header else f"0 to {len(names) - 1} (--no-header)"
    raise BadInput(f"{selection.csv} has no column {column!r}; it has {known}", field="csv")


def _optional(selection: Selection, column: str | None, names: list[str]) -> int | None:
    return None if column is None else _position(selection, column, names)


def _condition(selection: Selection, names: list[str]) -> Callable[[int, list[str]], bool]:
    """A row fulfils all of ``where``, ``minimum`` and ``maximum``."""
    equal = [(_position(selection, column, names), value) for column, value in selection.where]
    bounds = [(_position(selection, column, names), column, value, 1.0) for column, value in selection.maximum]
    bounds += [(_position(selection, column, names), column, value, -1.0) for column, value in selection.minimum]

    def keep(number: int, line: list[str]) -> bool:
        if not all(_same(line[at].strip(), value) for at, value in equal):
            return False
        for at, column, value, sign in bounds:
            if not _is_number(line[at]):
                raise BadInput(f"{selection.csv}: {line[at]!r} in column {column!r} of row {number} is not a number", field="csv")
            if not float(line[at]) * sign <= value * sign:
                return False
        return True

    return keep


def _same(text: str, value: str) -> bool:
    return text == value or (_is_number(text) and _is_number(value) and float(text) == float(value))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
