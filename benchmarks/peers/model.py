"""What both peers serve: seeds → PNG, with the classes and functions that the bare loop uses."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.latents import class_from_seed, truncate, z_from_seed
from galaxies.pixels import uint8_from_signed
from models.generator import DeviceName, OnnxGenerator, choose_device
from models.versions import Version

BATCH_WAIT_SECONDS = 0.005
WORKERS = 2
"""Two processes with one ONNX Runtime thread each: the fastest way to use two cores, for the peers as for us."""


def device_name() -> DeviceName:
    """Where ``python -m benchmarks`` was told to run models."""
    return "cuda" if os.environ.get("GALSYNTH_DEVICE") == "cuda" else "cpu"


def batch_size() -> int:
    """The workers' default there."""
    return 32 if device_name() == "cuda" else 8


class Model:
    """One session and what stands around it, on the device that ``GALSYNTH_DEVICE`` names."""

    def __init__(self, version: Version, threads: int = 1) -> None:
        self.generator = OnnxGenerator(version, choose_device(device_name(), threads))

    def pngs(self, seeds: Sequence[int]) -> list[bytes]:
        """The PNGs of ``seeds`` as the service makes them, without provenance; all in one batch."""
        generator, card = self.generator, self.generator.card
        z = np.stack([z_from_seed(seed, card.z_dim) for seed in seeds])
        counts = [c.count for c in card.classes]
        onehot = np.eye(len(counts), dtype=np.float32)[[class_from_seed(seed, counts) for seed in seeds]] if counts else None
        w = np.repeat(generator.map(z, onehot)[:, None], card.num_ws or 1, axis=1)
        assert generator.w_mean is not None
        noise = np.repeat(generator.noise_const[None], len(seeds), axis=0)
        images = generator.synthesize(truncate(w, generator.w_mean, card.truncation), noise)
        return [_png(image) for image in uint8_from_signed(images)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
