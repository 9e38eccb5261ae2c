"""One object → one square of the archive, or the reason why not. A pure function of the object and the options."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.describe import spread
from training.data.fits_facts import wavelength_of
from training.data.items import Facts, Item, Pixels, Raw
from training.data.options import Reading
from training.data.quality import FILTERS, Sight, sky
from training.data.resample import centre_square, downsample
from training.data.sources import read_part

UNKNOWN = Facts(())
GREY, COLOUR = ["grey"], ["red", "green", "blue"]
LUMINANCE = Band(name="luminance")


@dataclass(frozen=True)
class Outcome:
    """What became of an object: ``pixels``, or ``problem`` (broken), or ``rejected`` (filters and scores)."""

    digest: str = ""
    pixels: Pixels | None = None
    facts: Facts = UNKNOWN
    nonfinite: int = 0
    noise: tuple[float, ...] = ()
    problem: str = ""
    rejected: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, float | str] = field(default_factory=dict)


def process(item: Item, reading: Reading) -> Outcome:
    """Read, crop, mend, downsample and judge ``item``."""
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is treated as such
            return finish(item.name, _joined(item, reading), reading)
    except BadInput as error:
        return Outcome(problem=error.message)


def finish(name: str, raw: Raw, reading: Reading) -> Outcome:
    """`process` from the pixels on.

    Raises
    ------
    BadInput : the image is too small, has a band without a finite pixel, has pixels that are not finite and the policy is
        ``fail``, or is to be made grey and has neither grey nor colour levels.
    """
    if reading.grey:
        raw = luminance(name, raw)
    square = centre_square(name, raw.pixels, reading.crop, reading.resolution)
    finite = np.isfinite(square)
    bad = int(square.size - finite.sum())
    full = reading.saturation if reading.saturation is not None else raw.facts.saturation
    saturated = 0.0 if full is None else float((square >= full).mean())
    sight_of = {"nonfinite": bad / square.size, "saturated": saturated}
    limits = dict(reading.reject)
    if "nonfinite" in limits and sight_of["nonfinite"] > limits["nonfinite"]:
        return Outcome(raw.digest, rejected={"nonfinite": sight_of["nonfinite"]}, nonfinite=bad)
    mended = square if not bad else _mended(name, square, finite, reading)
    image = downsample(mended, reading.resolution, reading.resample)
    if not np.isfinite(image).all():
        raise BadInput(f"{name} has values that float32 cannot hold")
    sight = Sight(image, **sight_of)
    scores = {key: FILTERS[key].rejects(sight, limit) for key, limit in limits.items()}
    rejected = {key: score for key, score in scores.items() if score is not None}
    noise = tuple(sky(band.astype(np.float64))[1] for band in image)
    facts = _known(name, raw.facts, reading, square.shape[-1] / reading.resolution)
    return Outcome(raw.digest, None if rejected else image, facts, bad, noise, rejected=rejected)


def luminance(name: str, raw: Raw) -> Raw:
    """8-bit grey or colour levels → one band, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded as Pillow's mode "L" does.

    Raises
    ------
    BadInput : the bands are others, or no levels.
    """
    bands = [band.name for band in raw.facts.bands]
    if raw.pixels.dtype != np.uint8 or bands not in (GREY, COLOUR):
        raise BadInput(f"{name} has {raw.pixels.dtype} bands {', '.join(bands)}; --grey takes 8-bit pictures, grey or in colour")
    levels = raw.pixels
    if bands == COLOUR:
        picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        levels = np.asarray(picture.convert("L"))[None]
    return replace(raw, pixels=levels, facts=replace(raw.facts, bands=(LUMINANCE,)))


def _joined(item: Item, reading: Reading) -> Raw:
    """The parts of an object behind each other."""
    if item.problem:
        raise BadInput(item.problem)
    raws = [read_part(part, reading) for part in item.parts]
    if len(raws) == 1:
        return raws[0]
    shapes = {raw.pixels.shape[1:] for raw in raws}
    kinds = {raw.pixels.dtype for raw in raws}
    if len(shapes) > 1 or len(kinds) > 1:
        named = ", ".join(f"{part.name} {raw.pixels.shape[1:]}" for part, raw in zip(item.parts, raws, strict=True))
        raise BadInput(f"{item.name} has bands of different shapes or types: {named}")
    bands = tuple(band for raw in raws for band in raw.facts.bands)
    facts = Facts(bands, raws[0].facts.pixel_scale_arcsec, raws[0].facts.saturation)
    digest = hashlib.sha256("".join(raw.digest for raw in raws).encode()).hexdigest()
    return Raw(np.concatenate([raw.pixels for raw in raws]), facts, f"sha256:{digest}")


def _mended(name: str, square: Pixels, finite: NDArray[np.bool_], reading: Reading) -> Pixels:
    if reading.nan == "fail":
        raise BadInput(
            f"{name} has {int((~finite).sum())} pixels that are not finite, or beyond float32; --nan zero or --nan median mends "
            "them, --reject nonfinite drops such images"
        )
    blank = [str(number) for number, good in enumerate(finite, 1) if not good.any()]
    if blank:
        raise BadInput(f"{name} has no finite pixel in band {', '.join(blank)} of {len(finite)}")
    mended = square.copy()
    for band, good in zip(mended, finite, strict=True):
        band[~good] = np.median(band[good]) if reading.nan == "median" else 0.0
    return mended


def _known(name: str, facts: Facts, reading: Reading, factor: float) -> Facts:
    """What the file says, what the options say instead, and the scale of the new pixels."""
    bands = list(facts.bands)
    if reading.bands:
        if len(reading.bands) != len(bands):
            given = ", ".join(band.name for band in reading.bands)
            raise BadInput(f"{name} has {len(bands)} bands; {len(reading.bands)} are named ({given})")
        bands = [_overruled(found, given) for found, given in zip(bands, reading.bands, strict=True)]
    if reading.resample != "sum":
        bands = [spread(band, factor) for band in bands]
    scale = facts.pixel_scale_arcsec
    return Facts(tuple(bands), None if scale is None else float(f"{scale * factor:.6g}"), facts.saturation)


def _overruled(found: Band, given: Band) -> Band:
    """A band of a file with what the options say of it."""
    said = {key: value for key, value in given.model_dump().items() if value is not None}
    if "wavelength_um" not in said and wavelength_of(given.name) is not None:
        said["wavelength_um"] = wavelength_of(given.name)
    return found.model_copy(update=said)
