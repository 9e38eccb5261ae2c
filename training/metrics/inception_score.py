"""Inception Score (Salimans et al. 2016) from features and the last layer of the full Inception network.

The FID network that is installed ends in features; the official ``pt_inception-2015-12-05-6726825d.pth`` has the 1008-way layer
after them. Its bias is left out, as in the published implementations.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from galaxies.errors import BadInput

Features = NDArray[np.float32]

OFFICIAL_SHA256 = "6726825d"
SPLITS = 10


def load_last_layer(path: Path) -> Features:
    """The weight (1008, 2048) of the last layer of the official file.

    Raises
    ------
    BadInput : the file is missing, is not the official one, or has no such layer.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file; the official pt_inception-2015-12-05-6726825d.pth is expected there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(OFFICIAL_SHA256):
        raise BadInput(f"{path} has sha256 {digest[:16]}…; that of the official Inception weights begins with {OFFICIAL_SHA256}")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if "fc.weight" not in state:
        raise BadInput(f"{path} has no layer fc.weight; the Inception Score needs the full network")
    weight: Features = state["fc.weight"].float().numpy()
    return weight


def inception_score(features: Features, weight: Features, splits: int = SPLITS) -> tuple[float, float]:
    """Mean and standard deviation over ``splits`` parts of exp E[KL(p(y | x) ‖ p(y))] for features (N, D), weight (K, D)."""
    logits = torch.from_numpy(features).double() @ torch.from_numpy(weight).double().T
    scores = []
    for part in torch.log_softmax(logits, dim=1).tensor_split(min(splits, len(features))):
        probabilities = part.exp()
        divergence = (probabilities * (part - probabilities.mean(dim=0).log())).sum(dim=1).mean()
        scores.append(float(divergence.exp()))
    return float(np.mean(scores)), float(np.std(scores))
