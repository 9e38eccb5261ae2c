"""What each operation takes, as keyword arguments, and how they become the JSON of the contract.

A latent is a seed (``42``) or a mapping as the contract has it: ``{"seed": 42, "class": "merger"}``, ``{"z": array}``,
``{"w": array}``, ``{"mean": True}``. A term is ``(weight, latent)`` or ``{"latent": …, "weight": …}``. What is not given is left
to the service, and the service checks the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from galaxies.requests import OPERATIONS
from galsynth.client.errors import WrongFormat

Latent = int | Mapping[str, Any]
Term = tuple[float, Latent] | Mapping[str, Any]


class Common(TypedDict, total=False):
    """Options of every operation.

    model : ``name`` (newest version) or ``name@version``; default the service's.
    truncation : ψ in [-2, 2]; default the card's.
    truncation_cutoff : only the first so many layers are truncated; default all.
    noise : ``"const"`` (default), ``"none"`` or ``{"seed": n}``, for `generate` also ``{"seed": n, "each": True}``.
    size : side of the display image in pixels, 16 … 2048; default the model's resolution. FITS keeps native pixels.
    resample : ``"lanczos"`` (default), ``"bicubic"`` or ``"nearest"``.
    stretch : ``{"kind": "asinh", …}``; how float bands become a display image; default the card's.
    score : True: how much of a galaxy each image shows, by the newest scorer that fits; or a scorer's ``name@version``.
    format : of `Order.result`; the other methods know what they need.
    """

    model: str
    truncation: float
    truncation_cutoff: int
    noise: str | Mapping[str, Any]
    size: int
    resample: Literal["lanczos", "bicubic", "nearest"]
    stretch: Mapping[str, Any]
    score: bool | str
    format: str


class GenerateOptions(Common, total=False):
    """Exactly one of ``seeds``, ``count``, ``latents``; ``class_`` beside seeds or count; ``columns`` of the contact sheet."""

    seeds: Sequence[int]
    count: int
    latents: Sequence[Latent]
    class_: str | Sequence[str]
    columns: int


class DatasetOptions(Common, total=False):
    """``class_`` of all galaxies."""

    class_: str


class InterpolateOptions(Common, total=False):
    """``frames`` (200), ``curve`` ``"linear"`` or ``"spherical"``, ``space`` ``"w"`` or ``"z"``, ``loop``, ``fps`` (25)."""

    path: Sequence[Latent]
    frames: int
    curve: Literal["linear", "spherical"]
    space: Literal["w", "z"]
    loop: bool
    fps: int


class MixOptions(Common, total=False):
    """``headers`` (True): the sources along the edges of the grid."""

    headers: bool


class ArithmeticOptions(Common, total=False):
    """``space`` ``"w"`` or ``"z"``; ``show_terms`` (False): the terms beside the result."""

    space: Literal["w", "z"]
    show_terms: bool


def body_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments → body: ``class_`` and ``from_`` lose their underscore, None is left out, arrays become lists."""
    return {name.removesuffix("_"): _plain(name, value) for name, value in options.items() if value is not None}


def latent_of(latent: Latent) -> dict[str, Any]:
    """A latent as the contract has it."""
    if isinstance(latent, Mapping):
        return {str(name).removesuffix("_"): _json(value) for name, value in latent.items()}
    return {"seed": _json(latent)}


def format_of(operation: str, path: str | Path) -> str:
    """The format that a file name asks for by its suffix.

    Raises
    ------
    WrongFormat : the operation has none of that name.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    suffix = "fits" if suffix in ("fit", "fts") else suffix
    allowed = formats(operation)
    if suffix not in allowed:
        what = f"suffix .{suffix}" if suffix else "no suffix"
        endings = ", ".join(f".{each}" for each in allowed)
        raise WrongFormat(f"{Path(path).name} has {what}; {operation} makes {endings}")
    return suffix


def check_suffix(format: str, path: Path) -> None:
    """Refuse a file name whose suffix is that of another format than the file's.

    Raises
    ------
    WrongFormat : it is.
    """
    endings = {"fits": (".fits", ".fit", ".fts")}.get(format, (f".{format}",))
    if path.suffix and path.suffix.lower() not in endings:
        raise WrongFormat(f"the result is {format}, and {path.name} is no name for it: use {' or '.join(endings)}")


def formats(operation: str) -> tuple[str, ...]:
    """The formats of an operation, its default first."""
    return next((tuple(model.formats) for name, model in OPERATIONS.items() if name == operation), ())


def _plain(name: str, value: Any) -> Any:
    if name in ("latents", "rows", "columns", "path") and not isinstance(value, int | np.integer):
        return [latent_of(latent) for latent in value]
    if name in ("from_", "to"):
        return latent_of(value)
    if name == "terms":
        return [_term(term) for term in value]
    return _json(value)


def _term(term: Term) -> dict[str, Any]:
    if isinstance(term, Mapping):
        return {**{name: _json(value) for name, value in term.items()}, "latent": latent_of(term["latent"])}
    weight, latent = term
    return {"weight": _json(weight), "latent": latent_of(latent)}


def _json(value: Any) -> Any:
    """NumPy's arrays and numbers, ranges and tuples as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(each) for each in value]
    return value


__all__ = [
    "ArithmeticOptions",
    "DatasetOptions",
    "GenerateOptions",
    "InterpolateOptions",
    "Latent",
    "MixOptions",
    "Term",
    "body_of",
    "format_of",
    "formats",
    "latent_of",
]
