"""What `galsynth up` prints: its own messages and the lines of its children, each with the name of who says it."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable
from typing import TextIO

OWN_NAME = "galsynth"
_COLORS = ("36", "33", "35", "32", "34")


class Console:
    """Writes whole lines, from any thread. A reader that has left (``| head``) is no error: the service goes on silently."""

    def __init__(self, stream: TextIO | None = None, *, color: bool = True) -> None:
        self._stream = stream or sys.stdout
        self._color = color and self._stream.isatty()
        self._colors = itertools.cycle(_COLORS)
        self._lock = threading.Lock()

    def say(self, message: str) -> None:
        """One message of our own."""
        self._write(f"{self._prefix(OWN_NAME, '1')} {message}\n")

    def block(self, lines: list[str]) -> None:
        """Several lines of our own that stay together."""
        self._write("\n" + "".join(f"  {line}\n" if line else "\n" for line in lines) + "\n")

    def echo(self, name: str) -> Callable[[str], None]:
        """What passes on the lines of the child ``name``."""
        prefix = self._prefix(name, next(self._colors))
        return lambda line: self._write(f"{prefix} {line}\n")

    def _prefix(self, name: str, color: str) -> str:
        text = f"{name:<8} |"
        return f"\x1b[{color}m{text}\x1b[0m" if self._color else text

    def _write(self, text: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
