"""The peer of every service figure: one loop that calls the session itself and encodes PNG, with nothing around it."""

from __future__ import annotations

import io
import time

import numpy as np
from PIL import Image

from galaxies.latents import class_from_seed, truncate, z_from_seed
from galaxies.pixels import uint8_from_signed
from models.generator import Device, OnnxGenerator
from models.store import ModelStore


class BareLoop:
    """The default model in this process: seed → PNG bytes, one image a call."""

    def __init__(self, threads: int) -> None:
        self.generator = OnnxGenerator(ModelStore().get(), Device(threads=threads))
        self.image(0)

    def image(self, seed: int) -> bytes:
        """The PNG of ``seed`` as the service makes it, without provenance."""
        generator, card = self.generator, self.generator.card
        z = z_from_seed(seed, card.z_dim)[None]
        onehot = None
        if card.classes:
            counts = [c.count for c in card.classes]
            onehot = np.eye(len(counts), dtype=np.float32)[[class_from_seed(seed, counts)]]
        w = np.repeat(generator.map(z, onehot)[:, None], card.num_ws or 1, axis=1)
        assert generator.w_mean is not None
        pixels = uint8_from_signed(
            generator.synthesize(truncate(w, generator.w_mean, card.truncation), generator.noise_const[None])
        )
        buffer = io.BytesIO()
        Image.fromarray(pixels[0].transpose(1, 2, 0)).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def seconds_per_image(self, seconds: float) -> list[float]:
        """Times of calls for about ``seconds``."""
        times: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            self.image(len(times))
            times.append(time.perf_counter() - begun)
        return times


def images_per_second(seconds: float, threads: int) -> float:
    """Throughput of the bare loop on one session of ``threads`` threads."""
    times = BareLoop(threads).seconds_per_image(seconds)
    return len(times) / sum(times)
