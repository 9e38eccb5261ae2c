"""Cards, requests, products and named hypothesis strategies that every test may use. Nothing here needs a network or a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from galaxies.cards import ModelCard, ScorerCard
from galaxies.latents import z_from_seed
from galaxies.product import Product, image_names, image_seeds
from galaxies.requests import MAX_SEED, REQUEST, Arithmetic, Format, Generate, Interpolate, Mix
from galaxies.resolve import resolve

AnyRequest = Generate | Interpolate | Mix | Arithmetic

CREATED = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)

_COMMON: dict[str, Any] = {
    "version": "1.0",
    "description": "made by a test",
    "preset": "test",
    "created": "2026-01-01T00:00:00Z",
    "licence": "MIT",
    "files": {},
    "training": {"data": "none"},
}
_RGB = [{"name": "R"}, {"name": "G"}, {"name": "B"}]
_LEVELS = {"kind": "linear", "low": [0.0, 0.0, 0.0], "high": [255.0, 255.0, 255.0]}


def _card(base: dict[str, Any], changes: dict[str, Any]) -> ModelCard:
    card = ModelCard.model_validate(_COMMON | base | changes)
    return card.model_copy(update={"digest": card.compute_digest()})


def style_card(**changes: Any) -> ModelCard:
    """A display-trained RGB style model, 64 pixels, 10 layers, two classes; ``changes`` replace fields."""
    base: dict[str, Any] = {
        "name": "test-style",
        "title": "Style model",
        "architecture": "stylegan2",
        "resolution": 64,
        "bands": _RGB,
        "normalisation": _LEVELS,
        "stretch": {"kind": "identity"},
        "display": True,
        "z_dim": 16,
        "w_dim": 8,
        "num_ws": 10,
        "noise_size": 32,
        "layers": {"coarse": [0, 1, 2, 3], "middle": [4, 5, 6], "fine": [7, 8, 9]},
        "classes": [{"name": "spiral", "count": 30}, {"name": "merger", "count": 10}],
    }
    return _card(base, changes)


def z_card(**changes: Any) -> ModelCard:
    """A display-trained RGB model with neither w nor classes nor noise, 32 pixels; ``changes`` replace fields."""
    base: dict[str, Any] = {
        "name": "test-z",
        "title": "Model without w",
        "architecture": "dcgan",
        "resolution": 32,
        "bands": _RGB,
        "normalisation": _LEVELS,
        "stretch": {"kind": "identity"},
        "display": True,
        "z_dim": 16,
        "truncation": 1.0,
    }
    return _card(base, changes)


def flux_card(**changes: Any) -> ModelCard:
    """A model of fluxes: asinh normalisation, three bands with units, zero points and wavelengths, a pixel scale, no w."""
    base: dict[str, Any] = {
        "name": "test-flux",
        "title": "Flux model",
        "architecture": "dcgan",
        "resolution": 32,
        "bands": [
            {"name": "F150W", "unit": "MJy/sr", "zero_point": 28.1, "wavelength_um": 1.5},
            {"name": "F277W", "unit": "MJy/sr", "zero_point": 26.5, "wavelength_um": 2.77},
            {"name": "F444W", "unit": "MJy/sr", "zero_point": 26.3, "wavelength_um": 4.44},
        ],
        "pixel_scale_arcsec": 0.03,
        "normalisation": {"kind": "asinh", "scale": [0.1, 0.2, 0.3], "low": [-1.0, -1.0, -1.0], "high": [4.0, 4.5, 5.0]},
        "stretch": {"kind": "asinh"},
        "display": False,
        "z_dim": 16,
    }
    return _card(base, changes)


def resolved(card: ModelCard, body: dict[str, Any], scorer: ScorerCard | None = None) -> AnyRequest:
    """The resolved request of a JSON ``body`` (``operation`` and ``format`` included); open seeds are 0, 1, 2, …"""
    request = REQUEST.validate_python(body)
    seeds = iter(range(MAX_SEED))
    format_: Format = request.format or request.formats[0]
    return resolve(request, card, format_, lambda: next(seeds), scorer)


def generate_body(seeds: list[int], format_: str = "png", **more: Any) -> dict[str, Any]:
    return {"operation": "generate", "seeds": seeds, "format": format_, **more}


def interpolate_body(frames: int, format_: str = "gif", **more: Any) -> dict[str, Any]:
    return {"operation": "interpolate", "from": {"seed": 1}, "to": {"seed": 2}, "frames": frames, "format": format_, **more}


def mix_body(rows: int, columns: int, format_: str = "png", **more: Any) -> dict[str, Any]:
    sources = [[{"seed": base + i} for i in range(count)] for base, count in ((100, rows), (200, columns))]
    return {"operation": "mix", "rows": sources[0], "columns": sources[1], "layers": [0, 1], "format": format_, **more}


def arithmetic_body(weights: list[float], format_: str = "png", **more: Any) -> dict[str, Any]:
    terms = [{"latent": {"seed": 10 + i}, "weight": weight} for i, weight in enumerate(weights)]
    return {"operation": "arithmetic", "terms": terms, "format": format_, **more}


def product(card: ModelCard, body: dict[str, Any], images: np.ndarray | None = None) -> Product:
    """A finished job: ``images`` (default smooth blobs that differ from each other) and latents of the right shapes."""
    request = resolved(card, body)
    count = len(image_names(request))
    seeds = [seed if seed is not None else 1000 + i for i, (seed, _) in enumerate(image_seeds(request))]
    z = np.stack([z_from_seed(seed, card.z_dim) for seed in seeds])
    w = np.stack([z_from_seed(seed, (card.num_ws or 0) * (card.w_dim or 0)) for seed in seeds]) if card.has_w else None
    return Product(
        request=request,
        card=card,
        images=blobs(count, card) if images is None else images,
        z=z,
        w=None if w is None else w.reshape(count, card.num_ws or 0, card.w_dim or 0),
    )


def blobs(count: int, card: ModelCard) -> np.ndarray:
    """(count, bands, side, side) float32 in -1 … 1: off-centre Gaussians, another one for every image."""
    side, bands = card.resolution, len(card.bands)
    y, x = np.mgrid[:side, :side] / side
    shift = 0.3 * np.arange(count)[:, None, None, None] / max(count - 1, 1)
    width = 0.02 * (1 + np.arange(bands))[None, :, None, None]
    light = np.exp(-(((x - 0.3 - shift) ** 2 + (y - 0.35) ** 2) / width))
    return np.asarray(2 * light - 1, dtype=np.float32)


def seeds() -> st.SearchStrategy[int]:
    """Every seed that the service takes."""
    return st.integers(0, MAX_SEED)


def latents(shape: tuple[int, ...] = (4, 16), limit: float = 100.0) -> st.SearchStrategy[np.ndarray]:
    """Finite float32 latents of one shape."""
    return hnp.arrays(np.float32, shape, elements=st.floats(-limit, limit, width=32))


def network_images(shape: tuple[int, ...] = (3, 8, 8)) -> st.SearchStrategy[np.ndarray]:
    """Network output: mostly in -1 … 1, at times beyond."""
    return hnp.arrays(np.float32, shape, elements=st.floats(-1.5, 1.5, width=32))


def wild_images(shape: tuple[int, ...] = (3, 8, 8)) -> st.SearchStrategy[np.ndarray]:
    """Any float32, NaN and infinities among them."""
    return hnp.arrays(np.float32, shape, elements=st.floats(width=32))


def unicode_names() -> st.SearchStrategy[str]:
    """Names that people give: any characters, quotes and blanks too."""
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90)
