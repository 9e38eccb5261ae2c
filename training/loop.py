"""The training loop. It knows no architecture, and every random number is a function of (seed, images seen).

Several processes split each batch: all draw the same random inputs and take their slice, gradients are averaged, so that two
processes compute what one would.
"""

from __future__ import annotations

import copy
import json
import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from galaxies.errors import GalaxyError
from galaxies.pixels import uint8_from_signed
from training import checkpoints
from training.architectures import Discriminator, Generator, build
from training.config import TrainConfig
from training.data.archive import Archive
from training.losses import discriminator_loss, generator_loss, r1_penalty

GRID = (6, 10)
TICK_SECONDS = 20.0


class DivergedError(GalaxyError):
    """A loss is not finite; the last checkpoint is good."""


@dataclass
class Trainer:
    """Networks, optimisers and position of one run, in one process of ``world``."""

    config: TrainConfig
    archive: Archive
    run: Path
    rank: int
    device: torch.device

    def __post_init__(self) -> None:
        config = self.config
        torch.manual_seed(config.seed)
        self.dtype = getattr(torch, config.precision)
        generator, discriminator = build(config.network)
        self.generator: Generator = generator.to(self.device).train()
        self.discriminator: Discriminator = discriminator.to(self.device).train()
        self.ema: Generator = copy.deepcopy(generator).to(self.device).eval().requires_grad_(False)
        lazy = config.r1_interval / (config.r1_interval + 1) if config.r1_gamma else 1.0
        self.optimiser_g = torch.optim.Adam(self.generator.parameters(), config.lr_generator, (config.beta1, config.beta2))
        self.optimiser_d = torch.optim.Adam(
            self.discriminator.parameters(), config.lr_discriminator * lazy, (config.beta1**lazy, config.beta2**lazy)
        )
        self.images_seen = 0
        self.seconds = 0.0
        self.indices = self.archive.training()

    @property
    def step(self) -> int:
        """Steps done."""
        return self.images_seen // self.config.batch

    def resume(self) -> None:
        """Continue from the newest complete checkpoint of the run, if there is one."""
        found = checkpoints.list_checkpoints(self.run)
        if not found:
            return
        state = checkpoints.read_state(found[-1])
        networks = checkpoints.load(found[-1], "networks")
        optimisers = checkpoints.load(found[-1], "optimisers")
        self.generator.load_state_dict(checkpoints.unflatten("generator", networks))
        self.discriminator.load_state_dict(checkpoints.unflatten("discriminator", networks))
        self.ema.load_state_dict(checkpoints.load(found[-1], "ema"))
        checkpoints.restore_optimiser(self.generator, self.optimiser_g, checkpoints.unflatten("generator", optimisers))
        checkpoints.restore_optimiser(self.discriminator, self.optimiser_d, checkpoints.unflatten("discriminator", optimisers))
        self.images_seen, self.seconds = state["images_seen"], state["seconds"]

    def save(self) -> Path:
        """Write a checkpoint of the present position."""
        networks = {
            **checkpoints.flatten("generator", self.generator.state_dict()),
            **checkpoints.flatten("discriminator", self.discriminator.state_dict()),
        }
        optimisers = {
            **checkpoints.flatten("generator", checkpoints.optimiser_tensors(self.generator, self.optimiser_g)),
            **checkpoints.flatten("discriminator", checkpoints.optimiser_tensors(self.discriminator, self.optimiser_d)),
        }
        tensors = {"networks": networks, "ema": self.ema.state_dict(), "optimisers": optimisers}
        state = {
            "images_seen": self.images_seen,
            "seconds": round(self.seconds, 1),
            "config": self.config.to_json(),
            "dataset": {k: v for k, v in self.archive.manifest.items() if k not in ("format", "broken")},
            "software": {"torch": torch.__version__},
            "device": str(self.device),
        }
        return checkpoints.save(self.run, self.images_seen, tensors, state)

    def one_step(self) -> dict[str, Tensor]:
        """One update of D and one of G on the batch that follows from the position; returns what is worth logging."""
        config, n = self.config, self.config.batch
        rng = np.random.default_rng([config.seed, self.step])
        indices = self.indices[rng.integers(len(self.indices), size=n)]
        symmetry = rng.integers(8, size=n) if config.dihedral else _flips(rng, n) if config.flips else np.zeros(n, np.int64)
        share = slice(self.rank * n // config.processes, (self.rank + 1) * n // config.processes)
        pixels, labels = self.archive.batch(indices[share], symmetry[share])
        real = torch.from_numpy(pixels).to(self.device)
        onehot = self._onehot(torch.from_numpy(labels))
        draw_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))
        draw = {key: value[share].to(self.device) for key, value in self.generator.draw(n, draw_rng).items()}

        self.discriminator.requires_grad_(False)
        fake = self.generator.training_images(draw, onehot, self.dtype)
        loss_g = generator_loss(self.discriminator(fake, onehot, self.dtype))
        self.optimiser_g.zero_grad(set_to_none=True)
        loss_g.backward()  # type: ignore[no-untyped-call]
        self.discriminator.requires_grad_(True)

        logs = {"loss_g": loss_g.detach()}
        regularise = bool(config.r1_gamma) and self.step % config.r1_interval == 0
        fake_logits = self.discriminator(fake.detach(), onehot, self.dtype)
        real_logits = self.discriminator(real, onehot, self.dtype)
        loss_d = discriminator_loss(real_logits, fake_logits)
        logs |= {"loss_d": loss_d.detach(), "r_t": real_logits.detach().sign().mean()}
        if regularise:
            still = real.requires_grad_()
            penalty = r1_penalty(self.discriminator(still, onehot, torch.float32), still)
            loss_d = loss_d + penalty * (config.r1_gamma / 2 * config.r1_interval)
            logs["r1"] = penalty.detach()
        self.optimiser_d.zero_grad(set_to_none=True)
        loss_d.backward()  # type: ignore[no-untyped-call]
        self._average_gradients()
        self.optimiser_g.step()
        self.optimiser_d.step()
        self.images_seen += n
        self._update_ema()
        return logs

    def _onehot(self, labels: Tensor) -> Tensor | None:
        if not self.config.network.classes:
            return None
        return F.one_hot(labels, self.config.network.classes).float().to(self.device)

    def _average_gradients(self) -> None:
        if self.config.processes == 1:
            return
        parameters = [*self.generator.parameters(), *self.discriminator.parameters()]
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.config.processes
        for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    @torch.no_grad()
    def _update_ema(self) -> None:
        """Exponential moving average with a half-life of ``ema_kimg``, shorter in the first images (``ema_rampup``)."""
        half_life = self.config.ema_kimg * 1000
        if self.config.ema_rampup:
            half_life = min(half_life, self.images_seen * self.config.ema_rampup)
        weight = 1.0 - 0.5 ** (self.config.batch / max(half_life, 1e-8))
        source = [t for t in self.generator.state_dict().values() if t.is_floating_point()]
        target = [t for t in self.ema.state_dict().values() if t.is_floating_point()]
        torch._foreach_lerp_(target, source, weight)

    @torch.no_grad()
    def sample_sheet(self, path: Path) -> None:
        """A picture of EMA samples of fixed latents; with classes, a row a class."""
        rows, columns = GRID
        rng = torch.Generator().manual_seed(0)
        z = torch.randn(rows * columns, self.config.network.z_dim, generator=rng).to(self.device)
        classes = torch.arange(rows * columns) // columns % max(self.config.network.classes, 1)
        noise = self.ema.draw(len(z), rng).get("noise")
        images = self.ema.sample(z, self._onehot(classes), noise).cpu().numpy()
        side = images.shape[-1]
        pixels = uint8_from_signed(images).reshape(rows, columns, -1, side, side).transpose(0, 3, 1, 4, 2)
        sheet = pixels.reshape(rows * side, columns * side, -1)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet if sheet.shape[-1] == 3 else sheet[..., 0]).save(path)


