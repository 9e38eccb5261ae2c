"""Which numbers settings may be, as data: tables from fields to ranges, and one check for all of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Range:
    """The finite numbers ``least`` … ``most``, without those of both that are ``open_``; NaN is in no range."""

    least: float = -LARGEST
    most: float = LARGEST
    open_: tuple[float, ...] = ()

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and value not in self.open_

    def __str__(self) -> str:
        if self.most < LARGEST:
            return f"{self.least} … {self.most}" + "".join(f" without {end}" for end in self.open_)
        if self.least > -LARGEST:
            return f"a finite number above {self.least}" if self.open_ else f"a finite number, {self.least} or more,"
        return "a finite number"


Bounds = dict[str, Range]

ANY = Range()
ABOVE_ZERO = Range(0, open_=(0,))
ZERO_OR_MORE = Range(0)
SHARE = Range(0, 1)
COUNT = Range(1)
SIZE = Range(1, 1_000_000)
"""Of layers, batches and images."""


def check(owner: object, bounds: Bounds) -> None:
    """Every field of ``owner`` that ``bounds`` names is None or within its range.

    Raises
    ------
    ValueError : one is not; the message names it, its value and what is allowed.
    """
    for name, allowed in bounds.items():
        value = getattr(owner, name)
        if value is not None and value not in allowed:
            raise ValueError(f"{name} {value}: {allowed} is allowed")
