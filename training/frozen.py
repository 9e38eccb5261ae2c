"""Which parameters learn: all but those of the layers that a run keeps as they are, and none of a network that only judges."""

from __future__ import annotations

import torch
from torch import nn

from galaxies.errors import BadInput
from training.architectures import Discriminator, Generator, build
from training.config import TrainConfig


def check(config: TrainConfig) -> None:
    """Look whether the networks of ``config`` have as many layers as it freezes, without making their weights.

    Raises
    ------
    BadInput : they have fewer.
    """
    if config.freeze_generator or config.freeze_discriminator:
        with torch.device("meta"):
            generator, discriminator = build(config.network)
        trainable(generator, config.freeze_generator, "freeze_generator")
        trainable(discriminator, config.freeze_discriminator, "freeze_discriminator")


def set_grad(parameters: list[nn.Parameter], value: bool) -> None:
    """Whether gradients are computed for ``parameters``."""
    for parameter in parameters:
        parameter.requires_grad_(value)


def trainable(network: Generator | Discriminator | None, frozen: int, setting: str) -> list[nn.Parameter]:
    """The parameters that learn: all but those of the first ``frozen`` layers, which are switched off.

    Raises
    ------
    BadInput : the network has fewer layers that can be frozen.
    """
    if network is None:
        return []
    layers = network.frozen_first()
    if frozen > len(layers):
        raise BadInput(f"{setting} {frozen}: this network has {len(layers)} layers that can be frozen", field=setting)
    for layer in layers[:frozen]:
        layer.requires_grad_(False)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
