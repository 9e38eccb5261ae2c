"""Cards: what an exported generator or scorer is and can do. Frozen data, the same document on disk and over HTTP."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, model_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION_PATTERN = r"^[0-9a-z][0-9a-z._-]{0,31}$"

Operation = Literal["generate", "interpolate", "mix", "arithmetic"]
Role = Literal["mapping", "synthesis", "generator", "buffers", "samples", "report_html", "report_json", "scorer"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CardFile(_Frozen):
    """One file of a version: digest, size and what it is for."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    role: Role


class Band(_Frozen):
    """One image band. ``unit``, ``zero_point`` (AB mag) and ``wavelength_um`` are null where not known."""

    name: str
    unit: str | None = None
    zero_point: float | None = None
    wavelength_um: float | None = None


class GalaxyClass(_Frozen):
    """A class that the model was trained with and its count in the training set."""

    name: str
    count: int = Field(ge=0)


class LinearNormalisation(_Frozen):
    """Physical value = low + (x + 1) / 2 · (high - low) for network output x, per band."""

    kind: Literal["linear"] = "linear"
    low: list[float]
    high: list[float]


class AsinhNormalisation(_Frozen):
    """Physical value = scale · sinh(low + (x + 1) / 2 · (high - low)) for network output x, per band."""

    kind: Literal["asinh"] = "asinh"
    scale: list[float]
    low: list[float]
    high: list[float]


Normalisation = Annotated[LinearNormalisation | AsinhNormalisation, Field(discriminator="kind")]


class IdentityStretch(_Frozen):
    """Values are display levels already; only for display-trained models."""

    kind: Literal["identity"] = "identity"


class _Limits(_Frozen):
    minimum: StrictFloat | None = None
    maximum: StrictFloat | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is not below maximum {self.maximum:g}")
        return self


class LinearStretch(_Limits):
    """``minimum`` … ``maximum`` become black … white; null takes the 0.5 and 99.5 percentiles of the image."""

    kind: Literal["linear"] = "linear"


class AsinhStretch(_Limits):
    """asinh((v - minimum) / (a · (maximum - minimum))) / asinh(1 / a); null limits are percentiles as in `LinearStretch`."""

    kind: Literal["asinh"] = "asinh"
    a: StrictFloat = Field(default=0.1, gt=0, le=1)


class LuptonStretch(_Frozen):
    """Lupton et al. (2004) colour image from three bands (reddest first in the picture): ``stretch`` and ``q``."""

    kind: Literal["lupton"] = "lupton"
    minimum: StrictFloat = 0.0
    stretch: StrictFloat = Field(default=5.0, gt=0)
    q: StrictFloat = Field(default=8.0, gt=0, le=1000)


Stretch = Annotated[IdentityStretch | LinearStretch | AsinhStretch | LuptonStretch, Field(discriminator="kind")]

LOWEST_SCORE, BEST_SCORE = 0.0, 8.0


class Card(_Frozen):
    """What every published version says of itself."""

    format: str
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(pattern=VERSION_PATTERN)
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")
    title: str
    description: str
    created: datetime
    licence: str
    files: dict[str, CardFile]
    training: dict[str, Any]
    metrics: dict[str, Any] = {}
    parity: dict[str, Any] = {}

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    def file(self, role: Role) -> str | None:
        """Path of the first file with ``role``, or None."""
        return next((path for path, entry in self.files.items() if entry.role == role), None)

    def compute_digest(self) -> str:
        """``sha256:<hex>`` of the card without its digest; files enter by their own digests, so this names the whole version."""
        text = json.dumps(self.model_dump(mode="json", exclude={"digest"}), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class ScorerCard(Card):
    """What a scorer is: an ensemble that says how much of a galaxy an image shows, `LOWEST_SCORE` to `BEST_SCORE`.

    Attributes
    ----------
    side : of the images that it sees, in pixels.
    bands, normalisation, display : of the images that it was trained on. It sees the mean of their bands; other models' fluxes
        are brought to its constants first. See `galaxies.scores`.
    members : networks of the ensemble; the score is their mean, the spread their standard deviation.
    meaning : what the score measures, in a sentence or two.
    """

    format: Literal["galaxy-scorer/1"] = "galaxy-scorer/1"
    kind: Literal["scorer"] = "scorer"
    side: int = Field(ge=8, le=4096)
    bands: list[Band] = Field(min_length=1)
    normalisation: Normalisation
    display: bool
    members: int = Field(ge=1, le=64)
    meaning: str

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_constants(self.normalisation, self.bands)
        return self


class ModelCard(Card):
    """What a model version is. ``w_dim`` and ``num_ws`` are null for models without w; ``noise_size`` 0 means no noise input."""

    format: Literal["galaxy-model/1"] = "galaxy-model/1"
    architecture: str
    preset: str
    resolution: int = Field(ge=4, le=4096)
    bands: list[Band] = Field(min_length=1)
    pixel_scale_arcsec: float | None = Field(default=None, gt=0)
    normalisation: Normalisation
    stretch: Stretch
    display: bool
    z_dim: int = Field(ge=1, le=8192)
    w_dim: int | None = Field(default=None, ge=1, le=8192)
    num_ws: int | None = Field(default=None, ge=1, le=64)
    noise_size: int = Field(default=0, ge=0)
    layers: dict[str, list[int]] = {}
    classes: list[GalaxyClass] = []
    truncation: float = Field(default=0.7, ge=-2, le=2)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_constants(self.normalisation, self.bands)
        if (self.w_dim is None) != (self.num_ws is None):
            raise ValueError(f"w_dim {self.w_dim} and num_ws {self.num_ws}: a style model has both, another model neither")
        if self.classes and not self.has_w:
            raise ValueError("classes enter through a mapping network, and this model has none")
        for name, layers in self.layers.items():
            if any(not 0 <= layer < (self.num_ws or 0) for layer in layers):
                raise ValueError(f"layers.{name} {layers} leaves 0..{(self.num_ws or 0) - 1}")
        if self.classes and not sum(c.count for c in self.classes):
            raise ValueError("the classes have no images: their counts are all 0")
        return self

    @property
    def has_w(self) -> bool:
        """Whether the model has a mapping network, and so a w space and styles."""
        return self.w_dim is not None and self.num_ws is not None

    @property
    def operations(self) -> list[Operation]:
        """What the service can do with this model."""
        base: list[Operation] = ["generate", "interpolate", "arithmetic"]
        return ["generate", "interpolate", "mix", "arithmetic"] if self.has_w and (self.num_ws or 0) > 1 else base

    def class_names(self) -> list[str]:
        """Names of the classes in the order of the network's one-hot input."""
        return [c.name for c in self.classes]


def _check_constants(normalisation: LinearNormalisation | AsinhNormalisation, bands: list[Band]) -> None:
    for name, values in normalisation:
        if isinstance(values, list) and len(values) != len(bands):
            raise ValueError(f"normalisation.{name} has {len(values)} values for {len(bands)} bands")
