"""The most memory of one training step of the systems of 1000 and 1024 pixels, each in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.options import Options
from training.data.archive import read
from training.presets import find, resolve_for
from training.trainer import Trainer

PRESETS = ("eth-e1", "eth-e2")
GIGABYTE = 1e9


def steps(_: Options) -> dict[str, Any]:
    """By preset: batch, gigabytes at the most and seconds of the first step, which has every regulariser, on noise images."""
    return {preset: _measured(preset) for preset in PRESETS}


def _measured(preset: str) -> dict[str, Any]:
    config = find(preset).config
    side = config.network.resolution
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (2 * config.batch, side, side, 1), np.uint8)
        np.savez(Path(folder) / "noise.npz", images=noise)
        archive = str(Path(folder) / "archive")
        _run("training", "prepare", f"{folder}/noise.npz", "--resolution", str(side), "--held-out", "0", "--out", archive)
        measured: dict[str, Any] = json.loads(_run("benchmarks.steps", preset, archive))
    return measured


def _run(module: str, *words: str) -> str:
    return subprocess.run([sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def _step(preset: str, archive: Path) -> dict[str, Any]:
    """Networks, optimisers, one step, and what the whole process took."""
    data = read(archive)
    config = resolve_for(data, preset, [])
    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(config, data, Path(run), 0, torch.device("cpu"))
        begun = time.perf_counter()
        trainer.one_step()
    seconds = time.perf_counter() - begun
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"batch": config.batch, "gigabytes": round(1024 * kilobytes / GIGABYTE, 1), "seconds": round(seconds, 1)}


if __name__ == "__main__":
    print(json.dumps(_step(sys.argv[1], Path(sys.argv[2]))))
