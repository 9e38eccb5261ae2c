"""What a preset is: a configuration and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import TrainConfig

TRUNCATION = 0.7
"""ψ of a model where its work prints none."""


@dataclass(frozen=True)
class Preset:
    """A named configuration. ``source`` is the work (author, year, row) and ``data`` what it was trained on there.

    ``truncation`` is the default ψ of models that are exported from its runs.
    """

    config: TrainConfig
    source: str
    data: str
    truncation: float = TRUNCATION
