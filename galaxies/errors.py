"""The error tree. Every error says who, what, what is allowed and what to do.

::

    GalaxyError
    ├── BadInput        the caller's fault: a value is wrong (field names it); trying again changes nothing
    ├── Unsupported     the caller's fault: this model cannot do it
    ├── BadModel        a model version is damaged or foreign; it is not loaded
    ├── NotFound        no such model, version, job or result
    └── Transient       nobody's fault: try again (worker gone, store full, server out of reach)

Errors cross processes as data (`galaxies.jobs.Failure`), never as pickled exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class GalaxyError(Exception):
    """Base of every error that this project raises on purpose.

    ``field`` is the JSON pointer (``/terms/0/weight``) or setting name of the value at fault, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadInput(GalaxyError):
    """A value is wrong, whoever sent it; the message names the value and what is allowed."""


class Unsupported(GalaxyError):
    """The request is well formed, but this model cannot do it; the message says what the model lacks."""


class BadModel(GalaxyError):
    """A model version is damaged, truncated, foreign or of an unknown format."""


class NotFound(GalaxyError):
    """There is no such model, version, job or result."""


class Transient(GalaxyError):
    """It may work later: a worker has gone, a disk is full, a server is out of reach."""


def wrong_setting(found: Mapping[str, Any]) -> str:
    """One line of what pydantic found wrong with a setting: its environment variable, what is allowed, and the value."""
    name = "_".join(map(str, found["loc"])).upper().removeprefix("GALSYNTH_")
    return f"setting GALSYNTH_{name}: {found['msg'].removeprefix('Value error, ')}; got {found['input']!r}"
