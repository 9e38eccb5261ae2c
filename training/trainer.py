"""Networks, optimisers and position of one run. It knows no architecture; every random number follows from (seed, images seen).

Several processes split each batch: all draw the same random inputs and take their slice, and gradients are averaged, so that two
processes compute what one would.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from galaxies.errors import BadInput
from training import augment, checkpoints
from training.architectures import Discriminator, Generator, StyleGenerator, build
from training.config import TrainConfig
from training.data.archive import Archive
from training.feed import Batch, Feed
from training.frozen import set_grad, trainable
from training.losses import GP_WEIGHT, LOSSES, between, clip_parameters, gradient_penalty, r1_penalty
from training.regularisers import DECAY, path_lengths, path_penalty
from training.schedule import Rates, rates
from training.strength import HELD_OUT_EVERY, Strength, with_r_v

Logs = dict[str, Tensor]


@dataclass
class Trainer:
    """One run in one process of ``config.processes``."""

    config: TrainConfig
    archive: Archive
    run: Path
    rank: int
    device: torch.device

    def __post_init__(self) -> None:
        config = self.config
        torch.manual_seed(config.seed)
        self.dtype: torch.dtype = getattr(torch, config.precision)
        self.loss = LOSSES[config.loss]
        generator, discriminator = build(config.network)
        self.generator: Generator = generator.to(self.device).train()
        self.discriminator: Discriminator | None = discriminator and discriminator.to(self.device).train()
        self.ema: Generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.feed = Feed(config, self.archive, self.rank, self.device)
        self.augmentation = augment.build(config.augment, config.network.bands)
        self.strength = Strength(config)
        if config.augment_signal == "r_v" and not len(self.feed.holding):
            raise BadInput("augment_signal r_v needs held-out images, and the archive keeps none: prepare it with --held-out")
        self.path_mean = torch.zeros([], device=self.device)
        self.images_seen = 0
        self.seen_before = 0  # by an earlier stage whose time is in `seconds`: no part of the position
        self.seconds = 0.0
        self._trained_g = trainable(self.generator, config.freeze_generator, "freeze_generator")
        self._trained_d = trainable(self.discriminator, config.freeze_discriminator, "freeze_discriminator")
        self.optimiser_g = self._adam(self._trained_g, config.pl_interval if config.regularises_paths else 0)
        self.optimiser_d = self._adam(self._trained_d, config.r1_interval if config.penalises_lazily else 0)
        self._images: Callable[..., Tensor] = self.generator.training_images
        self._logits: Callable[..., Tensor] = self.discriminator or _no_discriminator
        if config.compile:
            self._images, self._logits = torch.compile(self._images), torch.compile(self._logits)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.images_seen // self.config.batch

    def _adam(self, parameters: list[nn.Parameter], lazy_interval: int) -> torch.optim.Optimizer:
        """Adam; a network with a lazy regulariser has its rate and moments adapted (Karras et al. 2020, appendix B)."""
        lazy = lazy_interval / (lazy_interval + 1) if lazy_interval else 1.0
        optimiser = torch.optim.Adam(parameters or [torch.zeros(0)], 1.0, (self.config.beta1**lazy, self.config.beta2**lazy))
        optimiser.param_groups[0]["lazy"] = lazy
        return optimiser

    def resume(self) -> bool:
        """Continue from the newest complete checkpoint of the run; whether there was one.

        Raises
        ------
        BadInput : it is damaged, or of another network or data set.
        """
        found = checkpoints.list_checkpoints(self.run)
        if not found:
            return False
        state = checkpoints.read_state(found[-1])
        checkpoints.check_resumable(found[-1], state, self.config, self.archive.manifest["digest"])
        networks, optimisers = (checkpoints.load(found[-1], stem) for stem in ("networks", "optimisers"))
        for name, network, optimiser in self._parts():
            checkpoints.load_into(network, checkpoints.unflatten(name, networks), found[-1])
            checkpoints.restore_optimiser(network, optimiser, checkpoints.unflatten(name, optimisers))
        checkpoints.load_into(self.ema, checkpoints.load(found[-1], "ema"), found[-1])
        self.images_seen, self.seconds = state["images_seen"], state["seconds"]
        self.seen_before = state.get("seen_before", 0)
        self.strength.restore(state.get("strength", {}))
        self.path_mean.fill_(state.get("path_mean", 0.0))
        self._advance()
        return True

    def _parts(self) -> Iterable[tuple[str, nn.Module, torch.optim.Optimizer]]:
        yield "generator", self.generator, self.optimiser_g
        if self.discriminator is not None:
            yield "discriminator", self.discriminator, self.optimiser_d

    def save(self) -> Path:
        """Write a checkpoint of the present position.

        Raises
        ------
        DivergedError : a weight or a moment of an optimiser is not finite.
        UnwrittenError : the disk is full or cannot be written.
        """
        networks: dict[str, Tensor] = {}
        optimisers: dict[str, Tensor] = {}
        for name, network, optimiser in self._parts():
            networks |= checkpoints.flatten(name, network.state_dict())
            optimisers |= checkpoints.flatten(name, checkpoints.optimiser_tensors(network, optimiser))
        state: dict[str, Any] = {
            "images_seen": self.images_seen,
            "seen_before": self.seen_before,
            "seconds": round(self.seconds, 1),
            "strength": self.strength.state(),
            "path_mean": float(self.path_mean),
            "config": self.config.to_json(),
            "dataset": self.feed.described(),
            "software": {"torch": torch.__version__},
            "device": str(self.device),
        }
        tensors = {"networks": networks, "ema": self.ema.state_dict(), "optimisers": optimisers}
        return checkpoints.save(self.run, self.images_seen, tensors, state)

    def one_step(self) -> Logs:
        """One update on the batch that follows from the position; returns what is worth logging, over all processes."""
        config, step = self.config, self.step
        self._advance()
        rate = rates(config, self.images_seen)
        torch.manual_seed((config.seed << 32) + step * config.processes + self.rank)  # dropout follows from the position too
        batch = self.feed.batch(step, self.generator, self.augmentation, self.loss)
        if self.discriminator is not None:
            batch.real = self.discriminator.real_images(batch.real)
        draw = batch.draw | self.generator.given(batch.real)
        moves = rate.generator > 0 and (step + 1) % config.critic_steps == 0
        logs: Logs = {}
        with torch.set_grad_enabled(moves):
            fake = self._images(draw, batch.onehot, self.dtype)
        self.optimiser_g.zero_grad(set_to_none=True)
        self.optimiser_d.zero_grad(set_to_none=True)
        if moves:
            self._generator_backward(batch, draw, fake, logs)
        if self.discriminator is not None:
            self._discriminator_backward(batch, fake.detach(), logs)
            if step % HELD_OUT_EVERY == 0:
                self._look_at_held_out(batch, step, logs)
        logs = self._average(logs)
        self._update(rate, moves)
        self.images_seen += config.batch
        self.strength.note(logs)
        if moves:
            self._update_ema()
        return with_r_v(logs)

    def _generator_backward(self, batch: Batch, draw: dict[str, Tensor], fake: Tensor, logs: Logs) -> None:
        adversarial = torch.zeros([], device=self.device)
        if self.discriminator is not None:
            set_grad(self._trained_d, False)
            real_logits = None
            if self.loss.paired:
                with torch.no_grad():
                    real_logits = self._logits(self._augment(batch.real, batch.real_draw), batch.onehot, self.dtype)
            logits = self._logits(self._augment(fake, batch.fake_draw, fake=True), batch.onehot, self.dtype)
            adversarial = self.loss.generator(logits, real_logits)
        loss = self.generator.objective(adversarial, fake, draw)
        logs["loss_g"] = loss.detach()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.regularises_paths and self.step % self.config.pl_interval == 0:
            self._path_backward(batch, logs)
        set_grad(self._trained_d, True)

    def _path_backward(self, batch: Batch, logs: Logs) -> None:
        generator = self.generator
        assert isinstance(generator, StyleGenerator)
        ws = generator.styles(batch.draw, batch.onehot)
        images = generator.synthesis(ws, batch.draw["noise"])
        lengths = path_lengths(images, ws, batch.directions)
        mean = self._mean_over_processes(lengths.detach().mean())
        self.path_mean.lerp_(mean, DECAY)
        penalty = path_penalty(lengths, self.path_mean)
        (penalty * (self.config.pl_weight * self.config.pl_interval)).backward()  # type: ignore[no-untyped-call]
        logs["path_length"] = lengths.detach().mean()

    def _discriminator_backward(self, batch: Batch, fake: Tensor, logs: Logs) -> None:
        config, p = self.config, self.strength.p
        fake_seen = self._augment(fake, batch.fake_draw, fake=True)
        real_seen = self._augment(batch.real, batch.real_draw)
        fake_logits = self._logits(fake_seen, batch.onehot, self.dtype)
        real_logits = self._logits(real_seen, batch.onehot, self.dtype)
        loss = self.loss.discriminator(real_logits, fake_logits, batch.targets)
        logs |= {
            "loss_d": loss.detach(),
            "r_t": real_logits.detach().sign().mean(),
            "logit_real": real_logits.detach().mean(),
            "logit_fake": fake_logits.detach().mean(),
        }
        if self.strength.controller is not None:
            logs["augment_p"] = torch.tensor(p, device=self.device)
        if config.penalises_lazily and self.step % config.r1_interval == 0:
            penalty = self._gradient_at(batch.real, batch.real_draw, batch.onehot)
            if self.loss.penalty == "r1r2":
                penalty = penalty + self._gradient_at(fake, batch.fake_draw, batch.onehot, fake=True)
            loss = loss + penalty * (config.r1_gamma / 2 * config.r1_interval)
            logs["r1"] = penalty.detach()
        elif self.loss.penalty == "gp":
            assert self.discriminator is not None
            middle = between(real_seen, fake_seen, batch.alpha)
            penalty = gradient_penalty(self.discriminator(middle, batch.onehot), middle)
            loss = loss + penalty * GP_WEIGHT
            logs["gp"] = penalty.detach()
        loss.backward()  # type: ignore[no-untyped-call]

    def _gradient_at(self, images: Tensor, draw: Tensor, onehot: Tensor | None, *, fake: bool = False) -> Tensor:
        assert self.discriminator is not None
        still = images.detach().requires_grad_()
        return r1_penalty(self.discriminator(self._augment(still, draw, fake=fake), onehot), still)

    def _augment(self, images: Tensor, draw: Tensor, *, fake: bool = False) -> Tensor:
        if fake and self.augmentation.reals_only:
            return images
        return self.augmentation.apply(images, draw, self.strength.p)

    @torch.no_grad()
    def _look_at_held_out(self, batch: Batch, step: int, logs: Logs) -> None:
        """The discriminator's mean logit of a held-out batch, augmented alike: what r_v compares with."""
        found = self.feed.held_out(step)
        if found is not None and self.discriminator is not None:
            images, onehot = self.discriminator.real_images(found[0]), found[1]
            logs["logit_held_out"] = self._logits(self._augment(images, batch.real_draw), onehot, self.dtype).mean()

    def _mean_over_processes(self, value: Tensor) -> Tensor:
        if self.config.processes > 1:
            dist.all_reduce(value)
            value = value / self.config.processes
        return value

    def _average(self, logs: Logs) -> Logs:
        """Average gradients and logs over the processes, in one message."""
        gradients = [p.grad for p in (*self._trained_g, *self._trained_d) if p.grad is not None]
        if self.config.precision == "float16":
            for gradient in gradients:
                torch.nan_to_num(gradient, nan=0.0, posinf=1e5, neginf=-1e5, out=gradient)
        if self.config.processes == 1:
            return logs
        values = torch.stack([value.float() for value in logs.values()])
        flat = torch.cat([*(g.flatten() for g in gradients), values])
        dist.all_reduce(flat)
        flat /= self.config.processes
        *means, values = torch.split(flat, [*(g.numel() for g in gradients), len(values)])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))
        return dict(zip(logs, values.unbind(), strict=True))

    def _update(self, rate: Rates, moves: bool) -> None:
        for optimiser, value in ((self.optimiser_g, rate.generator), (self.optimiser_d, rate.discriminator)):
            group = optimiser.param_groups[0]
            group["lr"] = value * (group["lazy"] if optimiser is self.optimiser_d or self.config.regularises_paths else 1.0)
        if moves:
            self.optimiser_g.step()
        if self.discriminator is not None:
            self.optimiser_d.step()
            if self.loss.clip is not None:
                clip_parameters(self.discriminator, self.loss.clip)

    def _advance(self) -> None:
        for network in (self.generator, self.discriminator, self.ema):
            if network is not None:
                network.advance(self.images_seen / 1000)

    @torch.no_grad()
    def _update_ema(self) -> None:
        """Exponential moving average with a half-life of ``ema_kimg``, shorter in the first images (``ema_rampup``)."""
        half_life = self.config.ema_kimg * 1000
        if self.config.ema_rampup:
            half_life = min(half_life, self.images_seen * self.config.ema_rampup)
        weight = 1.0 - 0.5 ** (self.config.batch * self.config.critic_steps / max(half_life, 1e-8))
        source = [t for t in self.generator.state_dict().values() if t.is_floating_point()]
        target = [t for t in self.ema.state_dict().values() if t.is_floating_point()]
        torch._foreach_lerp_(target, source, weight)


def _no_discriminator(*_: object) -> Tensor:
    raise TypeError("this architecture has no discriminator")
