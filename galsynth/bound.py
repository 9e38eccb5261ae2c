"""Runs a command that the kernel ends together with its parent: ``python -I -S bound.py <parent's pid> <command> …``.

PR_SET_PDEATHSIG is Linux's own; there a child cannot outlive even a parent that got SIGKILL. Elsewhere (macOS) only a parent that
ends in an orderly way takes its children along. The setting survives exec, but belongs to the thread that started this process:
start children from a thread that lives as long as they may. This is a program of its own because code between fork and exec in a
process with threads (``preexec_fn``) can deadlock; it imports as little as possible, to be gone within milliseconds.
"""

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def bind_to_parent(parent: int) -> None:
    """Let the kernel send SIGKILL to this process when ``parent`` ends; exit at once where it has ended already."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here, and only on Linux

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent process has ended")


if __name__ == "__main__":
    bind_to_parent(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be started: {error.strerror}")
