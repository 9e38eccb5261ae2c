"""Losses of the generator and the discriminator, as functions over logits, and the penalties on the discriminator's gradient.

`LOSSES` names each loss; its ``penalty`` says which gradient penalty belongs to it. Logits are (N,), and a loss is a scalar.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Penalty = Literal["none", "r1", "r1r2", "gp"]
"""Squared gradient at real images, at real and at generated ones, or the two-sided penalty between them."""

GP_WEIGHT = 10.0
"""Weight of the two-sided gradient penalty in Gulrajani et al. (2017) and Karras et al. (2018)."""


@dataclass(frozen=True)
class Loss(ABC):
    """What the loop needs to know of a loss."""

    penalty: Penalty = "none"
    clip: float | None = None
    """The discriminator's parameters are kept within ± this by `clip_parameters` after each of its updates."""
    paired: bool = False
    """The generator's loss needs the logits of as many real images."""

    def targets(self, n: int, rng: torch.Generator) -> Tensor | None:
        """Labels (n,) of real images for `discriminator`, where the loss draws them; row i is image i."""
        return None

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Loss of the generator."""

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor, targets: Tensor | None = None) -> Tensor:
        """Loss of the discriminator without its penalty."""


@dataclass(frozen=True)
class Logistic(Loss):
    """Non-saturating logistic loss (Goodfellow et al. 2014): -log σ(D(G(z))) for G, -log σ(D(x)) - log(1 - σ(D(G(z)))) for D.

    This is binary cross-entropy on logits. With R1 it is the loss of StyleGAN2 (Karras et al. 2020).
    """

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Mean of -log σ(D(G(z)))."""
        return F.softplus(-fake_logits).mean()

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean of -log σ(D(x)) + mean of -log(1 - σ(D(G(z))))."""
        return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@dataclass(frozen=True)
class Smoothed(Logistic):
    """Logistic loss with labels of real images uniform in ``low`` … ``high`` in place of 1 (one-sided label smoothing).

    Fussell & Moews (2019) study 1 ± 0.3, Salimans et al. (2016) take the constant 0.9. The label of generated images stays 0 and
    the generator's loss is the logistic one. A label above 1 has no lower bound by itself; its mean over images has, where the
    mean label is 1 or less.
    """

    low: float = 0.7
    high: float = 1.3

    def targets(self, n: int, rng: torch.Generator) -> Tensor:
        """Labels (n,), one uniform number an image."""
        return self.low + (self.high - self.low) * torch.rand(n, generator=rng, dtype=torch.float64).float()

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean of -y log σ(D(x)) - (1 - y) log(1 - σ(D(x))) with y = ``targets``, + mean of -log(1 - σ(D(G(z))))."""
        if targets is None:
            raise ValueError("label smoothing needs the targets that Loss.targets draws")
        return (F.softplus(real_logits) - targets.to(real_logits) * real_logits).mean() + F.softplus(fake_logits).mean()


@dataclass(frozen=True)
class Wasserstein(Loss):
    """E[D(G(z))] - E[D(x)] for the critic, -E[D(G(z))] for the generator (Arjovsky et al. 2017).

    The critic must stay Lipschitz: by clipped parameters (there 0.01), or by the two-sided gradient penalty (Gulrajani et al.
    2017). ``drift`` · E[D(x)²] keeps its output from wandering (Karras et al. 2018, 0.001). It is usual to update the critic
    several times for each update of the generator.
    """

    drift: float = 0.0

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Mean of -D(G(z))."""
        return -fake_logits.mean()

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean of D(G(z)) - mean of D(x) + drift · mean of D(x)²."""
        return fake_logits.mean() - real_logits.mean() + self.drift * real_logits.square().mean()


@dataclass(frozen=True)
class Relativistic(Loss):
    """Relativistic pairing loss (Jolicoeur-Martineau 2018) as in R3GAN (Huang et al. 2024): log(1 + exp(-(D(x) - D(G(z))))) for D
    and the opposite for G, over pairs of one real and one generated image. Converges with R1 and R2 together.
    """

    paired: bool = True

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Mean of -log σ(D(G(z)) - D(x))."""
        if real_logits is None:
            raise ValueError("the relativistic generator loss needs the logits of real images")
        return F.softplus(real_logits - fake_logits).mean()

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean of -log σ(D(x) - D(G(z)))."""
        return F.softplus(fake_logits - real_logits).mean()


LOSSES: dict[str, Loss] = {
    "logistic": Logistic(penalty="r1"),
    "bce-smooth": Smoothed(low=0.7, high=1.3),
    "bce-0.9": Smoothed(low=0.9, high=0.9),
    "relativistic": Relativistic(penalty="r1r2"),
    "wgan": Wasserstein(clip=0.01),
    "wgan-gp": Wasserstein(penalty="gp", drift=0.001),
}


def gradient(logits: Tensor, images: Tensor) -> Tensor:
    """Gradient (N, C, H, W) of each image's logit with respect to that image; can be differentiated again."""
    (found,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return found


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean squared norm of the discriminator's gradient at ``images``: R1 at real, R2 at generated ones (Mescheder et al. 2018).

    Its weight in the loss is γ / 2.
    """
    return gradient(logits, images).square().sum(dim=(1, 2, 3)).mean()


def between(real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    """Images alpha · real + (1 - alpha) · fake for `gradient_penalty`; ``alpha`` (N,) is uniform in 0 … 1, one an image."""
    weight = alpha.to(real)[:, None, None, None]
    return (weight * real + (1.0 - weight) * fake).detach().requires_grad_()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean of (‖gradient‖ - 1)² at images `between` real and generated ones (Gulrajani et al. 2017); weight `GP_WEIGHT`."""
    squared = gradient(logits, images).square().sum(dim=(1, 2, 3))
    return ((squared + 1e-12).sqrt() - 1.0).square().mean()


@torch.no_grad()
def clip_parameters(network: nn.Module, limit: float) -> None:
    """Clamp every parameter to ± ``limit`` (Arjovsky et al. 2017)."""
    for parameter in network.parameters():
        parameter.clamp_(-limit, limit)
