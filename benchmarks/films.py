"""A 200-frame GIF at 512 px from the service, against eager torch frame by frame with Pillow's default save."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image

from benchmarks.options import Options
from benchmarks.service import running_service
from galaxies.latents import lerp, z_from_seed
from galaxies.pixels import uint8_from_signed
from models.generator import OnnxGenerator
from models.store import ModelStore
from training.architectures import build
from training.architectures.stylegan2 import Generator
from training.config import TrainConfig

FRAMES, SIDE = 200, 512


def film(options: Options, repeats: int = 3) -> dict[str, Any]:
    """Seconds of both and their ratio; the service's films differ in their seeds, so none is taken from the store."""
    peer = _peer_seconds()
    with running_service(options.workers) as service:
        times = [_service_seconds(service.url, repeat) for repeat in range(repeats + 1)][1:]
    seconds = statistics.median(times)
    return {"service_seconds": seconds, "torch_eager_pillow_default_seconds": peer, "times_faster": peer / seconds}


def _service_seconds(url: str, repeat: int) -> float:
    body = {"from": {"seed": 42 + repeat}, "to": {"seed": 1234}, "frames": FRAMES, "size": SIDE}
    begun = time.perf_counter()
    answer = httpx.post(f"{url}/v1/interpolate", json=body, headers={"Prefer": "wait=60", "Accept": "image/gif"}, timeout=90)
    elapsed = time.perf_counter() - begun
    assert answer.status_code == httpx.codes.OK, answer.text
    return elapsed


def _peer_seconds() -> float:
    """Eager torch on all cores. Its weights are random, which changes no time; the pixels that are saved are the model's own."""
    version = ModelStore().get()
    config = TrainConfig.from_json(version.card.training["config"])
    generator, _ = build(config.network)
    assert isinstance(generator, Generator)
    generator.eval()
    served = OnnxGenerator(version)
    card = served.card
    onehot = np.eye(1, len(card.classes), dtype=np.float32)
    start, end = (served.map(z_from_seed(seed, card.z_dim)[None], onehot) for seed in (42, 1234))
    frames, seconds = [], 0.0
    for k in range(FRAMES):
        ws = np.repeat(lerp(start, end, k / FRAMES)[:, None], card.num_ws or 1, axis=1)
        begun = time.perf_counter()
        with torch.no_grad():
            generator.synthesis(torch.from_numpy(ws), generator.synthesis.noise_const[None])
        seconds += time.perf_counter() - begun
        pixels = uint8_from_signed(served.synthesize(ws, served.noise_const[None]))[0].transpose(1, 2, 0)
        begun = time.perf_counter()
        frames.append(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        seconds += time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        frames[0].save(Path(folder) / "film.gif", save_all=True, append_images=frames[1:], duration=40, loop=0)
        return seconds + time.perf_counter() - begun
