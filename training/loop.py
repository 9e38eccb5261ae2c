"""The training loop: steps, lines, checkpoints, sheets and metrics, until done or told to stop."""

from __future__ import annotations

import math
import signal
import time
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist

from training import sheets
from training.config import TrainConfig
from training.data.archive import Archive
from training.data.describe import describe
from training.logs import Reporter, clock
from training.metrics.running import RunningFid
from training.settings import Place
from training.trainer import Trainer
from training.transfer import transfer

AGREE_EVERY = 8
"""Steps between two questions whether any of several processes was told to stop."""
ALONE = Place(0, 0, 1)


def train(config: TrainConfig, archive: Archive, run: Path, place: Place = ALONE) -> None:
    """Train until ``config.kimg``, resuming if the run has a checkpoint; SIGTERM and SIGINT save and return.

    Raises
    ------
    DivergedError : a loss or a weight is not finite.
    BadInput : the run's checkpoint is of another network or data set, or the weights to transfer are of another network.
    """
    with _StopFlag() as stop:
        _train(config, archive, run, place, stop)


def _train(config: TrainConfig, archive: Archive, run: Path, place: Place, stop: _StopFlag) -> None:
    torch.set_num_threads(config.threads)
    run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, archive, run, place.rank, choose_device(place))
    if not trainer.resume() and config.transfer:
        for line in transfer(Path(config.transfer), trainer.generator, trainer.ema, trainer.discriminator):
            if place.rank == 0:
                print(line, flush=True)
    total = math.ceil(config.kimg * 1000 / config.batch) * config.batch
    with Reporter(run, trainer.images_seen, total, speaks=place.rank == 0) as reporter:
        _Loop(trainer, reporter, stop, total).go()


def choose_device(place: Place) -> torch.device:
    """The GPU of this process, where there is one for it; else the CPU. Processes beyond the GPUs share them."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda", place.local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


class _Loop:
    """The steps of one process between the present position and ``total`` images."""

    def __init__(self, trainer: Trainer, reporter: Reporter, stop: _StopFlag, total: int) -> None:
        self.trainer, self.reporter, self.stop, self.total = trainer, reporter, stop, total
        config, seen = trainer.config, trainer.images_seen
        self.next_snapshot = _next(seen, config.snapshot_kimg)
        self.next_metrics = _next(seen, config.metrics_kimg) if config.metrics_kimg else math.inf
        threads = config.threads * config.processes
        self.fid = RunningFid(trainer.archive, config.metrics_images, trainer.device, threads) if config.metrics_kimg else None

    def go(self) -> None:
        trainer, first = self.trainer, self.trainer.rank == 0
        while trainer.images_seen < self.total:
            self.reporter.add(trainer.one_step(), trainer.images_seen)
            stopping = self.stop.agreed(trainer)
            if self.reporter.due():
                trainer.seconds += self.reporter.flush(trainer.seconds)
            ending = stopping or trainer.images_seen >= self.total
            if trainer.images_seen >= self.next_snapshot or ending:
                self.next_snapshot = _next(trainer.images_seen, trainer.config.snapshot_kimg)
                trainer.seconds += self.reporter.flush(trainer.seconds)
                if first:
                    self._snapshot(ending)
            if trainer.images_seen >= self.next_metrics and not stopping:
                self.next_metrics = _next(trainer.images_seen, trainer.config.metrics_kimg)
                if first:
                    self._measure()
            if stopping:
                return

    def _snapshot(self, ending: bool) -> None:
        begun = time.monotonic()
        trainer, samples = self.trainer, self.trainer.run / "samples"
        self.reporter.waiting("saving")
        trainer.save()
        classes = trainer.config.network.classes
        onehots = torch.eye(classes, device=trainer.device) if classes else None
        about = describe(trainer.feed.described())
        given = trainer.feed.first() if trainer.ema.refines else None
        picture = sheets.sheet(trainer.ema, onehots, trainer.device, about, given)
        sheets.write_sheet(picture, samples / f"{trainer.images_seen:09d}.png")
        self.reporter.picture(picture)
        if ending:
            for sheet in sheets.growing_up(samples, trainer.run / "growing-up.gif"):
                self.reporter.say(f"growing-up.gif is without {sheet}, which cannot be read")
        self.reporter.pause(time.monotonic() - begun)

    def _measure(self) -> None:
        assert self.fid is not None
        begun = time.monotonic()
        self.reporter.begin(f"metrics of {self.fid.count} images")
        try:
            values = self.fid.measure(self.trainer.ema, self._measuring)
        except _Stopped:
            self.reporter.say("metrics are left out, as the run was told to stop")
        else:
            self.reporter.write(values)
            taken = clock(time.monotonic() - begun)
            self.reporter.say("  ".join(f"{key} {value:.4g}" for key, value in values.items()) + f"  ({taken})")
        self.reporter.pause(time.monotonic() - begun)

    def _measuring(self, done: int, count: int) -> None:
        self.reporter.waiting("metrics", done, count)
        if self.stop.set:
            raise _Stopped


def _next(images_seen: int, every_kimg: float) -> float:
    """The next multiple of ``every_kimg`` thousand images: the same in an unbroken run and in one that was resumed."""
    every = every_kimg * 1000
    return (math.floor(images_seen / every + 1e-9) + 1) * every


class _Stopped(Exception):
    """Metrics were given up, since the run was told to stop."""


class _StopFlag:
    """Set by SIGTERM or SIGINT; all processes agree on the step at which they stop."""

    def __init__(self) -> None:
        self.set = False
        self.before = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}

    def __enter__(self) -> _StopFlag:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.set = True

    def agreed(self, trainer: Trainer) -> bool:
        if trainer.config.processes == 1:
            return self.set
        if trainer.step % AGREE_EVERY:
            return False
        flag = torch.tensor(float(self.set), device=trainer.device)
        dist.all_reduce(flag)
        return bool(flag > 0)
