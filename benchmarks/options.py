"""What is asked of a benchmark on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What the options of ``python -m benchmarks`` say.

    Attributes
    ----------
    workers : processes of one ONNX Runtime thread each.
    seconds : of load for a figure.
    peers : folder of the environment in which LitServe and BentoML run; None leaves them out.
    minutes, plot : how long the soak lasts, and the PNG file (or SVG, PDF) to draw it into.
    """

    workers: int
    seconds: float
    peers: Path | None
    minutes: float
    plot: Path | None
