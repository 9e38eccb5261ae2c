"""``python -m benchmarks``: measure and print JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

try:
    import typer

    from benchmarks.augmentation import augmentation
    from benchmarks.films import film
    from benchmarks.memory import memory
    from benchmarks.options import Options
    from benchmarks.page import page
    from benchmarks.records import records
    from benchmarks.requests import heavy, latency, saturation
    from benchmarks.soak import soak
    from benchmarks.steps import steps
    from benchmarks.sweep import sweep
    from benchmarks.training import training
    from benchmarks.way import way
    from models.store import ModelStore
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "benchmarks":
        raise
    sys.exit(f"error: benchmarks needs {error.name}, which is not installed; `make env` brings it")

PEERS_ENV = Path(".venv-peers")
BENCHMARKS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "latency": latency,
    "saturation": saturation,
    "heavy": heavy,
    "film": film,
    "way": way,
    "memory": memory,
    "records": records,
    "augmentation": augmentation,
    "sweep": sweep,
    "soak": soak,
    "training": training,
    "steps": steps,
    "page": page,
}
NAMED_ONLY = ("sweep", "soak", "steps", "page")
"""They take long, much memory or chromium, so they run only where they are asked for."""


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"any of {', '.join(BENCHMARKS)}; default all but {', '.join(NAMED_ONLY)}")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="worker processes of one ONNX Runtime thread each")] = 2,
    seconds: Annotated[float, typer.Option(min=0.5, help="seconds of load for each figure")] = 8.0,
    peers: Annotated[bool, typer.Option(help="the same load on LitServe and BentoML")] = True,
    peers_env: Annotated[Path, typer.Option(help="virtual environment of the peers, made where it is missing")] = PEERS_ENV,
    minutes: Annotated[float, typer.Option(min=0.2, help="how long the soak lasts")] = 30.0,
    plot: Annotated[Path | None, typer.Option(help="draw the soak into this PNG file")] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="where service, bare loop and peers run models")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="also write the JSON to this file")] = None,
) -> None:
    """Measure the service on this machine; every timing stands beside its peer from the same run."""
    for name in names or []:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name!r} is unknown; there are {', '.join(BENCHMARKS)}")
    os.environ["GALSYNTH_DEVICE"] = device  # of all programs that are started, and of the bare loop
    folder = peers_env.with_name(f"{peers_env.name}-cuda") if device == "cuda" else peers_env
    options = Options(workers, seconds, folder.resolve() if peers else None, minutes, plot)
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "model": ModelStore().get().card.reference,
        "workers": workers,
        "device": device,
    }
    for name in names or [name for name in BENCHMARKS if name not in NAMED_ONLY]:
        typer.echo(f"measuring {name} …", err=True)
        found[name] = BENCHMARKS[name](options)
    text = json.dumps(found, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
