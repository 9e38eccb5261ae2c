from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from galsynth.children import Child, Program
from tests.programs import assert_gone

PARENT = """
import sys, time
from galsynth.children import Child, Program
child = Child(Program("sleeper", ["sleep", "60"]), print, lambda _: None)
print(child.pid, flush=True)
time.sleep(60)
"""


def start(*command: str, feed: str | None = None) -> tuple[Child, list[str], queue.Queue[Child]]:
    lines: list[str] = []
    ends: queue.Queue[Child] = queue.Queue()
    return Child(Program("child", command, dict(os.environ), feed), lines.append, ends.put), lines, ends


def test_lines_of_both_streams_arrive_before_its_end_is_told() -> None:
    child, lines, ends = start("sh", "-c", "echo one; echo two >&2; exit 3")
    assert ends.get(timeout=10) is child
    child.drain()
    assert lines == ["one", "two"]
    assert (child.exit_status, child.describe_end()) == (3, "exit status 3")


def test_a_signal_is_named() -> None:
    child, _, ends = start("sleep", "60")
    child.ask_to_stop()
    ends.get(timeout=10)
    assert child.describe_end() == "SIGTERM"


def test_what_is_fed_comes_over_standard_input_alone() -> None:
    child, lines, ends = start("sh", "-c", "cat; tr '\\0' ' ' < /proc/$$/cmdline", feed="hunter2\n")
    ends.get(timeout=10)
    child.drain()
    assert lines[0] == "hunter2"
    assert "hunter2" not in lines[1]


def test_bytes_that_are_no_text_do_not_stop_the_lines() -> None:
    child, lines, ends = start("printf", r"\377\nafter\n")
    ends.get(timeout=10)
    child.drain()
    assert lines == ["�", "after"]


def test_a_command_that_is_not_there_says_so() -> None:
    child, lines, ends = start("no-such-command")
    ends.get(timeout=10)
    child.drain()
    assert lines == ["no-such-command cannot be started: No such file or directory"]
    assert child.exit_status == 1


def test_kill_takes_grandchildren_along() -> None:
    child, lines, ends = start("sh", "-c", "sleep 60 & echo $!; wait")
    while not lines:
        assert child.exit_status is None
    child.kill()
    ends.get(timeout=10)
    assert_gone({child.pid, int(lines[0])})


def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    child, _, ends = start("sleep", "60")
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.kill()
    ends.get(timeout=10)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's own")
def test_it_ends_with_a_parent_that_got_sigkill() -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.send_signal(signal.SIGKILL)
    assert_gone({pid})


def test_it_does_not_begin_where_the_parent_has_ended() -> None:
    bound = Path(sys.modules[Child.__module__].__file__ or "").with_name("bound.py")
    done = subprocess.run([sys.executable, str(bound), "1", "echo", "began"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the parent process has ended" in done.stderr


def test_no_thread_is_left_of_an_ended_child() -> None:
    before = threading.active_count()
    children = [start("true") for _ in range(5)]
    for child, _, ends in children:
        ends.get(timeout=10)
        child.drain(5)
    assert threading.active_count() <= before + 5
