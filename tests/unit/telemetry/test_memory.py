from __future__ import annotations

import subprocess
import sys

from telemetry.memory import _GLIBC
from tests.programs import missing

GAPS = """
import ctypes
from telemetry.memory import return_big_blocks, trim
from worker.loaded import resident_bytes

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

BIG_BLOCKS = """
import threading
from telemetry.memory import return_big_blocks
from worker.loaded import resident_bytes

{first}
bytearray(4 << 20)
before, done = resident_bytes(), threading.Barrier(17)

def work():
    bytearray(3 << 20)
    done.wait()
    done.wait()

threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads:
    thread.start()
done.wait()
print(resident_bytes() - before)
done.wait()
"""


def _printed(script: str) -> list[int]:
    if _GLIBC is None:
        missing("glibc")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_trim_gives_back_what_lies_between_blocks_in_use() -> None:
    freed_alone, freed_by_trim = _printed(GAPS)
    assert freed_alone < 10 * 2**20, "glibc does it by itself: trim is not needed any more"
    assert freed_by_trim > 50 * 2**20


def test_no_thread_keeps_the_big_blocks_that_it_has_freed() -> None:
    (kept,) = _printed(BIG_BLOCKS.format(first=""))
    assert kept > 20 * 2**20, "glibc does it by itself: return_big_blocks is not needed any more"
    (kept,) = _printed(BIG_BLOCKS.format(first="return_big_blocks()"))
    assert kept < 5 * 2**20
