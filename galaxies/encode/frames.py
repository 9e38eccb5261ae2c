"""The display pictures of a product, one at a time, so that a film of thousands of frames never lies in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from galaxies.pixels import Picture, display
from galaxies.product import Product
from galaxies.requests import Interpolate


def native_size(product: Product) -> tuple[int, int]:
    """Width and height of the images as the network makes them."""
    return product.images.shape[3], product.images.shape[2]


def display_size(product: Product) -> int:
    """Side of every display picture in pixels."""
    return product.request.size or product.card.resolution


def picture(product: Product, index: int, size: int | None = None) -> Picture:
    """Image ``index`` as (size, size) or (size, size, 3) uint8; ``size`` default the request's."""
    request, card = product.request, product.card
    return display(product.image(index), card, request.stretch or card.stretch, size or display_size(product), request.resample)


def pictures(product: Product, indices: Sequence[int] | None = None) -> Iterator[Picture]:
    """The pictures of ``indices`` (default all) in turn."""
    for index in range(len(product.images)) if indices is None else indices:
        yield picture(product, index)


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` evenly spaced indices of 0 … count - 1, the first and the last among them."""
    return [int(i) for i in np.rint(np.linspace(0, count - 1, min(count, most)))]


def ticks(product: Product, per_second: int) -> list[int]:
    """How long each frame of a film is shown, in whole ticks of 1 / ``per_second`` s.

    A container that counts in ticks cannot hold every rate: 30 frames a second are 3⅓ centiseconds each. The rounding error is
    carried over, so that frame k ends within half a tick of where it should and the film as a whole keeps its length.
    """
    assert isinstance(product.request, Interpolate)
    fps = product.request.fps
    ends = [(2 * per_second * k + fps) // (2 * fps) for k in range(len(product.images) + 1)]
    return [after - before for before, after in pairwise(ends)]
