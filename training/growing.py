"""A StyleGAN2 for larger images that begins where one for smaller images ended.

The new generator shows the old one's image, doubled; the new discriminator judges the image, halved, as the old one did (but for
a blur that darkens the border). What the added blocks can do beyond that, they learn. Karras et al. (2018) fade new blocks in
instead; here nothing needs to fade, because the added blocks are silent at first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from galaxies.errors import BadInput
from training.architectures.layers import LRELU_GAIN, LRELU_SLOPE
from training.architectures.stylegan2 import Discriminator, DiscriminatorBlock, Generator, StyleGAN2Config

Weights = dict[str, Tensor]
NOISE = "synthesis.noise_const"


def doublings(before: StyleGAN2Config, now: StyleGAN2Config) -> int:
    """How often ``before`` must double its side to be as large as ``now``; 0 where it cannot get there."""
    if before.first_side != now.first_side:
        return 0
    return max(0, len(now.resolutions) - len(before.resolutions))


def grown_generator(network: Generator, weights: Weights, times: int) -> Weights:
    """``weights`` of a generator with ``times`` blocks fewer than ``network``, and for the missing ones those of ``network``.

    The added layers that show the image are zero, so that the image is the old one, ``times`` times doubled (before
    `unstretched`). Noise maps come in the order of the blocks: the old ones first.
    """
    own, synthesis = _on_cpu(network), network.synthesis
    blocks, layers = len(synthesis.to_bands), len(synthesis.convs)
    convs = tuple(f"synthesis.convs.{number}." for number in range(layers - 2 * times, layers))
    shown = tuple(f"synthesis.to_bands.{number}." for number in range(blocks - times, blocks))
    made = weights | {name: value for name, value in own.items() if name.startswith(convs + shown)}
    for prefix in shown:
        for part in ("weight", "bias"):
            made[prefix + part] = torch.zeros_like(own[prefix + part])
    if (noise := weights.get(NOISE)) is not None:
        made[NOISE] = torch.cat([noise, own[NOISE][len(noise) :]])
    return made


def grown_discriminator(network: Discriminator, weights: Weights, times: int) -> Weights:
    """``weights`` of a discriminator with ``times`` blocks fewer than ``network``, with the missing ones before them.

    Raises
    ------
    BadInput : an added block has fewer feature maps than twice the bands of ``weights``, which it needs to hand an image on, or
        layers are frozen, and with them the added ones.
    """
    if not network.from_bands.weight.requires_grad:
        raise BadInput("freeze_discriminator counts from the image, and would keep the added layers as they are: 0 is allowed")
    if "from_bands.weight" not in weights:
        return weights  # whose layers are refused as those of another network
    for block in reversed(range(times)):
        weights = _with_one_more(network, weights, block)
    return weights


def _with_one_more(network: Discriminator, weights: Weights, block: int) -> Weights:
    """``weights`` with the layers of ``network.blocks[block]`` before their first one.

    A pair of feature maps carries +x and -x of one band x through leaky ReLUs; the difference of the two is x again, times a
    factor. The block's strided convolution then does what ``from_bands`` did. Its blur stands for the halving.
    """
    added = network.blocks[block]
    assert isinstance(added, DiscriminatorBlock)
    own, bands, maps = _on_cpu(network), weights["from_bands.weight"].shape[1], len(added.conv0.weight)
    used = 2 * bands
    if maps < used:
        side = network.config.resolutions[-1 - block]
        raise BadInput(
            f"a discriminator of {bands} bands grows to {side} px with {used} feature maps there, twice the bands, or more; this "
            f"network has {maps}: a smaller resolution is needed, or another source"
        )
    factor = LRELU_GAIN * (1 + LRELU_SLOPE)
    pairs = torch.zeros(maps, bands)
    for band in range(bands):
        pairs[2 * band, band], pairs[2 * band + 1, band] = 1, -1

    second = own[f"blocks.{block}.conv0.weight"].clone()
    first = second[:, :bands, :1, :1].clone()  # maps beyond the pairs begin with any numbers
    first[:used] = pairs[:used, :, None, None] * math.sqrt(bands)  # EqualConv divides by √fan_in
    second[:used] = 0
    second[:used, :, 1, 1] = (pairs @ pairs.t())[:used] / factor / added.conv0.gain
    third = torch.zeros_like(own[f"blocks.{block}.conv1.weight"])
    before = weights["from_bands.weight"][:, :, 0, 0].float() / math.sqrt(bands)  # as the layer used it
    third[:, :, 1, 1] = before @ pairs.t() * (math.sqrt(2) / factor) / added.conv1.gain  # √2: the block divides by it

    shifted = {_shifted(name): value for name, value in weights.items()}
    prefix = "blocks.0."
    return shifted | {
        "from_bands.weight": first,
        "from_bands.bias": torch.zeros(maps),
        prefix + "conv0.weight": second,
        prefix + "conv0.bias": torch.zeros(maps),
        prefix + "conv1.weight": third,
        prefix + "conv1.bias": weights["from_bands.bias"] * math.sqrt(2),
        prefix + "skip.weight": torch.zeros_like(own[f"blocks.{block}.skip.weight"]),
    }


def _on_cpu(network: Generator | Discriminator) -> Weights:
    """The network's own weights, where those that are read from files are."""
    return {name: value.cpu() for name, value in network.state_dict().items()}


def _shifted(name: str) -> str:
    """The name of a layer when one more block stands before the first."""
    if not name.startswith("blocks."):
        return name
    number, _, rest = name.removeprefix("blocks.").partition(".")
    return f"blocks.{int(number) + 1}.{rest}"
