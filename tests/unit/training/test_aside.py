"""Files are whole or not there, whatever ends their writer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from galaxies.errors import BadInput
from training.aside import check_writable, file_aside, folder_aside, write_picture, write_text


def test_what_fails_on_the_way_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.json"
    write_text(path, "first")
    with pytest.raises(KeyboardInterrupt), file_aside(path) as aside:  # noqa: PT012 - the second statement is what ends the first
        aside.write_text("half of the sec")
        raise KeyboardInterrupt
    assert path.read_text() == "first"
    write_text(path, "second")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x.txt", "x", "x.zip"])
def test_a_picture_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=f"{name} is no name of a picture: one that ends in .png or .jpg is needed"):
        write_picture(tmp_path / "new" / name, Image.new("L", (2, 2)))
    assert not list(tmp_path.iterdir())


def test_a_picture_has_the_format_of_its_name(tmp_path: Path) -> None:
    for name, kind in (("a.png", "PNG"), ("a.JPG", "JPEG")):
        write_picture(tmp_path / name, Image.new("L", (2, 2)))
        with Image.open(tmp_path / name) as picture:
            assert picture.format == kind


@pytest.mark.parametrize("name", ["model", "model[1]"])
def test_a_folder_sweeps_away_what_killed_runs_left_beside_it(tmp_path: Path, name: str) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    kept = {f".{name}.1", f".{name}.x", f".other.{ended.pid}", name}
    for left in (*kept - {name}, f".{name}.{ended.pid}"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "graph.onnx").touch()
    with folder_aside(tmp_path / name) as folder:
        (folder / "card.json").touch()
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_looking_whether_files_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("before")
    for out in (tmp_path, tmp_path / "new" / "deep"):
        check_writable(out, [out / "there", out / "other"])
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
    assert (tmp_path / "there").read_text() == "before"
