"""The settings of ``python -m models``: ``GALSYNTH_MODELS_DIRS``, stores beside the bundled one; ``GALSYNTH_DEFAULT_MODEL``."""

from __future__ import annotations

import json
import os
from pathlib import Path


def extra_roots() -> list[Path]:
    """The operator's own model stores, in the order of searching: paths with ``:`` between them, or a JSON list."""
    text = os.environ.get("GALSYNTH_MODELS_DIRS", "")
    parts = json.loads(text) if text.lstrip().startswith("[") else text.split(os.pathsep)
    return [Path(part) for part in parts if part]


def default_model() -> str | None:
    """The name of the model for requests that name none; None leaves it to the store."""
    return os.environ.get("GALSYNTH_DEFAULT_MODEL") or None
