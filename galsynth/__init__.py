"""The public face of galsynth: the Python client, the command line, and what starts the programs. Imports none of the programs.

>>> import galsynth
>>> client = galsynth.Client()
>>> client.generate(seeds=[42], class_="merger").save("galaxy.fits")  # doctest: +SKIP

What stands in ``__all__`` is loaded when it is first asked for, so that `galsynth up` starts without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galsynth.client import AsyncClient, Client, JobState, Result, Retry, ServiceError

__all__ = ["AsyncClient", "Client", "JobState", "Result", "Retry", "ServiceError"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'galsynth' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module("galsynth.client"), name)
