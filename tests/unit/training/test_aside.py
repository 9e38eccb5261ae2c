"""Files are whole or not there, whatever ends their writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.aside import file_aside, write_text


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
