"""Progress: bars on a terminal, lines where nobody looks at the time."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.console import Console

from training.cli.console import progress

MODULE = sys.modules[progress.__module__]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    shown = io.StringIO()
    monkeypatch.setattr(MODULE, "console", Console(file=shown, force_terminal=False))
    return shown


def test_off_a_terminal_a_line_comes_every_twenty_seconds_and_at_the_end(stream: io.StringIO) -> None:
    now = [0.0]
    with progress(lambda: now[0]) as tell:
        for second in range(0, 51, 5):
            now[0] = second
            tell("galaxies", 10 * second, 500)
    assert stream.getvalue().splitlines() == [
        "galaxies  200/500  0:00:20  ETA 0:00:30",
        "galaxies  400/500  0:00:40  ETA 0:00:10",
        "galaxies  500/500  0:00:50",
    ]


def test_work_that_goes_on_is_judged_by_what_it_does_now(stream: io.StringIO) -> None:
    now = [0.0]
    with progress(lambda: now[0]) as tell:
        tell("epochs", 90, 100)
        now[0] = 30
        tell("epochs", 95, 100)
    assert stream.getvalue() == "epochs  95/100  0:00:30  ETA 0:00:30\n"


def test_an_end_that_is_told_twice_is_one_line(stream: io.StringIO) -> None:
    with progress(lambda: 0.0) as tell:
        for what, total in (("generated images", 3), ("held-out images", 0)):
            for done in (0, total, total):
                tell(what, done, total)
    assert stream.getvalue().splitlines() == ["generated images  3/3  0:00:00", "held-out images  0/0  0:00:00"]


def test_a_terminal_that_draws_no_bars_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(MODULE, "console", Console(file=shown, force_terminal=True, _environ={"TERM": "dumb"}))
    with progress(lambda: 0.0) as tell:
        tell("galaxies", 5, 5)
        assert shown.getvalue() == "galaxies  5/5  0:00:00\n"


def test_nothing_is_shown_of_nothing(stream: io.StringIO) -> None:
    with pytest.raises(KeyError), progress():
        raise KeyError
    assert stream.getvalue() == ""


def test_a_terminal_has_a_bar_for_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(MODULE, "console", Console(file=shown, force_terminal=True, width=100))
    with progress() as tell:
        for what in ("reading", "measuring"):
            for done in range(3):
                tell(what, done, 2)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    for what in ("reading", "measuring"):
        assert re.search(rf"{what} .*2/2 ", drawn)
