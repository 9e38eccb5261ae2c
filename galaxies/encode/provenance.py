"""What every result says about itself: the request that gives the same pixels again and the model version that made them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from galaxies.cards import ModelCard
from galaxies.product import Product
from galaxies.requests import Arithmetic, Generate, Interpolate, Mix, to_wire
from galaxies.resolve import galaxies_of

LONGEST_NOTE = 16_384
"""Characters of a request that every picture of a ZIP repeats."""


def provenance(product: Product) -> dict[str, Any]:
    """``{"request": the resolved request, "model": {"name", "version", "digest"}}`` as JSON values."""
    return _document(product.request, product.card)


def provenance_text(product: Product) -> str:
    """`provenance` as one line of ASCII JSON, so that every container can hold it."""
    return _text(provenance(product))


def notes(product: Product) -> Iterator[str | None]:
    """What each picture of a ZIP says about itself, as `provenance_text` has it.

    A generated galaxy carries the request of that one galaxy: ten thousand copies of ten thousand seeds would be a gigabyte.
    Frames, cells and terms carry the whole request; one over `LONGEST_NOTE` (latents written out) is left to ``request.json``.
    """
    request, card = product.request, product.card
    if isinstance(request, Generate):
        nothing = {"seeds": None, "count": None, "class_": None, "columns": None}
        for latent in galaxies_of(request):
            one = request.model_copy(update={**nothing, "latents": [latent], "format": "png"})
            yield _text(_document(one, card))
    else:
        whole = provenance_text(product)
        yield from repeat(whole if len(whole) <= LONGEST_NOTE else None, len(product.images))


def _document(request: Generate | Interpolate | Mix | Arithmetic, card: ModelCard) -> dict[str, Any]:
    model = {"name": card.name, "version": card.version, "digest": card.digest}
    return {"request": to_wire(request), "model": model}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False)