def _flips(rng: np.random.Generator, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Horizontal and vertical flips, each with probability 1/2, as symmetries 0, 2, 4, 6 of the square."""
    return rng.integers(4, size=n) * 2


def train(config: TrainConfig, archive: Archive, run: Path, rank: int = 0) -> None:
    """Train until ``config.kimg``, resuming if the run has a checkpoint; SIGTERM and SIGINT save and return.

    Raises
    ------
    DivergedError : a loss is not finite.
    """
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.set_num_threads(config.threads)
    stop = _StopFlag()
    run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, archive, run, rank, device)
    trainer.resume()
    total = math.ceil(config.kimg * 1000 / config.batch) * config.batch
    ticker = _Ticker(trainer, total)
    next_snapshot = trainer.images_seen + config.snapshot_kimg * 1000
    while trainer.images_seen < total:
        ticker.add(trainer.one_step())
        stopping = stop.agreed(trainer)
        if rank == 0:
            ticker.tick()
        if trainer.images_seen >= min(next_snapshot, total) or stopping:
            next_snapshot += config.snapshot_kimg * 1000
            if rank == 0:
                ticker.flush()
                trainer.save()
                trainer.sample_sheet(run / "samples" / f"{trainer.images_seen:09d}.png")
        if stopping:
            break


class _StopFlag:
    """Set by SIGTERM or SIGINT; all processes agree on the step at which they stop."""

    def __init__(self) -> None:
        self.set = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.set = True

    def agreed(self, trainer: Trainer) -> bool:
        if trainer.config.processes == 1:
            return self.set
        if trainer.step % 8:
            return False
        flag = torch.tensor(float(self.set))
        dist.all_reduce(flag)
        return bool(flag > 0)


class _Ticker:
    """Averages logs and prints a line with speed and ETA every few seconds."""

    def __init__(self, trainer: Trainer, total: int) -> None:
        self.trainer, self.total = trainer, total
        self.sums: dict[str, list[float]] = {}
        self.last_time, self.last_images = time.monotonic(), trainer.images_seen

    def add(self, logs: dict[str, Tensor]) -> None:
        for key, value in logs.items():
            number = float(value)
            if not math.isfinite(number):
                raise DivergedError(
                    f"{key} is {number} after {self.trainer.images_seen / 1000:.1f} kimg; the last checkpoint is good: "
                    "resume with a lower learning rate or another r1_gamma",
                )
            self.sums.setdefault(key, []).append(number)

    def tick(self) -> None:
        if time.monotonic() - self.last_time >= TICK_SECONDS:
            self.flush()

    def flush(self) -> None:
        trainer, now = self.trainer, time.monotonic()
        if trainer.images_seen == self.last_images:
            return
        elapsed, images = now - self.last_time, trainer.images_seen - self.last_images
        trainer.seconds += elapsed
        speed = images / elapsed
        means = {key: sum(values) / len(values) for key, values in self.sums.items()}
        record = {"kimg": trainer.images_seen / 1000, "images_per_second": speed, "seconds": trainer.seconds, **means}
        with (trainer.run / "log.jsonl").open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        left = (self.total - trainer.images_seen) / speed
        losses = "  ".join(f"{key} {value:.3f}" for key, value in means.items())
        print(
            f"{record['kimg']:8.1f} / {self.total / 1000:.0f} kimg  {speed:6.1f} images/s  ETA {_clock(left)}  {losses}",
            flush=True,
        )
        self.sums, self.last_time, self.last_images = {}, now, trainer.images_seen


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
