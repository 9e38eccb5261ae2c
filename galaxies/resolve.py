"""Checks a request against a card and fills in everything that it leaves open."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from galaxies.cards import ModelCard, ScorerCard
from galaxies.errors import BadInput, Unsupported
from galaxies.latents import class_from_seed
from galaxies.requests import (
    MAX_FRAMES,
    Arithmetic,
    Format,
    Generate,
    Interpolate,
    Latent,
    Mix,
    NoiseSeed,
    image_count,
    latents_of,
)

AnyRequest = Generate | Interpolate | Mix | Arithmetic


@dataclass(frozen=True)
class Limits:
    """What one request may ask for. ``pixels``: see `pixel_count`; a sheet is a picture that holds several galaxies."""

    images: int = 10_000
    pixels: int = 600_000_000
    sheet_pixels: int = 64_000_000
    frames: int = MAX_FRAMES


def check(request: AnyRequest, card: ModelCard, limits: Limits) -> None:
    """Refuse what ``card`` cannot do or ``limits`` forbid.

    Raises
    ------
    Unsupported : the model lacks what the request needs (w space, noise, classes, an operation).
    BadInput : a value does not fit the model (latent length, class, layer) or a limit is passed. ``field`` is a JSON pointer.
    """
    if request.operation not in card.operations:
        raise Unsupported(f"model {card.reference} has no style layers to mix; choose a style model", field="/model")
    for pointer, latent in latents_of(request):
        _check_latent(pointer, latent, card)
    if isinstance(request, Generate):
        names = [request.class_] if isinstance(request.class_, str) else request.class_ or []
        for name in names:
            _check_class("/class", name, card)
    if isinstance(request, Mix):
        _check_layers(request, card)
    if isinstance(request, Interpolate | Arithmetic):
        _check_space(request, card)
    if request.truncation_cutoff is not None:
        _check_cutoff(request.truncation_cutoff, card)
    if request.noise != "const" and not card.noise_size:
        raise Unsupported(f'model {card.reference} has no noise input; leave noise at "const"', field="/noise")
    if isinstance(request.noise, NoiseSeed) and request.noise.each:
        _check_each(request)
    _check_stretch(request, card)
    _check_limits(request, card, limits)


def resolve(
    request: AnyRequest, card: ModelCard, format_: Format, draw_seed: Callable[[], int], scorer: ScorerCard | None = None
) -> AnyRequest:
    """The request with model version, seeds, classes, truncation, size, stretch, space, format and scorer filled in.

    ``format_`` is the format to use where the request names none; ``draw_seed`` gives a fresh seed for each galaxy of a
    ``count``; ``scorer`` judges the images where scores are wanted. The request must have passed `check`.
    """
    fill: dict[str, Any] = {
        "model": card.reference,
        "truncation": card.truncation if request.truncation is None else request.truncation,
        "size": request.size or card.resolution,
        "stretch": request.stretch or card.stretch,
        "format": request.format or format_,
        "score": scorer.reference if scorer else None,
    }
    if card.has_w and request.truncation_cutoff is None:
        fill["truncation_cutoff"] = card.num_ws
    if isinstance(request, Generate):
        fill |= _resolve_generate(request, card, draw_seed)
    elif isinstance(request, Interpolate):
        fill["space"] = request.space or ("w" if card.has_w else "z")
        if request.path is not None:
            fill["path"] = [with_class(latent, card) for latent in request.path]
        else:
            fill |= {"from_": with_class(request.stops[0][1], card), "to": with_class(request.stops[1][1], card)}
    elif isinstance(request, Mix):
        fill |= {name: [with_class(latent, card) for latent in getattr(request, name)] for name in ("rows", "columns")}
        fill["layers"] = mix_layers(request, card)
    else:
        fill["space"] = request.space or ("w" if card.has_w else "z")
        fill["terms"] = [t.model_copy(update={"latent": with_class(t.latent, card)}) for t in request.terms]
    return request.model_copy(update=fill)


def pixel_count(request: AnyRequest, card: ModelCard) -> int:
    """Pixels of all images of ``request``, each as the network makes it or as it is shown, whichever is larger.

    FITS and npz show none.
    """
    return image_count(request) * _side(request, card) ** 2


def mix_layers(request: Mix, card: ModelCard) -> list[int]:
    """The layers of a mix as indices."""
    return list(card.layers[request.layers]) if isinstance(request.layers, str) else request.layers


def with_class(latent: Latent, card: ModelCard) -> Latent:
    """``latent`` with the class that its seed or z draws, where the model has classes and none is given."""
    if not card.classes or latent.class_ is not None or (latent.seed is None and latent.z is None):
        return latent
    seed = latent.seed if latent.seed is not None else _seed_of_z(latent.z or [])
    index = class_from_seed(seed, [c.count for c in card.classes])
    return latent.model_copy(update={"class_": card.classes[index].name})


def galaxies_of(request: Generate) -> list[Latent]:
    """The latents of a resolved `Generate`, one a galaxy."""
    if request.latents is not None:
        return request.latents
    seeds = request.seeds or []
    classes = request.class_ if isinstance(request.class_, list) else [request.class_] * len(seeds)
    return [Latent.model_validate({"seed": seed, "class": name}) for seed, name in zip(seeds, classes, strict=True)]


def _resolve_generate(request: Generate, card: ModelCard, draw_seed: Callable[[], int]) -> dict[str, Any]:
    if request.latents is not None:
        return {"latents": [with_class(latent, card) for latent in request.latents]}
    seeds = request.seeds if request.seeds is not None else [draw_seed() for _ in range(request.count or 0)]
    fill: dict[str, Any] = {"seeds": seeds, "count": None}
    if card.classes and request.class_ is None:
        names = [with_class(Latent(seed=seed), card).class_ for seed in seeds]
        fill["class_"] = names[0] if len(set(names)) == 1 else names
    return fill


def _seed_of_z(z: list[float]) -> int:
    """A seed that depends on nothing but z, so that its class is drawn the same way every time."""
    digest = hashlib.sha256(np.asarray(z, dtype="<f4").tobytes()).digest()
    return int.from_bytes(digest[:4], "big")


def _check_latent(pointer: str, latent: Latent, card: ModelCard) -> None:
    if latent.z is not None and len(latent.z) != card.z_dim:
        raise BadInput(f"z has {len(latent.z)} numbers; model {card.reference} needs {card.z_dim}", field=f"{pointer}/z")
    if latent.w is not None:
        if not card.has_w:
            raise Unsupported(f"model {card.reference} has no w space; give a seed or z", field=f"{pointer}/w")
        _check_w(f"{pointer}/w", latent.w, card)
    if latent.class_ is not None:
        _check_class(f"{pointer}/class", latent.class_, card)


def _check_w(pointer: str, w: list[float] | list[list[float]], card: ModelCard) -> None:
    rows = [row for row in w if isinstance(row, list)]
    if not rows:
        if len(w) != card.w_dim:
            raise BadInput(f"w has {len(w)} numbers; model {card.reference} needs {card.w_dim}", field=pointer)
        return
    if len(rows) != card.num_ws or any(len(row) != card.w_dim for row in rows):
        found = " + ".join(str(len(row)) for row in rows[:4])
        raise BadInput(
            f"w has {len(rows)} rows of {found} numbers; model {card.reference} needs {card.num_ws} rows of {card.w_dim}",
            field=pointer,
        )


def _check_class(pointer: str, name: str, card: ModelCard) -> None:
    if not card.classes:
        raise Unsupported(f"model {card.reference} was trained without classes; leave class out", field=pointer)
    if name not in card.class_names():
        allowed = ", ".join(card.class_names())
        raise BadInput(f"class {name!r} is unknown to model {card.reference}; it has {allowed}", field=pointer)


def _check_layers(request: Mix, card: ModelCard) -> None:
    last = (card.num_ws or 0) - 1
    if isinstance(request.layers, str):
        if request.layers not in card.layers:
            raise Unsupported(
                f"model {card.reference} defines no {request.layers} layers; list indices 0..{last}", field="/layers"
            )
        return
    for i, layer in enumerate(request.layers):
        if layer > last:
            raise BadInput(f"layer {layer} is outside 0..{last} of model {card.reference}", field=f"/layers/{i}")


def _check_space(request: Interpolate | Arithmetic, card: ModelCard) -> None:
    if request.space == "w" and not card.has_w:
        raise Unsupported(f"model {card.reference} has no w space; use space z", field="/space")
    if request.space == "z":
        for pointer, latent in latents_of(request):
            if latent.w is not None:
                raise BadInput("a latent given as w cannot be used in space z; use space w", field=f"{pointer}/w")
            if latent.mean and card.has_w:
                raise BadInput("the mean is a point of w; use space w", field=f"{pointer}/mean")


def _check_cutoff(cutoff: int, card: ModelCard) -> None:
    if not card.has_w:
        raise Unsupported(
            f"model {card.reference} has no layers to cut off; leave truncation_cutoff out", field="/truncation_cutoff"
        )
    if cutoff > (card.num_ws or 0):
        raise BadInput(
            f"truncation_cutoff {cutoff} is outside 0..{card.num_ws} of model {card.reference}", field="/truncation_cutoff"
        )


def _check_each(request: AnyRequest) -> None:
    if not isinstance(request, Generate):
        raise BadInput(f"noise for each galaxy is for generate; {request.operation} needs one for all", field="/noise/each")
    for pointer, latent in latents_of(request):
        if latent.seed is None:
            raise BadInput("noise for each galaxy is drawn from its seed, and this latent has none", field=pointer)


def _check_stretch(request: AnyRequest, card: ModelCard) -> None:
    kind = request.stretch.kind if request.stretch else card.stretch.kind
    if card.display and kind != "identity":
        raise Unsupported(
            f'model {card.reference} was trained on display images, which are stretched already; use {{"kind": "identity"}}',
            field="/stretch/kind",
        )
    if not card.display and kind == "identity":
        raise Unsupported(f"model {card.reference} makes fluxes; use a linear, asinh or lupton stretch", field="/stretch/kind")
    if kind == "lupton" and len(card.bands) != 3:
        raise Unsupported(f"a lupton stretch needs 3 bands; model {card.reference} has {len(card.bands)}", field="/stretch/kind")


def _counted(request: AnyRequest) -> str:
    """Pointer of the field that says how many galaxies are made."""
    if isinstance(request, Generate):
        return next(f"/{name}" for name in ("seeds", "count", "latents") if getattr(request, name) is not None)
    return {"interpolate": "/frames", "mix": "/rows", "arithmetic": "/terms"}[request.operation]


def _side(request: AnyRequest, card: ModelCard) -> int:
    return card.resolution if request.format in ("fits", "npz") else max(request.size or 0, card.resolution)


def _check_limits(request: AnyRequest, card: ModelCard, limits: Limits) -> None:
    images, side = image_count(request), request.size or card.resolution
    if images > limits.images:
        message = f"{images} galaxies are asked for; at most {limits.images} are allowed in one request"
        raise BadInput(message, field=_counted(request))
    if isinstance(request, Interpolate) and request.frames > limits.frames:
        raise BadInput(f"{request.frames} frames are asked for; at most {limits.frames} are allowed", field="/frames")
    made, pixels = _side(request, card), pixel_count(request, card)
    if pixels > limits.pixels:
        raise BadInput(
            f"{images} images of {made} × {made} pixels are {pixels:,} pixels; at most {limits.pixels:,} are allowed: "
            f"ask for fewer{' or smaller' if made > card.resolution else ''} images",
            field="/size" if made > card.resolution else _counted(request),
        )
    if isinstance(request, Generate) and request.format in (None, "png"):
        columns = min(request.columns or math.ceil(math.sqrt(images)), images)
        cells = columns * math.ceil(images / columns)
    elif isinstance(request, Mix) and request.format in (None, "png"):
        cells = (len(request.rows) + request.headers) * (len(request.columns) + request.headers)
    elif isinstance(request, Arithmetic) and request.format in (None, "png"):
        cells = images
    else:
        return
    if cells * side * side > limits.sheet_pixels:
        raise BadInput(
            f"a sheet of {cells} cells of {side} × {side} pixels is over {limits.sheet_pixels} pixels; "
            "ask for fewer or smaller galaxies, or for zip",
            field="/size",
        )
