"""The images of a job: the work that makes them, and where they are put."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from galaxies.errors import BadInput
from galaxies.resolve import AnyRequest
from worker.loaded import LoadedModel
from worker.points import Points, noise_of, truncated
from worker.tickets import Array, Work


def synthesis(request: AnyRequest, points: Points, model: LoadedModel, out: Array) -> Work:
    """What turns ``points`` into images in ``out``; truncation happens here, a batch at a time."""
    w_mean = model.generator.w_mean
    if points.w is None:
        return Work(model, "generate", len(points), lambda start, stop: (truncated(points, request, None, start, stop),), out)
    noise = noise_of(request, model.card, model.generator.noise_const)

    def rows(start: int, stop: int) -> tuple[Array, ...]:
        return truncated(points, request, w_mean, start, stop), noise(start, stop)

    return Work(model, "synthesize", len(points), rows, out)


def images_of(shape: tuple[int, ...], memory_limit: int, file: Callable[[], Path]) -> Array:
    """Room for images: in memory, or above ``memory_limit`` bytes in a ``file`` that is allocated in full.

    Without that allocation a full disk would end the process (SIGBUS) when a page is written, instead of raising here.
    """
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    if size <= memory_limit:
        return np.empty(shape, dtype=np.float32)
    path = file()
    with path.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            block = bytes(2**20)
            for start in range(0, size, len(block)):
                stream.write(block[: size - start])
    return np.memmap(path, dtype=np.float32, mode="r+", shape=shape)


def check_pixels(images: Array, index: int) -> None:
    """Look at image ``index`` of what the network has made.

    Raises
    ------
    BadInput : it holds NaN or infinity, as nothing should have been asked for that far from what the model knows.
    """
    if not np.isfinite(images[index]).all():
        raise BadInput(
            f"galaxy {index} (of {len(images)}, the first is 0) has pixels that are no finite numbers: its latent is too large, "
            "or a z of 0, which has no direction; take smaller weights, or other latents"
        )
