"""The most memory of one training step of every preset, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.options import Options
from training.architectures.chain import ChainConfig
from training.data.archive import read
from training.presets import PRESETS, find, resolve_for
from training.trainer import Logs, Trainer

MEASURED = tuple(name for name, preset in PRESETS.items() if not isinstance(preset.config.network, ChainConfig))
"""A chain is two runs of other presets."""
GIGABYTE = 1e9


def steps(_: Options) -> dict[str, Any]:
    """By preset: batch, precision, gigabytes at the most of a step with everything in it (`whole_step`), on noise images.

    One process on a CPU takes the whole batch; a network that grows is measured at its full size.
    """
    found = {}
    for preset in MEASURED:
        print(f"  {preset} …", file=sys.stderr)
        found[preset] = _measured(preset)
    return found


def _measured(preset: str) -> dict[str, Any]:
    config = find(preset).config
    side, bands = config.network.resolution, config.network.bands
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (2 * config.batch, side, side, bands), np.uint8)
        np.savez(Path(folder) / "noise.npz", images=noise)
        archive = Path(folder) / "archive"
        words = ["--resolution", str(side), "--held-out", "0", "--out", str(archive)]
        subprocess.run(
            [sys.executable, "-m", "training", "prepare", f"{folder}/noise.npz", *words], check=True, stdout=sys.stderr
        )
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
            return alone.submit(_step, preset, archive).result()


def _step(preset: str, archive: Path) -> dict[str, Any]:
    """What the whole process took: networks, optimisers and two steps."""
    data = read(archive)
    config = resolve_for(data, preset, [])
    config = replace(config, network=config.network.grown(), processes=1)
    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(config, data, Path(run), 0, torch.device("cpu"))
        for _ in range(2):  # the first step leaves Adam's moments of both networks, which the second one finds
            whole_step(trainer)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"batch": config.batch, "precision": config.precision, "gigabytes": round(1024 * kilobytes / GIGABYTE, 1)}


def whole_step(trainer: Trainer) -> Logs:
    """The first step in which the generator moves: the last of its critic's steps, or step 0, when lazy regularisers are due.

    Returns what it logs; the next call repeats the step.
    """
    trainer.images_seen = (trainer.config.critic_steps - 1) * trainer.config.batch
    logs = trainer.one_step()
    assert "loss_g" in logs
    assert "gp" in logs or trainer.config.loss != "wgan-gp"
    assert "r1" in logs or not trainer.config.penalises_lazily
    return logs
