"""What a preset is: a configuration and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import TrainConfig


@dataclass(frozen=True)
class Preset:
    """A named configuration. ``source`` is the work (author, year, row) and ``data`` what it was trained on there."""

    config: TrainConfig
    source: str
    data: str
