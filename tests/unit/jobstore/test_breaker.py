from __future__ import annotations

import pytest

from galaxies.errors import Transient
from jobstore.breaker import Breaker


class Line:
    """Somebody who is called, and may not answer; ``now`` is the time."""

    def __init__(self) -> None:
        self.now, self.calls, self.answers = 0.0, 0, False
        self.breaker = Breaker(5, lambda: self.now)

    def call(self, during: object = None) -> None:
        with self.breaker.call():
            self.calls += 1
            if callable(during):
                during()
            if not self.answers:
                raise Transient(f"call {self.calls} was not answered")


def test_after_a_failure_nobody_calls_for_a_while_and_everybody_hears_why() -> None:
    line = Line()
    for line.now in (0.0, 1.0, 4.9):
        with pytest.raises(Transient, match="call 1 was not answered"):
            line.call()
    assert line.calls == 1


def test_then_one_at_a_time_tries_until_one_is_answered() -> None:
    line = Line()
    with pytest.raises(Transient):
        line.call()
    line.now = 5.0

    def meanwhile() -> None:
        with pytest.raises(Transient, match="call 1"):
            line.call()

    with pytest.raises(Transient, match="call 2"):
        line.call(meanwhile)
    line.now, line.answers = 10.0, True
    line.call(lambda: None)
    line.call(line.call)
    assert line.calls == 5, "once it answers, calls overlap again"


def test_an_error_of_another_kind_is_an_answer() -> None:
    line = Line()
    with pytest.raises(KeyError), line.breaker.call():
        raise KeyError
    line.answers = True
    line.call()
    assert line.calls == 1
