"""Losses of the generator and the discriminator, as functions over logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating logistic loss (Goodfellow et al. 2014): mean of -log sigmoid(D(G(z)))."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss: mean of -log sigmoid(D(x)) and -log(1 - sigmoid(D(G(z)))); binary cross-entropy on logits."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared norm of the discriminator's gradient at real images (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
