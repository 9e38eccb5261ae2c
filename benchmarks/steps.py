"""The most memory of one training step of the systems of 1000 and 1024 pixels, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.options import Options
from training.data.archive import read
from training.presets import find, resolve_for
from training.trainer import Logs, Trainer

PRESETS = ("eth-e1", "eth-e2")
GIGABYTE = 1e9


def steps(_: Options) -> dict[str, Any]:
    """By preset: batch, gigabytes at the most and seconds of one step with everything in it (`whole_step`), on noise images."""
    return {preset: _measured(preset) for preset in PRESETS}


def _measured(preset: str) -> dict[str, Any]:
    config = find(preset).config
    side = config.network.resolution
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (2 * config.batch, side, side, 1), np.uint8)
        np.savez(Path(folder) / "noise.npz", images=noise)
        archive = Path(folder) / "archive"
        words = ["--resolution", str(side), "--held-out", "0", "--out", str(archive)]
        subprocess.run(
            [sys.executable, "-m", "training", "prepare", f"{folder}/noise.npz", *words], check=True, stdout=sys.stderr
        )
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
            return alone.submit(_step, preset, archive).result()


def _step(preset: str, archive: Path) -> dict[str, Any]:
    """Networks, optimisers, a step that warms up, one that is timed, and what the whole process took."""
    data = read(archive)
    config = resolve_for(data, preset, [])
    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(config, data, Path(run), 0, torch.device("cpu"))
        whole_step(trainer)  # leaves Adam's moments of both networks, which the next one finds
        begun = time.perf_counter()
        whole_step(trainer)
    seconds = time.perf_counter() - begun
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"batch": config.batch, "gigabytes": round(1024 * kilobytes / GIGABYTE, 1), "seconds": round(seconds, 1)}


def whole_step(trainer: Trainer) -> Logs:
    """The first step in which the generator moves: the last of its critic's steps, or step 0, when lazy regularisers are due.

    Returns what it logs; the next call repeats the step.
    """
    trainer.images_seen = (trainer.config.critic_steps - 1) * trainer.config.batch
    logs = trainer.one_step()
    assert "loss_g" in logs
    assert logs.keys() & {"gp", "r1"}
    return logs
