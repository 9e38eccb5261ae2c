"""The film of a run growing up is made of the sheets that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.sheets import growing_up, write_sheet


def test_a_sheet_that_was_cut_off_is_left_out_and_named(tmp_path: Path) -> None:
    sheets, film = tmp_path / "samples", tmp_path / "growing-up.gif"
    assert growing_up(sheets, film) == []
    for number in range(4):
        write_sheet(np.full((8, 8, 3), 60 * number, np.uint8), sheets / f"{number:09d}.png")
    cut, foreign = sheets / "000000001.png", sheets / "000000002.png"
    cut.write_bytes(cut.read_bytes()[:45])
    foreign.write_bytes(b"no picture")
    assert growing_up(sheets, film) == [cut, foreign]
    with Image.open(film) as image:
        assert image.n_frames == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growing-up.gif", "samples"]


def test_without_a_readable_sheet_there_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    assert growing_up(tmp_path, tmp_path / "film.gif") == [tmp_path / "1.png"]
    assert not (tmp_path / "film.gif").exists()
