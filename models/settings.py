"""The settings of ``python -m models``: ``GALSYNTH_MODELS_DIRS``, stores beside the bundled one; ``GALSYNTH_DEFAULT_MODEL``."""

from __future__ import annotations

import os
from pathlib import Path

from models.store import split_roots


def extra_roots() -> list[Path]:
    """The operator's own model stores, in the order of searching.

    Raises
    ------
    BadInput : the variable cannot be read.
    """
    return split_roots(os.environ.get("GALSYNTH_MODELS_DIRS", ""))


def default_model() -> str | None:
    """The name of the model for requests that name none; None leaves it to the store."""
    return os.environ.get("GALSYNTH_DEFAULT_MODEL") or None
