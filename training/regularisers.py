"""Path-length regularisation of a style generator (Karras et al. 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DECAY = 0.01


def path_lengths(images: Tensor, ws: Tensor, directions: Tensor) -> Tensor:
    """Lengths (N,) of the gradient of ``images · directions`` with respect to the styles.

    Parameters
    ----------
    images : (N, bands, H, W), computed from ``ws`` (N, num_ws, w_dim).
    directions : unit normal, of the images' shape; divided here by the square root of their pixels.
    """
    scale = 1.0 / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * directions).sum() * scale, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """Mean squared distance of ``lengths`` (N,) from their running ``mean``."""
    return (lengths - mean).square().mean()
