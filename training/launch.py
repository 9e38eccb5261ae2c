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
from multiprocessing import connection
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessContext, ProcessException, start_processes

from galaxies.errors import BadInput, GalaxyError
from training import checkpoints
from training.aside import reason
from training.config import TrainConfig
from training.data import archive
from training.loop import train
from training.settings import Place, place_of_torchrun, set_malloc

TIMEOUT = timedelta(hours=2)
"""How long processes wait for the one that saves or measures."""
ERRORS = {"refused": BadInput, "error": GalaxyError}
"""Files in which messages cross from a process, by the kind of its error."""
INSIDE_TORCH = Path(torch.__file__).parent


def launch(config: TrainConfig, data: Path, run: Path) -> signal.Signals | None:
    """Train in ``config.processes`` child processes until done or told to stop.

    Signals are passed on; the first one is returned, if any came. Under torchrun, which signals all processes itself, none is.

    Raises
    ------
    BadInput : with the message of the process that refused a setting, the data set or the weights to transfer.
    GalaxyError : with that of the process that failed, or that one was killed.
    """
    place = place_of_torchrun()
    if place is not None:
        with _told(), _joined(config, place, "env://"):
            train(config, archive.read(data), run, place)
        return None
    set_malloc()
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # says which other processes it ends, line by line
    with tempfile.TemporaryDirectory() as folder:
        arguments = (config, data, run, Path(folder))
        with _without_interrupts():
            context = start_processes(_child, arguments, config.processes, join=False, start_method="spawn")  # type: ignore[no-untyped-call]
        killed: signal.Signals | None = None
        with _signals_passed_on(context) as passed_on:
            try:
                joined = False
                while not joined:
                    killed = killed or _killed(context)  # before join, which kills the others
                    joined = context.join()
            except ProcessException:
                for kind, error in ERRORS.items():
                    for message in sorted(Path(folder).glob(f"{kind}-*")):
                        raise error(message.read_text()) from None
                before_it_began = passed_on and killed == signal.SIGTERM
                if killed and not before_it_began:
                    raise GalaxyError(_of_killed(killed, run)) from None
                if not before_it_began:
                    raise
        return passed_on[0] if passed_on else None


def _killed(context: ProcessContext) -> signal.Signals | None:
    """Wait for a process to end; the signal that ended it, if one did."""
    ended = [context.processes[context.sentinels[each]] for each in connection.wait(list(context.sentinels))]
    for process in ended:
        process.join()
    return next((signal.Signals(-process.exitcode) for process in ended if process.exitcode < 0), None)


def _of_killed(killed: signal.Signals, run: Path) -> str:
    why = ", perhaps for lack of memory" if killed == signal.SIGKILL else ""
    goes_on = "goes on from the last checkpoint" if checkpoints.list_checkpoints(run) else "begins again, as none was saved yet"
    return f"a training process was killed ({killed.name}){why}; the same command {goes_on}"


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that start within hear of Ctrl-C only what is passed on to them, so that none breaks off while it imports."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _signals_passed_on(context: ProcessContext) -> Iterator[list[signal.Signals]]:
    """The children get SIGTERM for every signal of this process; gives those that came."""
    found: list[signal.Signals] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        found.append(signal.Signals(number))
        for pid in context.pids():  # type: ignore[no-untyped-call]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield found
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
    signal.signal(signal.SIGINT, signal.default_int_handler)  # torch sends it where the parent is gone
    place = Place(rank, rank, config.processes)
    try:
        with _told(), _joined(config, place, f"file://{shared}/store"):
            train(config, archive.read(data), run, place)
    except GalaxyError as error:
        kind = "refused" if isinstance(error, BadInput) else "error"
        (shared / f"{kind}-{rank}").write_text(error.message)
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is saved and closed; torch's threads can abort a process whose interpreter shuts down under them
