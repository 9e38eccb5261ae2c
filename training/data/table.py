"""The CSV that selects and labels: columns by name or by 0-based number, with or without a header."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from galaxies.errors import BadInput
from training.data.items import Item, stem
from training.data.options import PrepareOptions, Selection

SHOWN_PROBLEMS = 3


@dataclass(frozen=True)
class Row:
    """What the table says of one file; a ``problem`` says why the row cannot be used.

    Without a column for it, the object's name is the one that the source gives, and so is its label.
    """

    number: int
    file: str
    object_id: str | None
    label: str | None = None
    problem: str = ""


def selected(options: PrepareOptions, items: list[Item]) -> list[Item]:
    """The items that the table takes, with its labels, and an item with a problem for every row that has none.

    Without a table all items are taken.

    Raises
    ------
    BadInput : the table is wrong (see `read_table`), no row can be used, or one cannot and ``on_error`` is ``"fail"``.
    """
    if options.selection.csv is None:
        return items
    found = {item.name: item for item in items}
    chosen = [_of_row(row, found.get(row.file), options.source) for row in read_table(options.selection)]
    problems = [item.problem for item in chosen if item.problem]
    if len(problems) == len(chosen) or (problems and options.on_error == "fail"):
        shown = "; ".join(problems[:SHOWN_PROBLEMS])
        more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        raise BadInput(
            f"{len(problems)} of {len(chosen)} rows of {options.selection.csv} cannot be used: {shown}{more} "
            "(--file-column and --file-pattern say how a row names its file, --on-error skip leaves such rows out)",
            field="csv",
        )
    return chosen


def _of_row(row: Row, item: Item | None, source: Path) -> Item:
    if row.problem or item is None:
        problem = row.problem or f"{row.file} (row {row.number}) is not in {source}"
        return Item(row.file, row.object_id or stem(row.file), label=row.label, problem=problem)
    object_id = item.object_id if row.object_id is None else row.object_id
    return replace(item, object_id=object_id, label=item.label if row.label is None else row.label)


def read_table(selection: Selection) -> list[Row]:
    """The rows that are selected, and those that cannot be used.

    Raises
    ------
    BadInput : the table cannot be read or has no rows, a column is missing or comes twice, no row has a class that is to be
        renamed, a file comes twice, or no row is selected.
    """
    names, lines = _lines(selection)
    file_at = _position(selection, selection.file_column, names)
    class_at = _optional(selection, selection.class_column, names)
    object_at = _optional(selection, selection.object_column, names)
    judge = _condition(selection, names)
    if not lines:
        raise BadInput(f"{selection.csv} has no rows below its header", field="csv")
    if class_at is not None:
        selection.check_renames({line[class_at].strip() for line in lines if len(line) == len(names)})
    rename = dict(selection.rename)
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 2 if selection.header else 1):
        file = selection.file_pattern.replace("{}", line[file_at].strip()) if file_at < len(line) else ""
        if len(line) != len(names):
            rows.append(Row(number, file, None, problem=f"row {number} has {len(line)} columns, not {len(names)}"))
            continue
        if (wrong := judge(line)) is None:
            continue
        label = None if class_at is None else rename.get(line[class_at].strip(), line[class_at].strip())
        object_id = None if object_at is None else line[object_at].strip()
        if label == "":
            wrong = wrong or f"no label in column {selection.class_column!r}"
        if object_id == "":
            wrong = wrong or f"no object in column {selection.object_column!r}"
        if wrong:
            rows.append(Row(number, file, object_id or None, problem=f"row {number} ({file}) has {wrong}"))
            continue
        if file in seen:
            raise BadInput(f"{selection.csv} names {file} twice, in rows {seen[file]} and {number}", field="csv")
        seen[file] = number
        rows.append(Row(number, file, object_id, label))
    if not rows:
        raise BadInput(f"no row of {selection.csv} is selected by {', '.join(selection.texts())}", field="csv")
    return rows


def _lines(selection: Selection) -> tuple[list[str], list[list[str]]]:
    try:
        assert selection.csv is not None
        delimiter = "\t" if selection.csv.suffix.lower() == ".tsv" else ","
        with selection.csv.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream, delimiter=delimiter) if line]
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
        if names.count(column) > 1:
            places = " and ".join(str(at) for at, name in enumerate(names) if name == column)
            raise BadInput(f"{selection.csv} has several columns {column!r}, {places}: name one by its number", field="csv")
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


def _condition(selection: Selection, names: list[str]) -> Callable[[list[str]], str | None]:
    """What a row is judged by: None where it is not within ``where``, ``minimum`` and ``maximum``, else what is wrong with it."""
    equal = [(_position(selection, column, names), value) for column, value in selection.where]
    bounds = [(_position(selection, column, names), column, value, 1.0) for column, value in selection.maximum]
    bounds += [(_position(selection, column, names), column, value, -1.0) for column, value in selection.minimum]

    def judge(line: list[str]) -> str | None:
        if not all(_same(line[at].strip(), value) for at, value in equal):
            return None
        wrong = ""
        for at, column, value, sign in bounds:
            if not _is_number(line[at]):
                wrong = wrong or f"{line[at]!r} in column {column!r}, which is not a number"
            elif not float(line[at]) * sign <= value * sign:
                return None
        return wrong

    return judge


def _same(text: str, value: str) -> bool:
    return text == value or (_is_number(text) and _is_number(value) and float(text) == float(value))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
