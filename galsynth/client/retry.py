"""When to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass

AGAIN = frozenset({429, 502, 503, 504})
"""Statuses that another try may mend."""
POINTLESS = frozenset({"urn:galsynth:problem:damaged-model"})
"""Problems with a status of `AGAIN` that another try does not mend."""


@dataclass(frozen=True)
class Retry:
    """When to try again: connections that fail, and answers 429, 502, 503 and 504.

    Every order carries an Idempotency-Key, so another try never makes a second job. Without a ``Retry-After`` the pause before
    try n is drawn from 0 … min(longest, first · 2ⁿ) seconds (full jitter: Brooker 2015, "Exponential Backoff And Jitter").

    Attributes
    ----------
    tries : how often a request is sent at most.
    first, longest : seconds, see above.
    patience : a ``Retry-After`` beyond so many seconds is not waited for, but raised.
    """

    tries: int = 6
    first: float = 0.25
    longest: float = 10.0
    patience: float = 120.0

    def pause(self, failures: int, retry_after: float | None, rng: random.Random) -> float | None:
        """Seconds before the next try after ``failures`` of them; None: give up."""
        if failures >= self.tries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.patience else None
        return rng.uniform(0, min(self.longest, self.first * 2**failures))
