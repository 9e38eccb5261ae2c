"""Starts the processes of one training run; with one process, in a child all the same, so that signals are handled alike.

Under torchrun, which has started the processes already, each joins the others.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

from galaxies.errors import GalaxyError
from training.aside import reason
from training.config import TrainConfig
from training.data import archive
from training.loop import train
from training.settings import Place, place_of_torchrun, set_malloc

TIMEOUT = timedelta(hours=2)
"""How long processes wait for the one that saves or measures."""
INSIDE_TORCH = Path(torch.__file__).parent


def launch(config: TrainConfig, data: Path, run: Path) -> None:
    """Train in ``config.processes`` child processes until done or told to stop (signals are passed on).

    Raises
    ------
    GalaxyError : with the message of the process that failed.
    """
    place = place_of_torchrun()
    if place is not None:
        with _told(), _joined(config, place, "env://"):
            train(config, archive.read(data), run, place)
        return
    set_malloc()
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # says which other processes it ends, line by line
    with tempfile.TemporaryDirectory() as folder:
        arguments = (config, data, run, Path(folder))
        context = start_processes(_child, arguments, config.processes, join=False, start_method="spawn")  # type: ignore[no-untyped-call]
        with _signals_passed_on(context) as passed_on:
            try:
                while not context.join():
                    pass
            except ProcessExitedException as error:
                messages = sorted(Path(folder).glob("error-*"))
                if not messages and error.signal_name in passed_on:
                    return  # told to stop before it had begun: there is nothing to save
                if not messages:
                    raise
                raise GalaxyError(messages[0].read_text()) from None


@contextlib.contextmanager
def _signals_passed_on(context: ProcessContext) -> Iterator[list[str]]:
    """The children get the signals of this process; gives the names of those that came."""
    names: list[str] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        names.append(signal.Signals(number).name)
        for pid in context.pids():  # type: ignore[no-untyped-call]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield names
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors that settings or the machine cause become one line each; those of the program keep their traceback.

    Raises
    ------
    GalaxyError : a file cannot be read or written, the memory is too small, or torch refuses a value.
    """
    try:
        yield
    except OSError as error:
        raise GalaxyError(reason(error)) from error
    except (MemoryError, RuntimeError, ValueError) as error:
        line = " ".join(str(error).split())
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in line:
            raise GalaxyError(f"the memory is too small for this run (a smaller batch needs less): {line}") from error
        if isinstance(error, ValueError) and INSIDE_TORCH in Path(traceback.extract_tb(error.__traceback__)[-1].filename).parents:
            raise GalaxyError(f"torch refuses a setting of this run: {line}") from error
        raise


@contextlib.contextmanager
def _joined(config: TrainConfig, place: Place, meeting: str) -> Iterator[None]:
    """The process group of the run: NCCL where every process has a GPU of its own, else gloo."""
    if place.world > 1:
        own_gpu = torch.cuda.is_available() and torch.cuda.device_count() >= min(place.world, place.local_rank + 1)
        backend = "nccl" if own_gpu and torch.cuda.device_count() > place.local_rank else "gloo"
        dist.init_process_group(backend, init_method=meeting, rank=place.rank, world_size=place.world, timeout=TIMEOUT)
    try:
        yield
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _child(rank: int, config: TrainConfig, data: Path, run: Path, shared: Path) -> None:
    """One process; an expected error crosses back as text."""
    place = Place(rank, rank, config.processes)
    try:
        with _told(), _joined(config, place, f"file://{shared}/store"):
            train(config, archive.read(data), run, place)
    except GalaxyError as error:
        (shared / f"error-{rank}").write_text(error.message)
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is saved and closed; torch's threads can abort a process whose interpreter shuts down under them
