"""``python -m benchmarks``: measure and print JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.augmentation import augmentation
from benchmarks.films import film
from benchmarks.memory import memory
from benchmarks.requests import latency, saturation
from models.store import ModelStore

BENCHMARKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "latency": latency,
    "saturation": saturation,
    "film": film,
    "memory": memory,
    "augmentation": augmentation,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"any of {', '.join(BENCHMARKS)}; default all")] = None,
    workers: Annotated[int, typer.Option(min=1, help="worker processes of one ONNX Runtime thread each")] = 2,
    out: Annotated[Path | None, typer.Option(help="also write the JSON to this file")] = None,
) -> None:
    """Measure the service on this machine; every timing stands beside its peer from the same run."""
    for name in names or []:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name!r} is unknown; there are {', '.join(BENCHMARKS)}")
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "model": ModelStore().get().card.reference,
        "workers": workers,
    }
    for name in names or BENCHMARKS:
        typer.echo(f"measuring {name} …", err=True)
        found[name] = BENCHMARKS[name](workers)
    text = json.dumps(found, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
