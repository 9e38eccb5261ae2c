"""A training step of ours beside the plain published form, in one run.

The peer is StyleGAN2 as published (Karras et al. 2020): a convolution whose kernel belongs to the sample, as one grouped
convolution over the whole batch; float32, eager, contiguous memory; and images of their own for the discriminator's step.
Networks, batch and regularisation are the same, and before anything is timed both forms must make the same images. Ours is
timed with ``compile`` too, as a run with that setting does it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.options import Options
from training.architectures import build
from training.architectures.stylegan2 import Discriminator, Generator, ModulatedConv, ToBands
from training.losses import LOSSES, r1_penalty
from training.presets import find, resolve

BATCH, CLASSES, BANDS = 16, 6, 3
ROUNDS, STEPS = 5, 3
TOLERANCE = 1e-3
PRESET = {"cpu": "stylegan2-64-cpu", "cuda": "stylegan2-64"}


def training(_: Options) -> dict[str, Any]:
    """Images a second of both forms, in turn, on one core of a CPU or on the GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    preset = find(PRESET[device]).config
    steps = {
        "published": _Step(device, torch.float32, published=True),
        "ours_float32": _Step(device, torch.float32),
        "ours": _Step(device, getattr(torch, preset.precision)),
        "ours_compiled": _Step(device, getattr(torch, preset.precision), compiled=True),
    }
    difference = _greatest_difference(steps["published"], steps["ours_float32"])
    if difference > TOLERANCE:
        raise RuntimeError(f"the two forms make images that differ by {difference:.1e}; at most {TOLERANCE:.0e} is rounding")
    seconds_to_compile = _seconds(lambda: steps["ours_compiled"].update(regularise=False), 1, device)
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for _round in range(ROUNDS + 1):
        for name, step in steps.items():
            speeds[name].append(_images_per_second(step))
    medians = {name: statistics.median(values[1:]) for name, values in speeds.items()}
    return {
        "preset": preset.preset,
        "device": torch.cuda.get_device_name() if device == "cuda" else "one core",
        "batch": BATCH,
        "images_per_second": {name: round(value, 2) for name, value in medians.items()},
        "times_the_published_form": {name: round(value / medians["published"], 2) for name, value in medians.items()},
        "seconds_to_compile": round(seconds_to_compile, 1),
        "greatest_difference_of_images": difference,
    }


class _Step:
    """Both networks and one whole update of each, with R1 every 16 steps spread evenly over the count."""

    def __init__(self, device: str, dtype: torch.dtype, *, published: bool = False, compiled: bool = False) -> None:
        torch.manual_seed(0)
        config = resolve(PRESET[device], [], bands=BANDS, resolution=64, classes=CLASSES)
        generator, discriminator = build(config.network)
        assert isinstance(generator, Generator)
        assert isinstance(discriminator, Discriminator)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        if published:
            _publish(self.generator)
        self._images: Callable[..., Tensor] = generator.training_images
        self._logits: Callable[..., Tensor] = discriminator
        if compiled:
            self._images, self._logits = torch.compile(self._images), torch.compile(self._logits)
        self.published, self.dtype, self.device, self.config = published, dtype, device, config
        self.loss = LOSSES[config.loss]
        self.optimisers = [torch.optim.Adam(network.parameters(), 0.0025, (0.0, 0.99)) for network in (generator, discriminator)]
        self.rng = torch.Generator().manual_seed(0)
        self.onehot = torch.eye(CLASSES, device=device)[torch.arange(BATCH) % CLASSES]
        self.real = torch.from_numpy(np.random.default_rng(0).standard_normal((BATCH, BANDS, 64, 64), np.float32)).to(device)

    def draw(self) -> dict[str, Tensor]:
        return {key: value.to(self.device) for key, value in self.generator.draw(BATCH, self.rng).items()}

    def images(self, draw: dict[str, Tensor]) -> Tensor:
        return self._images(draw, self.onehot, self.dtype)

    def update(self, *, regularise: bool) -> None:
        judge, logits = self.discriminator, self._logits
        judge.requires_grad_(False)
        fake = self.images(self.draw())
        self._go(0, self.loss.generator(logits(fake, self.onehot, self.dtype)))
        judge.requires_grad_(True)
        if self.published:
            with torch.no_grad():
                fake = self.images(self.draw())
        loss = self.loss.discriminator(logits(self.real, self.onehot, self.dtype), logits(fake.detach(), self.onehot, self.dtype))
        if regularise:
            still = self.real.detach().requires_grad_()
            loss = loss + r1_penalty(judge(still, self.onehot), still) * (self.config.r1_gamma * 8)
        self._go(1, loss)

    def _go(self, which: int, loss: Tensor) -> None:
        self.optimisers[which].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimisers[which].step()


def _images_per_second(step: _Step) -> float:
    """Images a second with R1 in one of 16 steps, from the times of plain and of regularised steps."""
    plain = _seconds(lambda: step.update(regularise=False), STEPS, step.device)
    regularised = _seconds(lambda: step.update(regularise=True), 1, step.device)
    gc.collect()
    return BATCH / ((15 * plain + regularised) / 16)


def _seconds(work: Callable[[], None], count: int, device: str) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        work()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / count


@torch.no_grad()
def _greatest_difference(a: _Step, b: _Step) -> float:
    draw = {key: value.to(a.device) for key, value in a.generator.draw(BATCH, torch.Generator().manual_seed(1)).items()}
    return float((a.images(draw) - b.images(draw)).abs().max())


def _publish(generator: Generator) -> None:
    """Let the layers of ``generator`` compute in the published form, with the weights that they have."""
    for module in generator.modules():
        if isinstance(module, ModulatedConv):
            module.__class__ = GroupedConv
        elif isinstance(module, ToBands):
            module.__class__ = GroupedToBands


class GroupedConv(ModulatedConv):
    """`ModulatedConv` as published: one kernel a sample, one grouped convolution for the batch."""

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """As `ModulatedConv.forward`."""
        n, channels, side, _ = x.shape
        weight = self.weight * self.gain * self.affine(w)[:, None, :, None, None]  # (N, Cout, Cin, 3, 3)
        weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, n * channels, side, side)
        if self.fir is None:
            x = F.conv2d(x, weight.flatten(0, 1), padding=1, groups=n)
        else:
            x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
        x = x.reshape(n, -1, *x.shape[2:])
        x = x if self.fir is None else self.fir(x)
        x = x + noise * self.noise_strength + self.bias[:, None, None]
        return F.leaky_relu(x, 0.2) * 2**0.5


class GroupedToBands(ToBands):
    """`ToBands` as published."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """As `ToBands.forward`."""
        n, channels, side, _ = x.shape
        style = self.affine(w) * self.gain
        weight = (self.weight * style[:, None, :, None, None]).flatten(0, 1)
        x = F.conv2d(x.reshape(1, n * channels, side, side), weight, groups=n).reshape(n, -1, side, side)
        return x + self.bias[:, None, None]
