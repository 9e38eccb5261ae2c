"""What training reads from the environment: its place among several processes, as torchrun sets it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from galaxies.errors import BadInput

# glibc's allocator costs eager torch up to half its speed; it reads these when a process starts.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


@dataclass(frozen=True)
class Place:
    """A process among ``world`` processes; ``local_rank`` counts those of this machine and names the GPU."""

    rank: int
    local_rank: int
    world: int


def place_of_torchrun() -> Place | None:
    """The place that torchrun gave this process; None where it was not started by torchrun.

    Raises
    ------
    BadInput : RANK, LOCAL_RANK and WORLD_SIZE are not all whole numbers that fit together.
    """
    found = {name: os.environ.get(name) for name in TORCHRUN}
    if found["RANK"] is None or found["WORLD_SIZE"] is None:
        return None
    try:
        rank, local_rank, world = (int(value or 0) for value in found.values())
    except ValueError:
        raise BadInput(f"{found}: whole numbers are needed, as torchrun sets them") from None
    if not 0 <= rank < world:
        raise BadInput(f"RANK {rank} is outside 0 … WORLD_SIZE - 1 = {world - 1}")
    return Place(rank, local_rank, world)


def set_malloc() -> None:
    """Make processes that start from now on keep the memory that they were given."""
    os.environ.update(MALLOC)
