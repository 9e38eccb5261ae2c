"""Child programs: started so that they end with us, their lines passed through with a prefix, their end announced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KEPT_LINES = 40


@dataclass(frozen=True)
class Program:
    """What to run: a name for people, the command, and variables added to the environment."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    feed: str | None = field(default=None, repr=False)


class Child:
    """One running `Program`. Start it from the main thread: the kernel ends it when the thread that started it ends.

    Parameters
    ----------
    program : what to run, in a process group of its own, so that Ctrl-C in a terminal reaches us only.
    echo : gets every line that it prints (standard output and error), without line end.
    ended : called once, from another thread, when it has ended.
    """

    def __init__(self, program: Program, echo: Callable[[str], None], ended: Callable[[Child], None]) -> None:
        self.program = program
        self.started = time.monotonic()
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._echo = echo
        wrapper = [sys.executable, "-I", "-S", str(Path(__file__).with_name("bound.py")), str(os.getpid())]
        self._process = subprocess.Popen(
            [*wrapper, *program.command],
            env=dict(program.environ),
            stdin=subprocess.DEVNULL if program.feed is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        self.pid = self._process.pid
        if program.feed is not None:
            self._feed(program.feed)
        self._reader = threading.Thread(target=self._read, name=f"{program.name} lines", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, args=(ended,), name=f"{program.name} end", daemon=True).start()

    @property
    def name(self) -> str:
        """Its program's name."""
        return self.program.name

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def lived(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def describe_end(self) -> str:
        """How it ended, for people: ``exit status 1`` or ``SIGKILL``."""
        status = self.exit_status
        if status is None:
            return "still running"
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name

    def ask_to_stop(self) -> None:
        """SIGTERM: finish what is in hand and end."""
        if self.exit_status is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to it and everything that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def drain(self, seconds: float = 1.0) -> None:
        """Wait until the lines that it printed before its end have been passed on."""
        self._reader.join(seconds)

    def _feed(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stream:
            stream.write(text)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.last_lines.append(line.rstrip("\n"))
            self._echo(line.rstrip("\n"))

    def _wait(self, ended: Callable[[Child], None]) -> None:
        self._process.wait()
        ended(self)
