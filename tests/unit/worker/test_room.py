"""A room for many together or one alone."""

from __future__ import annotations

import threading
import time

import pytest

from worker.room import Occupied, Room


def test_one_alone_meets_nobody_and_the_others_meet_each_other() -> None:
    room, lock = Room(), threading.Lock()
    inside: set[str] = set()
    met_alone: set[str] = set()
    most_together = 0

    def visit(name: str, alone: bool) -> None:
        nonlocal most_together
        with room.alone() if alone else room.together():
            with lock:
                inside.add(name)
                if alone:
                    met_alone.update(inside - {name})
                most_together = max(most_together, len(inside))
            time.sleep(0.01)
            with lock:
                if alone:
                    met_alone.update(inside - {name})
                inside.discard(name)

    threads = [threading.Thread(target=visit, args=(f"{i}", i % 5 == 0)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert met_alone == set()
    assert most_together > 1


def test_who_waits_to_be_alone_goes_before_those_who_come_after() -> None:
    room, order = Room(), list[str]()
    first = room.together()
    first.__enter__()

    def alone() -> None:
        with room.alone():
            order.append("alone")

    def later() -> None:
        with room.together():
            order.append("later")

    threads = [threading.Thread(target=alone), threading.Thread(target=later)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    assert order == []
    first.__exit__(None, None, None)
    for thread in threads:
        thread.join(5)
    assert order == ["alone", "later"]


def test_who_has_no_patience_is_told_so_and_holds_nobody_up() -> None:
    room = Room()
    with room.alone(), pytest.raises(Occupied, match="last attempt"), room.together(0.01):
        pass
    with room.together(0.01), room.together(0.01):
        pass
    with room.alone():
        pass
