"""``prepare``: a source of galaxies → one archive (see `training.data.archive`)."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.data.archive import Archive, sha256
from training.data.describe import with_zero_point
from training.data.items import Facts, Item
from training.data.like import Like, read_like
from training.data.normalise import normalisation, stretch_of
from training.data.options import PrepareOptions
from training.data.pictures import save_pictures
from training.data.pool import ordered
from training.data.process import Outcome, process
from training.data.sources import Say, objects
from training.data.table import selected
from training.data.write import ImageWriter, aside, publish, write_index, write_table

HELD_OUT_BINS = 1000
INPUT_COLUMNS = ["file", "object", "class", "outcome", "detail", "sha256"]
SCALE_TOLERANCE = 0.01

Progress = Callable[[int, int], None]
Work = Callable[[Item], Outcome]


@dataclass
class _Kept:
    """What has been gathered, in the order of the source; ``like`` has the constants where another archive gives them."""

    like: Like | None
    items: list[Item] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    noise: list[tuple[float, ...]] = field(default_factory=list)
    parameters: list[dict[str, float | str]] = field(default_factory=list)
    facts: Facts | None = None
    seen: dict[bytes, str] = field(default_factory=dict)
    inputs: list[list[str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)

    def left_out(self) -> str:
        """How many were rejected, by reason, and how many were broken."""
        counts = {**self.rejected, "broken": len(self.broken)}
        return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)


def prepare(options: PrepareOptions, progress: Progress, say: Say = lambda text: None) -> Archive:
    """Select, read, downsample, judge, split, normalise and write. ``progress(done, total)`` is called for every object.

    ``say`` is told in a line what the source holds beside what is read.

    Raises
    ------
    BadInput : the source, the table or a column is missing or wrong; an option has nothing to act on; a file is broken and
        ``on_error`` is ``"fail"``; nothing is left.
    Transient : the disk is full.
    """
    if options.selection.csv is None and (given := options.selection.given()):
        raise BadInput(f"{', '.join(given)}: of which table? Name it with --csv", field="csv")
    if options.selection.rename and options.selection.class_column is None and options.label_key is None:
        raise BadInput("--rename-class: of which labels? Name them with --class-column or --label-key", field="rename_class")
    like = read_like(options.like) if options.like else None
    with aside(options.out) as folder:
        scratch = folder / "scratch"
        scratch.mkdir()
        items = selected(options, objects(options, scratch, say))
        mirrored({item.label for item in items if item.label is not None and not item.problem}, options.mirror_pairs)
        return gather(options, like, items, partial(process, reading=options.reading), folder, progress)


def gather(
    options: PrepareOptions, like: Like | None, items: list[Item], work: Work, folder: Path, progress: Progress
) -> Archive:
    """Do ``work`` on every item and write the archive; of ``items`` that come from a simulator as from files."""
    kept, writer = _Kept(like), ImageWriter(folder)
    for done, (item, outcome) in enumerate(zip(items, ordered(work, items, options.jobs), strict=True), 1):
        _take(options, kept, writer, item, outcome)
        progress(done, len(items))
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    if not writer.count:
        raise BadInput(f"{options.source} leaves no image: {kept.left_out()}", field="source")
    archive = _assembled(options, kept, writer)
    write_index(folder, archive)
    write_table(folder / "inputs.csv", INPUT_COLUMNS, kept.inputs)
    if any(kept.parameters):
        write_table(folder / "catalogue.csv", ["file", "held_out", *kept.parameters[0]], _catalogue(kept, archive))
    save_pictures(folder, archive)
    return publish(folder, options.out, archive.manifest)


def _take(options: PrepareOptions, kept: _Kept, writer: ImageWriter, item: Item, outcome: Outcome) -> None:
    """One object: kept, rejected or broken, and named in any case."""
    problem = outcome.problem or (_mismatch(item, outcome, kept, writer) if outcome.pixels is not None else "")
    verdict, detail = "kept", ""
    if problem:
        if options.on_error == "fail":
            raise BadInput(problem)
        kept.broken.append(problem)
        verdict, detail = "broken", problem
    elif outcome.pixels is None:
        kept.rejected.update(outcome.rejected.keys())
        verdict, detail = "rejected", " ".join(f"{name}={score:.4g}" for name, score in outcome.rejected.items())
    else:
        twin = kept.seen.setdefault(hashlib.sha256(outcome.pixels.data).digest(), item.name)
        if twin != item.name:
            kept.rejected["duplicate"] += 1
            verdict, detail = "rejected", f"duplicate of {twin}"
        else:
            _keep(options, kept, writer, item, outcome)
    kept.inputs.append([item.name, item.object_id, item.label or "", verdict, detail, outcome.digest])


def _keep(options: PrepareOptions, kept: _Kept, writer: ImageWriter, item: Item, outcome: Outcome) -> None:
    assert outcome.pixels is not None
    if kept.facts is None:
        kept.facts = outcome.facts
        if kept.like is not None:
            kept.like.check(outcome.facts.bands, display=outcome.pixels.dtype == np.uint8)
    writer.add(outcome.pixels)
    kept.items.append(item)
    column = options.selection.class_column
    kept.labels.append(str(outcome.parameters[column]) if column and outcome.parameters else item.label)
    kept.noise.append(outcome.noise)
    kept.parameters.append(outcome.parameters)
    if outcome.nonfinite:
        kept.mended.update(images=1, pixels=outcome.nonfinite)


def _mismatch(item: Item, outcome: Outcome, kept: _Kept, writer: ImageWriter) -> str:
    """Why the image cannot lie beside the first one, or nothing."""
    first, facts = kept.facts, outcome.facts
    assert outcome.pixels is not None
    if first is None:
        return ""
    found, known = _traits(facts, outcome.pixels.dtype), _traits(first, writer.dtype)
    for trait, value in found.items():
        if value != known[trait]:
            return f"{item.name} has {value}; the set has {known[trait]} since {kept.items[0].name}: all must have the same"
    a, b = facts.pixel_scale_arcsec, first.pixel_scale_arcsec
    if a is not None and b is not None and abs(a / b - 1) > SCALE_TOLERANCE:
        return (
            f"{item.name} has pixels of {a:g} arcsec; the set has {b:g} since {kept.items[0].name}: bring them to one scale first"
        )
    return ""


def _traits(facts: Facts, dtype: np.dtype[Any]) -> dict[str, str]:
    """What all images of a set must share, in words."""
    return {
        "bands": f"{len(facts.bands)} bands ({', '.join(band.name for band in facts.bands)})",
        "dtype": f"{dtype} pixels",
        "units": f"units ({', '.join(band.unit or 'not known' for band in facts.bands)})",
        "zero points": f"zero points ({', '.join(str(band.zero_point) for band in facts.bands)})",
    }


def _assembled(options: PrepareOptions, kept: _Kept, writer: ImageWriter) -> Archive:
    images = writer.close()
    assert kept.facts is not None
    names = sorted({label for label in kept.labels if label is not None})
    labels = np.array([-1 if label is None else names.index(label) for label in kept.labels], dtype=np.int64)
    held_out = np.array([is_held_out(item.object_id, options.held_out) for item in kept.items])
    if held_out.all():
        others = f" ({left} were left out)" if (left := kept.left_out()) else ""
        raise BadInput(
            f"all {len(images)} images are held out of training{others}; lower --held-out or add images", field="held_out"
        )
    scale = options.pixel_scale_arcsec or kept.facts.pixel_scale_arcsec
    bands = [with_zero_point(band, scale) for band in kept.facts.bands]
    noise = np.array(kept.noise)
    manifest = {
        "name": options.name or options.out.name,
        "credits": options.credits,
        "source": options.origin or _source(options.source),
        "selection": ", ".join(options.selection.texts()) or None,
        "resolution": options.reading.resolution,
        "bands": [band.name for band in bands],
        "band_details": [band.model_dump(exclude_none=True) for band in bands],
        "pixel_scale_arcsec": scale,
        "dtype": str(images.dtype),
        "display": images.dtype == np.uint8,
        "count": len(images),
        "training_count": int((~held_out).sum()),
        "held_out_count": int(held_out.sum()),
        "classes": [{"name": name, "count": int((labels[~held_out] == i).sum())} for i, name in enumerate(names)],
        "mirrored_class": mirrored(names, options.mirror_pairs),
        "noise": [float(f"{value:.4g}") for value in np.median(noise, axis=0)],
        "rejected": dict(sorted(kept.rejected.items())),
        "nonfinite": {"policy": options.reading.nan, **kept.mended},
        "options": _resolved(options),
        "broken": kept.broken,
    }
    archive = Archive(images, labels, held_out, np.array([item.name for item in kept.items]), manifest)
    _add_constants(options, kept.like, archive, bands, noise)
    return archive


def _source(source: Path) -> dict[str, str | None]:
    return {"file": source.name, "digest": sha256(source) if source.is_file() else None}


def _add_constants(
    options: PrepareOptions, like: Like | None, archive: Archive, bands: list[Band], noise: np.ndarray[Any, Any]
) -> None:
    manifest, training = archive.manifest, archive.training()
    if like is not None:
        manifest["normalisation"] = like.normalisation.model_dump()
        manifest["stretch"] = like.stretch
        manifest["normalised_like"] = like.digest
        return
    constants = normalisation(options.normalisation, archive.images, training, noise, options.softening)
    manifest["normalisation"] = constants.model_dump()
    manifest["stretch"] = stretch_of(archive.images, training, bands, display=manifest["display"]).model_dump()


def _resolved(options: PrepareOptions) -> dict[str, Any]:
    """What decides the content, without where things lie and how many processes work."""
    document = asdict(options)
    for key in ("source", "out", "jobs", "like", "name", "credits", "origin"):
        del document[key]
    document["selection"]["csv"] = options.selection.csv.name if options.selection.csv else None
    document["reading"]["bands"] = [band.model_dump(exclude_none=True) for band in options.reading.bands]
    return document


def _catalogue(kept: _Kept, archive: Archive) -> list[list[str]]:
    rows = zip(kept.items, archive.held_out, kept.parameters, strict=True)
    return [
        [item.name, str(int(out)), *(value if isinstance(value, str) else f"{value:.6g}" for value in parameters.values())]
        for item, out, parameters in rows
    ]


def mirrored(classes: Collection[str], pairs: tuple[tuple[str, str], ...]) -> list[int]:
    """For every class, in the order of the names, the class of its mirror image.

    Raises
    ------
    BadInput : a class is unknown, or is in two pairs.
    """
    names = sorted(classes)
    mirror = list(range(len(names)))
    for pair in pairs:
        for name in pair:
            if name not in names:
                known = ", ".join(names) or "none: name a column with --class-column"
                raise BadInput(f"--mirror {':'.join(pair)}: class {name!r} is unknown; there are {known}", field="mirror")
            if mirror[names.index(name)] != names.index(name):
                raise BadInput(f"--mirror {':'.join(pair)}: class {name!r} has a mirror image already", field="mirror")
        a, b = (names.index(name) for name in pair)
        mirror[a], mirror[b] = b, a
    return mirror


def is_held_out(object_id: str, share: float) -> bool:
    """The split follows the object's name, so it never changes when images are added."""
    number = int.from_bytes(hashlib.sha256(object_id.encode()).digest()[:8], "big")
    return number % HELD_OUT_BINS < share * HELD_OUT_BINS
