"""What augmentation adds to a training step, on one thread of this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.options import Options
from training.architectures import build
from training.augment import build as build_augmentation
from training.losses import LOSSES
from training.presets import find

PRESET = "stylegan2-64-cpu"
AUGMENTATIONS = (("none", 0.0), ("galaxy", 0.2), ("galaxy", 0.8), ("published", 0.2), ("published", 0.8), ("diffaugment", 1.0))
ROUNDS = 8


def augmentation(_: Options) -> dict[str, Any]:
    """Median milliseconds of a step of ``PRESET`` (both networks, no R1) by augmentation and p; all take turns in each round."""
    torch.set_num_threads(1)
    steps = {f"{name}, p {p:g}": _step(name, p) for name, p in AUGMENTATIONS}
    taken: dict[str, list[float]] = {label: [] for label in steps}
    for turn in range(ROUNDS + 1):
        for label, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:  # the first warms up
                taken[label].append(1000 * (time.perf_counter() - start))
    medians = {label: statistics.median(values) for label, values in taken.items()}
    plain = medians["none, p 0"]
    return {
        "preset": PRESET,
        "batch": find(PRESET).config.batch,
        "step_ms": medians,
        "added_percent": {label: 100 * (value / plain - 1) for label, value in medians.items()},
    }


def _step(name: str, p: float) -> Callable[[], None]:
    """Gradients of both losses on random images."""
    config = find(PRESET).config
    torch.manual_seed(0)
    generator, discriminator = build(config.network)
    assert discriminator is not None
    loss, dtype = LOSSES[config.loss], getattr(torch, config.precision)
    augment, rng = build_augmentation(name, config.network.bands), torch.Generator().manual_seed(0)
    n, side = config.batch, config.network.resolution
    real = torch.rand(n, config.network.bands, side, side, generator=rng) * 2 - 1

    def seen(images: Tensor) -> Tensor:
        return augment(images, p, rng)

    def step() -> None:
        fake = generator.training_images(generator.draw(n, rng), None, dtype)
        loss.generator(discriminator(seen(fake), None, dtype)).backward()  # type: ignore[no-untyped-call]
        logits = (discriminator(seen(images), None, dtype) for images in (real, fake.detach()))
        loss.discriminator(*logits).backward()  # type: ignore[no-untyped-call]

    return step
