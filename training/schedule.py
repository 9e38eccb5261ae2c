"""Learning rates as a function of the images seen."""

from __future__ import annotations

import math
from typing import NamedTuple

from training.config import TrainConfig

LEAST = 0.02
START, RAMP_KIMG = 0.05, 10.0


class Rates(NamedTuple):
    """Learning rates of one step. A generator rate of 0 means that the generator stands still."""

    generator: float
    discriminator: float


def rates(config: TrainConfig, images_seen: int) -> Rates:
    """Both rates after ``images_seen`` images.

    Over the last ``lr_decay_kimg`` both fall linearly, to 2 % at least; ``lr_halving_kimg`` halves them regularly. Until
    ``generator_from_kimg`` the generator stands still (a transferred one would unlearn from a discriminator that knows nothing);
    then its rate rises from 5 % over 10 kimg.
    """
    kimg, decay = images_seen / 1000, 1.0
    if config.lr_decay_kimg:
        decay = min(1.0, max(LEAST, (config.kimg - kimg) / config.lr_decay_kimg))
    if config.lr_halving_kimg:
        halvings = max(0.0, kimg - config.lr_halving_from_kimg) / config.lr_halving_kimg
        decay *= 0.5 ** (halvings if config.lr_halving_smooth else math.floor(halvings))
    ramp = 1.0
    if config.generator_from_kimg:
        since = kimg - config.generator_from_kimg
        ramp = 0.0 if since < 0 else min(1.0, max(START, since / RAMP_KIMG))
    return Rates(config.lr_generator * decay * ramp, config.lr_discriminator * decay)
