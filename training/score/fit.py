"""Training of one network on scored images: phases, the learning rate cut on plateau, the best validation score kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from galaxies.cards import BEST_SCORE, LOWEST_SCORE
from galaxies.seen import as_seen
from training.score.regression import Examples

CUT, PATIENCE = 0.3, 2
"""The rate is multiplied by `CUT` after more than `PATIENCE` epochs without a better validation score. Chosen here."""


@dataclass(frozen=True)
class Phase:
    """``epochs`` of Adam at ``rate`` on the parameters of ``trained``; everything else stays as it is."""

    trained: nn.Module
    epochs: int
    rate: float


def fit(
    network: nn.Module,
    phases: Sequence[Phase],
    parts: tuple[Examples, Examples],
    batch: int,
    seed: int,
    tick: Callable[[], None],
) -> list[float]:
    """Train ``network`` in place on the first of ``parts`` and return its mean absolute error on the second after every epoch.

    The loss is the mean absolute error (the report does not name its loss). Batches are shuffled, turned and mirrored by a
    generator of ``seed``. In the end the network has the weights of its best epoch; each phase starts from the best so far.
    """
    training, validation = parts
    rng = np.random.default_rng(seed)
    curve: list[float] = []
    best = copy.deepcopy(network.state_dict())
    for phase in phases:
        network.load_state_dict(best)
        network.requires_grad_(False)
        phase.trained.requires_grad_(True)
        optimiser = torch.optim.Adam(phase.trained.parameters(), lr=phase.rate)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=CUT, patience=PATIENCE)
        for _ in range(phase.epochs):
            _epoch(network, optimiser, training, batch, rng)
            error = float(np.abs(predict(network, validation.images, batch) - validation.targets).mean())
            if not curve or error < min(curve):
                best = copy.deepcopy(network.state_dict())
            curve.append(error)
            plateau.step(error)
            tick()
    network.load_state_dict(best)
    network.requires_grad_(False).eval()
    return curve


def _epoch(
    network: nn.Module, optimiser: torch.optim.Optimizer, training: Examples, batch: int, rng: np.random.Generator
) -> None:
    """One pass in whole batches; batch normalisation needs more than one image."""
    network.train()
    device = next(network.parameters()).device
    order = rng.permutation(len(training))
    size = min(batch, len(order))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        images = _turned(torch.from_numpy(as_seen(training.images[chosen])), int(rng.integers(8)))
        targets = torch.from_numpy(training.targets[chosen])
        loss = nn.functional.l1_loss(network(images.to(device)), targets.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _turned(images: Tensor, k: int) -> Tensor:
    """One of the square's eight symmetries."""
    turned = torch.rot90(images, k % 4, (2, 3))
    return turned.flip(3) if k >= 4 else turned


@torch.no_grad()
def predict(network: nn.Module, images: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    """Scores (N,) of images (N, 1, S, S), clipped to 0 … 8."""
    network.eval()
    device = next(network.parameters()).device
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    found = [network(torch.from_numpy(as_seen(part)).to(device)).clamp(LOWEST_SCORE, BEST_SCORE).cpu().numpy() for part in parts]
    return np.concatenate(found).astype(np.float32)
