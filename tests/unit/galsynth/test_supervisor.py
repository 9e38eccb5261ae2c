"""The supervisor with stand-in programs: small Python scripts that write a line, wait and end as told."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from galsynth import supervisor as module
from galsynth.children import Program
from galsynth.console import Console
from galsynth.supervisor import Plan, Supervisor

OBEYS = """
import signal, sys, time
def stop(*_):
    with open({log!r}, "a") as stream: stream.write({name!r} + " stopped\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with open({log!r}, "a") as stream: stream.write({name!r} + " started\\n")
print("hello from", {name!r}, flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(60)
"""
FAILS = "import sys; sys.exit('no such luck')"


class Stage:
    """A plan of stand-ins that keep a log, and the supervisor that runs it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.printed = io.StringIO()
        self.plan = Plan(
            server=self.program("queue"),
            api=self.program("api"),
            workers=(self.program("worker-1"), self.program("worker-2")),
            api_lacks=lambda: None if self.log.read_text().count("started") >= 4 else "somebody",
            announce=lambda _: self.when_ready(),
            short_grace=5,
            worker_grace=5,
        )
        self.when_ready: Callable[[], None] = interrupt

    def program(self, name: str, script: str = OBEYS) -> Program:
        text = script.format(log=str(self.log), name=name) if script is OBEYS else script
        return Program(name, [sys.executable, "-S", "-c", text], dict(os.environ))

    def run(self) -> int:
        return Supervisor(self.plan, Console(self.printed)).run()

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()


def interrupt(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.05)
    return Stage(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stops_in_order_and_well(stage: Stage, number: int) -> None:
    stage.when_ready = lambda: interrupt(number)
    assert stage.run() == 0
    started, stopped = stage.lines()[:4], stage.lines()[4:]
    assert sorted(started) == ["api started", "queue started", "worker-1 started", "worker-2 started"]
    assert stopped[0] == "api stopped"
    assert sorted(stopped[1:3]) == ["worker-1 stopped", "worker-2 stopped"]
    assert stopped[3:] == ["queue stopped"]


def test_lines_of_children_come_with_their_names(stage: Stage) -> None:
    stage.run()
    for name in ("queue", "api", "worker-1", "worker-2"):
        assert f"{name:<8} | hello from {name}\n" in stage.printed.getvalue()


def test_a_worker_that_ends_is_started_again(stage: Stage) -> None:
    marker = stage.log.with_name("died-once")
    dies_once = f"import os, sys\nif not os.path.exists({str(marker)!r}): open({str(marker)!r}, 'w').close(); sys.exit(3)\n"
    text = dies_once + OBEYS.format(log=str(stage.log), name="worker-1")
    stage.plan = replace(stage.plan, workers=(Program("worker-1", [sys.executable, "-S", "-c", text]), stage.plan.workers[1]))
    assert stage.run() == 0
    assert stage.lines().count("worker-1 started") == 1
    assert "worker-1 has ended (exit status 3); starting it again" in stage.printed.getvalue()


def test_a_killed_worker_comes_back_after_readiness(stage: Stage) -> None:
    def kill_worker_then_interrupt() -> None:
        (pid,) = children_with("worker-1", stage)
        os.kill(pid, signal.SIGKILL)
        threading.Thread(target=interrupt_when, args=(lambda: stage.lines().count("worker-1 started") == 2,)).start()

    stage.when_ready = kill_worker_then_interrupt
    assert stage.run() == 0
    assert "worker-1 has ended (SIGKILL)" in stage.printed.getvalue()
    assert stage.lines().count("worker-1 stopped") == 1


def test_workers_that_never_start_end_the_attempt(stage: Stage) -> None:
    stage.plan = replace(stage.plan, workers=(stage.program("worker-1", FAILS),))
    assert stage.run() == 1
    assert "no such luck" in stage.printed.getvalue()
    assert "ended 3 times before the service was ready (exit status 1)" in stage.printed.getvalue()
    assert stage.lines()[-1] == "queue stopped"


@pytest.mark.parametrize("role", ["api", "server"])
def test_the_end_of_api_or_server_ends_everything(stage: Stage, role: str) -> None:
    failing = stage.program(role, FAILS)
    stage.plan = replace(stage.plan, api=failing) if role == "api" else replace(stage.plan, server=failing)
    assert stage.run() == 1
    assert f"{role} has ended (exit status 1) and the service cannot go on without it" in stage.printed.getvalue()
    assert "no such luck" in stage.printed.getvalue()
    assert stage.printed.getvalue().index("no such luck") < stage.printed.getvalue().index("cannot go on")


@pytest.mark.parametrize("role", ["api", "worker-1"])
@pytest.mark.parametrize("status", [2, 3])
def test_a_program_whose_settings_are_wrong_ends_the_service_with_its_status(stage: Stage, role: str, status: int) -> None:
    failing = stage.program(role, f"import sys; sys.exit({status})")
    stage.plan = replace(stage.plan, api=failing) if role == "api" else replace(stage.plan, workers=(failing,))
    assert stage.run() == (2 if status == 2 else 1)


def test_a_server_that_does_not_answer_is_given_up(stage: Stage) -> None:
    stage.plan = replace(stage.plan, server_answers=lambda: False, server_seconds=0.5)
    assert stage.run() == 1
    assert "did not answer within" in stage.printed.getvalue()
    assert not any("worker" in line for line in stage.lines())


def test_what_does_not_stop_in_time_is_killed_and_the_rest_stops_well(stage: Stage) -> None:
    stage.plan = replace(stage.plan, workers=(stage.program("worker-1", STUBBORN), stage.plan.workers[1]), worker_grace=0.5)
    stage.plan = replace(stage.plan, api_lacks=lambda: None if "| started" in stage.printed.getvalue() else "worker-1")
    assert stage.run() == 1
    assert "worker-1 did not stop within" in stage.printed.getvalue()
    assert stage.lines()[-1] == "queue stopped"


@pytest.mark.slow
def test_a_second_signal_kills_at_once(stage: Stage) -> None:
    stage.plan = replace(stage.plan, workers=(stage.program("worker-1", STUBBORN),))
    stage.plan = replace(
        stage.plan, api_lacks=lambda: None if "| started" in stage.printed.getvalue() else "worker-1", worker_grace=60
    )

    def twice() -> None:
        interrupt()
        interrupt()
        threading.Thread(
            target=interrupt_when, args=(lambda: "api stopped" in stage.lines() and time.monotonic() > begun + 2,)
        ).start()

    stage.when_ready = twice
    begun = time.monotonic()
    assert stage.run() == 1
    assert 2 < time.monotonic() - begun < 30
    assert "second signal; killing everything" in stage.printed.getvalue()
    assert "queue stopped" not in stage.lines()


def test_what_is_missing_is_said_while_waiting(stage: Stage) -> None:
    answers = iter(["no worker with a warm model"] * 3)
    stage.plan = replace(stage.plan, api_lacks=lambda: next(answers, None), remind_seconds=0.0)
    stage.run()
    assert "not ready yet: no worker with a warm model" in stage.printed.getvalue()


def test_signal_handlers_are_given_back(stage: Stage) -> None:
    before = signal.getsignal(signal.SIGINT)
    stage.run()
    assert signal.getsignal(signal.SIGINT) is before


def children_with(name: str, stage: Stage) -> list[int]:
    """Processes whose command line names this stage's log and ``name``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if str(stage.log) in text and repr(name) in text:
            found.append(int(path.parent.name))
    return found


def interrupt_when(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    interrupt()
