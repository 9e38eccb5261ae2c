"""Keeps the memory of a long-lived process with many threads flat."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_BLOCK = 1 << 20


def return_big_blocks() -> None:
    """Have glibc give blocks of 1 MiB and more back to the system when they are freed, and share two arenas between all threads.

    By itself glibc raises that limit up to 32 MiB as soon as one big block was freed, and each thread's arena then keeps what its
    biggest job needed: 150 MB became 390 MB after 24 films of 400 frames. Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, _BLOCK)
        library.mallopt(_ARENA_MAX, 2)
