"""Cards: what an exported generator or scorer is and can do. Frozen data, the same document on disk and over HTTP."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, model_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION_PATTERN = r"^[0-9a-z][0-9a-z._-]{0,31}$"

KIND_SAID = "names the kind"
Operation = Literal["generate", "interpolate", "mix", "arithmetic"]
Role = Literal["mapping", "synthesis", "generator", "buffers", "samples", "report_html", "report_json", "discriminator", "scorer"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CardFile(_Frozen):
    """One file of a version: digest, size and what it is for."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of its bytes, in hexadecimal")
    bytes: int = Field(ge=0, description="its size")
    role: Role = Field(description="what it is for")


class Band(_Frozen):
    """One image band; what is not known of it is null."""

    name: str = Field(description="such as `r` or `F150W`")
    unit: str | None = Field(default=None, description="of its values, as FITS has it")
    zero_point: float | None = Field(default=None, description="AB magnitude of one unit")
    wavelength_um: float | None = Field(default=None, description="central wavelength in µm")


class GalaxyClass(_Frozen):
    """A class that the model was trained with and its count in the training set."""

    name: str = Field(description="as `class` of a request takes it")
    count: int = Field(ge=0, description="its images in the training set")


class LinearNormalisation(_Frozen):
    """Physical value = low + (x + 1) / 2 · (high - low) for network output x, per band."""

    kind: Literal["linear"] = Field(default="linear", description=KIND_SAID)
    low: list[float] = Field(description="the value of -1, for each band")
    high: list[float] = Field(description="the value of 1, for each band")


class AsinhNormalisation(_Frozen):
    """Physical value = scale · sinh(low + (x + 1) / 2 · (high - low)) for network output x, per band."""

    kind: Literal["asinh"] = Field(default="asinh", description=KIND_SAID)
    scale: list[float] = Field(description="up to about this value it is linear, for each band")
    low: list[float] = Field(description="asinh(value / scale) of -1, for each band")
    high: list[float] = Field(description="asinh(value / scale) of 1, for each band")


Normalisation = Annotated[LinearNormalisation | AsinhNormalisation, Field(discriminator="kind")]


class IdentityStretch(_Frozen):
    """Values are display levels already; only for display-trained models."""

    kind: Literal["identity"] = Field(default="identity", description=KIND_SAID)


class _Limits(_Frozen):
    minimum: StrictFloat | None = Field(default=None, description="value that becomes black; default the image's 0.5 percentile")
    maximum: StrictFloat | None = Field(default=None, description="value that becomes white; default the image's 99.5 percentile")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is not below maximum {self.maximum:g}")
        return self


class LinearStretch(_Limits):
    """``minimum`` … ``maximum`` become black … white; null takes the 0.5 and 99.5 percentiles of the image."""

    kind: Literal["linear"] = Field(default="linear", description=KIND_SAID)


class AsinhStretch(_Limits):
    """asinh((v - minimum) / (a · (maximum - minimum))) / asinh(1 / a); null limits are percentiles as in `LinearStretch`."""

    kind: Literal["asinh"] = Field(default="asinh", description=KIND_SAID)
    a: StrictFloat = Field(default=0.1, gt=0, le=1, description="the smaller, the more of the faint is seen")


class LuptonStretch(_Frozen):
    """Lupton et al. (2004) colour image from three bands, reddest first in the picture."""

    kind: Literal["lupton"] = Field(default="lupton", description=KIND_SAID)
    minimum: StrictFloat = Field(default=0.0, description="value that becomes black")
    stretch: StrictFloat = Field(default=5.0, gt=0, description="width of the range that is shown about linearly")
    q: StrictFloat = Field(default=8.0, gt=0, le=1000, description="softening: the larger, the more of the bright is compressed")


Stretch = Annotated[IdentityStretch | LinearStretch | AsinhStretch | LuptonStretch, Field(discriminator="kind")]

LOWEST_SCORE, BEST_SCORE = 0.0, 8.0


class Card(_Frozen):
    """What every published version says of itself."""

    format: str
    name: str = Field(pattern=NAME_PATTERN, description="as `model` of a request takes it")
    version: str = Field(pattern=VERSION_PATTERN, description="what it holds never changes once it is published")
    digest: str = Field(
        default="", pattern=r"^(sha256:[0-9a-f]{64})?$", description="of this card with the digests of its files: it names it all"
    )
    title: str = Field(description="one line for people")
    description: str = Field(description="what it makes, and from what")
    created: datetime = Field(description="when it was exported")
    licence: str = Field(description="of the weights")
    files: dict[str, CardFile] = Field(description="by their paths within the version")
    training: dict[str, Any] = Field(description="data set with its digest and credits, images seen, time, device, software")
    metrics: dict[str, Any] = Field(default={}, description="what evaluation measured, each beside its number of images")
    parity: dict[str, Any] = Field(default={}, description="greatest difference between ONNX Runtime and torch")

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
        are brought to its constants first. See `galaxies.seen`.
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
    """What a model version is."""

    format: Literal["galaxy-model/1"] = Field(default="galaxy-model/1", description="form of this document")
    architecture: str = Field(description="of the networks, such as `stylegan2`")
    preset: str = Field(description="training configuration that it began from")
    resolution: int = Field(ge=4, le=4096, description="side of the native images in pixels")
    bands: list[Band] = Field(min_length=1, description="in the order of arrays and FITS extensions")
    pixel_scale_arcsec: float | None = Field(default=None, gt=0, description="of native pixels; null where not known")
    normalisation: Normalisation = Field(description="network output → physical values, invertible")
    stretch: Stretch = Field(description="how images are shown where a request does not say")
    display: bool = Field(description="trained on display images, not on fluxes")
    z_dim: int = Field(ge=1, le=8192, description="numbers of a z")
    w_dim: int | None = Field(default=None, ge=1, le=8192, description="numbers of a w; null for models without w")
    num_ws: int | None = Field(default=None, ge=1, le=64, description="style layers, each with a w; null for models without w")
    noise_size: int = Field(default=0, ge=0, description="numbers of the noise input; 0: there is none")
    layers: dict[str, list[int]] = Field(default={}, description="what `coarse`, `middle` and `fine` of a mix mean")
    classes: list[GalaxyClass] = Field(default=[], description="in the order of the network's input; empty without classes")
    truncation: float = Field(default=0.7, ge=-2, le=2, description="ψ where a request does not say")

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
