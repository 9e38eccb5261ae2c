"""Starts the processes of one training run; with one process, in a child all the same, so that signals are handled alike."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

from galaxies.errors import GalaxyError
from training.config import TrainConfig
from training.data import archive
from training.loop import train

# glibc's allocator costs eager torch up to half its speed; it reads these when a process starts.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}


def launch(config: TrainConfig, data: Path, run: Path) -> None:
    """Train in ``config.processes`` child processes until done or told to stop (signals are passed on).

    Raises
    ------
    GalaxyError : with the message of the process that failed.
    """
    os.environ.update(MALLOC)
    with tempfile.TemporaryDirectory() as folder:
        arguments = (config, data, run, Path(folder))
        context = start_processes(_child, arguments, config.processes, join=False, start_method="spawn")  # type: ignore[no-untyped-call]
        _pass_on_signals(context)
        try:
            while not context.join():
                pass
        except ProcessExitedException:
            messages = sorted(Path(folder).glob("error-*"))
            if not messages:
                raise
            raise GalaxyError(messages[0].read_text()) from None


def _pass_on_signals(context: ProcessContext) -> None:
    def pass_on(number: int, _: FrameType | None) -> None:
        for pid in context.pids():  # type: ignore[no-untyped-call]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)


def _child(rank: int, config: TrainConfig, data: Path, run: Path, shared: Path) -> None:
    """One process; an expected error crosses back as text."""
    try:
        if config.processes > 1:
            dist.init_process_group("gloo", init_method=f"file://{shared}/store", rank=rank, world_size=config.processes)
        train(config, archive.read(data), run, rank)
    except GalaxyError as error:
        (shared / f"error-{rank}").write_text(error.message)
        sys.exit(1)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
