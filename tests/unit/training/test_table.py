"""What a table selects, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from galaxies.errors import BadInput
from training.data.options import Selection
from training.data.table import read_table

TEXT = "file,kind,flag,mag\na.png,round,1,17.5\nb.png,flat,0,18.5\nc.png,,1,19.5\n"


def selection(folder: Path, text: str = TEXT, **change: Any) -> Selection:
    (folder / "t.csv").write_text(text)
    return Selection(csv=folder / "t.csv", **change)


@pytest.mark.parametrize(
    ("change", "files"),
    [
        ({}, ["a.png", "b.png", "c.png"]),
        ({"where": (("flag", "1.0"),)}, ["a.png", "c.png"]),
        ({"where": (("2", "1"), ("kind", "round"))}, ["a.png"]),
        ({"minimum": (("mag", 18.5),)}, ["b.png", "c.png"]),
        ({"maximum": (("3", 18.0),)}, ["a.png"]),
    ],
)
def test_rows_are_selected_by_name_or_number(tmp_path: Path, change: dict[str, Any], files: list[str]) -> None:
    assert [row.file for row in read_table(selection(tmp_path, **change))] == files


def test_a_row_without_a_label_is_named(tmp_path: Path) -> None:
    rows = read_table(selection(tmp_path, class_column="kind", object_column="mag"))
    assert [(row.label, row.object_id) for row in rows] == [("round", "17.5"), ("flat", "18.5"), (None, "19.5")]
    assert [row.problem for row in rows] == ["", "", "row 4 (c.png) has no label in column 'kind'"]


def test_a_row_without_an_object_is_named(tmp_path: Path) -> None:
    rows = read_table(selection(tmp_path, object_column="kind"))
    assert [row.object_id for row in rows] == ["round", "flat", None]
    assert rows[2].problem == "row 4 (c.png) has no object in column 'kind'"


def test_a_cell_that_is_no_number_is_the_problem_of_its_row_where_the_row_is_selected(tmp_path: Path) -> None:
    text = "file,flag,mag,size\na.png,1,n/a,3\nb.png,0,n/a,3\nc.png,1,n/a,9\nd.png,1,17,3\n"
    rows = read_table(selection(tmp_path, text, where=(("flag", "1"),), minimum=(("mag", 3.0),), maximum=(("size", 5.0),)))
    assert [(row.file, row.problem) for row in rows] == [
        ("a.png", "row 2 (a.png) has 'n/a' in column 'mag', which is not a number"),
        ("d.png", ""),
    ]


def test_a_byte_order_mark_and_rows_of_another_length_do_no_harm(tmp_path: Path) -> None:
    rows = read_table(selection(tmp_path, "\ufeff" + TEXT + "d.png,round\ne.png,round,1,17,x\n"))
    assert [(row.file, row.problem) for row in rows[2:]] == [
        ("c.png", ""),
        ("d.png", "row 5 has 2 columns, not 4"),
        ("e.png", "row 6 has 5 columns, not 4"),
    ]


def test_a_name_that_several_columns_have_is_wrong_only_where_it_is_used(tmp_path: Path) -> None:
    text = "file,kind,kind\na.png,round,flat\n"
    with pytest.raises(BadInput, match=r"has several columns 'kind', 1 and 2: name one by its number"):
        read_table(selection(tmp_path, text, class_column="kind"))
    assert [row.label for row in read_table(selection(tmp_path, text, class_column="2"))] == ["flat"]


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        (TEXT, {"class_column": "shape"}, "no column 'shape'; it has file, kind, flag, mag"),
        (TEXT, {"class_column": "9"}, "no column '9'"),
        (TEXT, {"where": (("flag", "2"),)}, "no row of .* is selected by flag = 2"),
        (TEXT + "a.png,flat,0,1\n", {}, "names a.png twice, in rows 2 and 5"),
        ("5,7,9\n", {"file_column": "1"}, "looks like data; say --no-header"),
        (
            TEXT,
            {"class_column": "kind", "where": (("kind", "flat"),), "rename": (("round", "r"), ("zz", "b"))},
            "--rename-class zz=b: no class is 'zz'; there are flat, round$",
        ),
        ("", {}, "has no rows"),
        ("file,kind\n", {}, "has no rows below its header"),
        ("0,1,2\n", {"header": False}, r"no column 'file'; it has 0 to 2 \(--no-header\)"),
    ],
)
def test_a_wrong_table_is_one_clear_error(tmp_path: Path, text: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_table(selection(tmp_path, text, **change))


def test_tabs_separate_the_columns_of_a_tsv_in_either_case(tmp_path: Path) -> None:
    for name in ("t.tsv", "T.TSV"):
        (tmp_path / name).write_text("file\tkind\na.png\tround\n")
        assert [row.file for row in read_table(Selection(csv=tmp_path / name))] == ["a.png"]


def test_a_missing_table_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.csv cannot be read"):
        read_table(Selection(csv=tmp_path / "absent.csv"))
