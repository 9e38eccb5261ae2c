"""The four operations as data: Generate | Interpolate | Mix | Arithmetic, one discriminated union.

A request as it comes in may leave things open (model version, seeds, classes, size, format). `galaxies.resolve.resolve` fills
every one of them in; a resolved request, sent again, gives the same pixels.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from galaxies.cards import Operation, Stretch

MAX_SEED = 2**32 - 1
MAX_GALAXIES = 10_000
MAX_FRAMES = 2000
MAX_TERMS = 64
MAX_WEIGHT = 1e3
MAX_LATENT_VALUE = 1e4
MAX_NUMBERS = 8192
"""Of one row of a latent."""
MAX_LAYERS = 64
MAX_CLASS = 200

MODEL_SAID = "`name` (newest version) or `name@version`; default the service's"
OPERATION_SAID = "may be left out: the address says it"
FORMAT_SAID = "default from `Accept`, else the first of these"
Format = Literal["png", "fits", "zip", "npz", "gif", "webp", "mp4"]

MEDIA_TYPES: dict[str, str] = {
    "png": "image/png",
    "fits": "application/fits",
    "zip": "application/zip",
    "npz": "application/x-npz",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp4": "video/mp4",
}


Seed = Annotated[StrictInt, Field(ge=0, le=MAX_SEED)]
LatentValue = Annotated[StrictFloat, Field(ge=-MAX_LATENT_VALUE, le=MAX_LATENT_VALUE)]
Layer = Annotated[StrictInt, Field(ge=0)]
Numbers = Annotated[list[LatentValue], Field(min_length=1, max_length=MAX_NUMBERS, fail_fast=True)]
"""The first wrong number ends the reading: a body of millions of them would become as many errors."""
Rows = Annotated[list[Numbers], Field(min_length=1, max_length=MAX_LAYERS, fail_fast=True)]
ClassName = Annotated[str, Field(max_length=MAX_CLASS)]
ClassNames = Annotated[list[ClassName], Field(max_length=MAX_GALAXIES, fail_fast=True)]


def _one_or_many(value: Any) -> str:
    return "many" if isinstance(value, list) else "one"


def _numbers_or_rows(value: Any) -> str:
    return "rows" if isinstance(value, list) and value and isinstance(value[0], list) else "numbers"


W = Annotated[Annotated[Numbers, Tag("numbers")] | Annotated[Rows, Tag("rows")], Discriminator(_numbers_or_rows)]
Classes = Annotated[Annotated[ClassName, Tag("one")] | Annotated[ClassNames, Tag("many")], Discriminator(_one_or_many)]


def _only_true(value: Any) -> Any:
    if value is not True:
        raise ValueError("mean is true or absent")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Latent(_Strict):
    """One point of a model's latent space, named in exactly one way: ``seed``, ``z``, ``w`` or ``mean``.

    ``class`` may stand beside ``seed`` or ``z``; a name, or (in a resolved request that interpolates) the only one used.
    """

    seed: Seed | None = Field(default=None, description="z = `numpy.random.RandomState(seed).randn(z_dim)` in float32")
    z: Numbers | None = Field(default=None, description="z itself, z_dim numbers")
    w: W | None = Field(default=None, description="style models: w_dim numbers, or a list of them for each layer")
    mean: Annotated[Literal[True], BeforeValidator(_only_true)] | None = Field(
        default=None, description="the centre that truncation pulls towards; only `true`"
    )
    class_: ClassName | None = Field(
        default=None,
        alias="class",
        description="beside seed or z, of a model with classes; default drawn from the seed in the training set's proportions",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("seed", "z", "w", "mean") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of seed, z, w, mean names a latent; got {', '.join(given) or 'none'}")
        if self.class_ is not None and given[0] in ("w", "mean"):
            raise ValueError(f"class goes beside seed or z, not beside {given[0]}")
        return self


class NoiseSeed(_Strict):
    """Fresh per-pixel noise drawn from ``seed``.

    All images of the request share it; with ``each`` every galaxy of a `Generate` has its own, drawn from both seeds.
    """

    seed: Seed = Field(description="the same seed is the same noise")
    each: StrictBool = Field(default=False, description="generate only: noise of its own for every galaxy, from both seeds")


class _Common(_Strict):
    """Fields that every operation takes; see the REST contract for defaults that depend on the model."""

    formats: ClassVar[tuple[Format, ...]]

    model: str | None = Field(default=None, min_length=1, max_length=100, description=MODEL_SAID)
    truncation: Annotated[StrictFloat, Field(ge=-2, le=2)] | None = Field(
        default=None, description="ψ in [-2, 2]: w = mean + ψ·(w - mean); without w, z is scaled by ψ. Default: the card's"
    )
    truncation_cutoff: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="style models: only the first so many layers are truncated; default all"
    )
    noise: Literal["const", "none"] | NoiseSeed = Field(
        default="const", description='`const` (the trained buffers), `none`, or `{"seed": n}`'
    )
    size: Annotated[StrictInt, Field(ge=16, le=2048)] | None = Field(
        default=None, description="side of the display image in pixels; default the model's resolution; FITS keeps native pixels"
    )
    resample: Literal["lanczos", "bicubic", "nearest"] = Field(
        default="lanczos", description="how the native image becomes a picture of another size"
    )
    stretch: Stretch | None = Field(default=None, description="how float bands become a display image; default the card's")
    score: StrictBool | Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="how much of a galaxy each image shows, 0 to 8, by a published scorer: `true` takes the newest that fits the "
        "model, `name` or `name@version` that one; in `catalogue.csv`, FITS, npz and the job's `result`",
    )

    @field_validator("score")
    @classmethod
    def _no_score(cls, value: bool | str | None) -> bool | str | None:
        """False is the default, so it is echoed as it would be without."""
        return value or None


class Generate(_Common):
    """Galaxies of seeds or latents. Exactly one of ``seeds``, ``count``, ``latents``.

    ``class`` holds for all seeds; in a resolved request it may list one class a seed.
    """

    formats = ("png", "fits", "zip", "npz")

    operation: Literal["generate"] = Field(default="generate", description=OPERATION_SAID)
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=MAX_GALAXIES)] | None = Field(
        default=None, description="a galaxy a seed"
    )
    count: Annotated[StrictInt, Field(ge=1, le=MAX_GALAXIES)] | None = Field(
        default=None, description="so many galaxies of seeds that are drawn and echoed"
    )
    latents: Annotated[list[Latent], Field(min_length=1, max_length=MAX_GALAXIES, fail_fast=True)] | None = Field(
        default=None, description="a galaxy a latent"
    )
    class_: Classes | None = Field(
        default=None,
        alias="class",
        description="beside `seeds` or `count`; default drawn from the seeds",
    )
    columns: Annotated[StrictInt, Field(ge=1, le=200)] | None = Field(
        default=None, description="columns of the contact sheet; default the nearest to a square"
    )
    format: Literal["png", "fits", "zip", "npz"] | None = Field(default=None, description=FORMAT_SAID)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("seeds", "count", "latents") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of seeds, count, latents is needed; got {', '.join(given) or 'none'}")
        if self.class_ is not None and self.latents is not None:
            raise ValueError("class beside latents is ambiguous; put it into each latent")
        number = len(self.seeds) if self.seeds is not None else self.count
        if isinstance(self.class_, list) and len(self.class_) != number:
            raise ValueError(f"class lists {len(self.class_)} names for {number} seeds; give one name, or one a seed")
        return self


class Interpolate(_Common):
    """A path through latent space. Either ``from`` and ``to``, or ``path``."""

    formats = ("gif", "webp", "mp4", "png", "fits", "zip")

    operation: Literal["interpolate"] = Field(default="interpolate", description=OPERATION_SAID)
    from_: Latent | None = Field(default=None, alias="from", description="frame 0 is exactly its galaxy")
    to: Latent | None = Field(default=None, description="the last frame is exactly its galaxy")
    path: Annotated[list[Latent], Field(min_length=2, max_length=MAX_TERMS)] | None = Field(
        default=None, description="instead of `from` and `to`: the latents to pass through"
    )
    frames: Annotated[StrictInt, Field(ge=2, le=MAX_FRAMES)] = Field(default=200, description="counted over the whole path")
    curve: Literal["linear", "spherical"] = Field(default="linear", description="straight, or along great circles")
    space: Literal["w", "z"] | None = Field(default=None, description="default `w` where the model has it, else `z`")
    loop: StrictBool = Field(default=False, description="return to the start without a jump")
    fps: Annotated[StrictInt, Field(ge=1, le=50)] = Field(default=25, description="frames a second of GIF, WebP and MP4")
    format: Literal["gif", "webp", "mp4", "png", "fits", "zip"] | None = Field(default=None, description=FORMAT_SAID)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ends = (self.from_ is not None) + (self.to is not None)
        if (self.path is not None) == (ends > 0) or ends == 1:
            raise ValueError("give either from and to, or path")
        return self

    @property
    def stops(self) -> list[tuple[str, Latent]]:
        """The latents of the path with their JSON pointers."""
        if self.path is not None:
            return [(f"/path/{i}", latent) for i, latent in enumerate(self.path)]
        assert self.from_ is not None and self.to is not None
        return [("/from", self.from_), ("/to", self.to)]


class Mix(_Common):
    """Style mixing: each cell is the row's galaxy with ``layers`` taken from the column's."""

    formats = ("png", "fits", "zip")

    operation: Literal["mix"] = Field(default="mix", description=OPERATION_SAID)
    rows: Annotated[list[Latent], Field(min_length=1, max_length=MAX_TERMS, description="a row of the grid each")]
    columns: Annotated[list[Latent], Field(min_length=1, max_length=MAX_TERMS, description="a column of the grid each")]
    layers: Annotated[list[Layer], Field(min_length=1, max_length=MAX_LAYERS)] | Literal["coarse", "middle", "fine"] = Field(
        description="layers taken from the column: indices, or a group that the card defines"
    )
    headers: StrictBool = Field(default=True, description="draw the sources along the edges")
    format: Literal["png", "fits", "zip"] | None = Field(default=None, description=FORMAT_SAID)


class Term(_Strict):
    """One summand: ``weight`` times ``latent``."""

    latent: Latent = Field(description="untruncated: truncation comes after the sum")
    weight: Annotated[StrictFloat, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)] = Field(default=1.0, description="factor of the latent")


class Arithmetic(_Common):
    """A weighted sum of latents and the galaxy at it."""

    formats = ("png", "fits", "zip")

    operation: Literal["arithmetic"] = Field(default="arithmetic", description=OPERATION_SAID)
    terms: Annotated[list[Term], Field(min_length=1, max_length=MAX_TERMS, description="what is added")]
    space: Literal["w", "z"] | None = Field(default=None, description="default `w` where the model has it, else `z`")
    show_terms: StrictBool = Field(default=False, description="put the terms and the result side by side")
    format: Literal["png", "fits", "zip"] | None = Field(default=None, description=FORMAT_SAID)


Request = Annotated[Generate | Interpolate | Mix | Arithmetic, Field(discriminator="operation")]
REQUEST: TypeAdapter[Generate | Interpolate | Mix | Arithmetic] = TypeAdapter(Request)
OPERATIONS: dict[Operation, type[Generate] | type[Interpolate] | type[Mix] | type[Arithmetic]] = {
    "generate": Generate,
    "interpolate": Interpolate,
    "mix": Mix,
    "arithmetic": Arithmetic,
}


def latents_of(request: Generate | Interpolate | Mix | Arithmetic) -> list[tuple[str, Latent]]:
    """Every latent of ``request`` with the JSON pointer of its place; the seeds of a `Generate` are not latents yet."""
    if isinstance(request, Generate):
        return [(f"/latents/{i}", latent) for i, latent in enumerate(request.latents or [])]
    if isinstance(request, Interpolate):
        return request.stops
    if isinstance(request, Mix):
        rows = [(f"/rows/{i}", latent) for i, latent in enumerate(request.rows)]
        return rows + [(f"/columns/{i}", latent) for i, latent in enumerate(request.columns)]
    return [(f"/terms/{i}/latent", term.latent) for i, term in enumerate(request.terms)]


def image_count(request: Generate | Interpolate | Mix | Arithmetic) -> int:
    """Galaxies that the generator must make for ``request`` (the sources that a grid shows are counted)."""
    if isinstance(request, Generate):
        return request.count or len(request.seeds or request.latents or [])
    if isinstance(request, Interpolate):
        return request.frames
    if isinstance(request, Mix):
        cells = len(request.rows) * len(request.columns)
        return cells + (len(request.rows) + len(request.columns) if request.headers else 0)
    return 1 + (len(request.terms) if request.show_terms else 0)


def to_wire(request: Generate | Interpolate | Mix | Arithmetic) -> dict[str, Any]:
    """``request`` as JSON values, with the contract's field names and without what is not set."""
    return request.model_dump(mode="json", by_alias=True, exclude_none=True)
