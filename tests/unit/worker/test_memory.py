from __future__ import annotations

import subprocess
import sys

from tests.programs import missing
from worker.memory import _GLIBC

GAPS = """
import ctypes
from worker.loaded import resident_bytes
from worker.memory import return_big_blocks, trim

return_big_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [libc.malloc(4096) for _ in range(20_000)]
for block in blocks:
    ctypes.memset(block, 1, 4096)
full = resident_bytes()
for number, block in enumerate(blocks):
    if number % 20:
        libc.free(block)
kept = resident_bytes()
trim()
print(full - kept, full - resident_bytes())
"""


def test_trim_gives_back_what_lies_between_blocks_in_use() -> None:
    if _GLIBC is None:
        missing("glibc")
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True)
    freed_alone, freed_by_trim = map(int, done.stdout.split())
    assert freed_alone < 10 * 2**20, "glibc does it by itself: trim is not needed any more"
    assert freed_by_trim > 50 * 2**20
