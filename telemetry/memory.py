"""Keeps the memory of a long-lived process with many threads flat."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_BLOCK = 1 << 20


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "gnu_get_libc_version") else None


_GLIBC = _glibc()


def return_big_blocks() -> None:
    """Have glibc give blocks of 1 MiB and more back to the system when they are freed, and share two arenas between all threads.

    By itself glibc raises that limit up to 32 MiB as soon as one big block was freed, and each thread's arena then keeps the
    biggest that it has seen: a worker those of films, an API, thread by thread, a table that Python makes anew now and then.
    Does nothing where the C library is not glibc.
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(_MMAP_THRESHOLD, _BLOCK)
        _GLIBC.mallopt(_ARENA_MAX, 2)


def trim() -> None:
    """Give the system what lies free between blocks in use: jobs of all kinds at once leave such gaps, and glibc keeps them."""
    if _GLIBC is not None:
        _GLIBC.malloc_trim(0)
