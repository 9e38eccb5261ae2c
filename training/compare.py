"""``compare``: one table of the published models of a store: figures of their reports, parameters, speed of training and serving.

Written: ``<out>.md``, ``<out>.json`` and ``<out>.svg``. Serving is measured here, all models in turn in every round, so that the
speeds stand beside each other; everything else is what the cards and reports say.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galaxies.cards import ModelCard
from galaxies.errors import BadInput, BadModel, GalaxyError
from models.generator import Device, OnnxGenerator, choose_device
from models.store import ModelStore
from models.versions import Version
from training.aside import check_writable, write_text
from training.config import TrainConfig
from training.estimate import parameters as trained_parameters
from training.evaluate import card_metrics
from training.metrics.samples import generate
from training.report.figures import Panel, bars
from training.report.systems import NO_REPORT, markdown

Say = Callable[[str], None]


@dataclass(frozen=True)
class CompareOptions:
    """``names`` of models (empty: all); each is timed for ``seconds`` in every one of ``rounds``, in batches of ``batch``."""

    names: Sequence[str] = ()
    seconds: float = 1.0
    rounds: int = 5
    batch: int = 8
    threads: int = 1


@dataclass(frozen=True)
class Entry:
    """A version that can be read and runs: what its card and report say, and what serves it."""

    row: dict[str, Any]
    generator: OnnxGenerator


def compare(stores: Sequence[Path], out: Path, options: CompareOptions, say: Say) -> dict[str, Any]:
    """Write the table of the newest version of every model in ``stores`` and return it; what cannot be read is said and left out.

    Raises
    ------
    BadInput : a store is no folder, or there is no model that can be read, or none of a name, or ``out`` cannot be written.
    """
    if not out.name:
        raise BadInput(f"--out {out}: the path of a table is needed, such as docs/systems", field="out")
    files = {kind: out.with_suffix(f".{kind}") for kind in ("json", "svg", "md")}
    check_writable(out, files.values())
    device = choose_device("cpu", options.threads)
    tried = [_first(versions, device, options.batch, say) for versions in models(stores, options.names, say)]
    entries = [entry for entry in tried if entry]
    if not entries:
        raise BadInput(_nothing(stores))
    entries.sort(key=lambda entry: (entry.row["resolution"], entry.row["model"]))
    rows = [
        entry.row | {"serving_images_per_second": speed}
        for entry, speed in zip(entries, serving(entries, options, say), strict=True)
    ]
    found = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
        "serving": {"batch": options.batch, "threads": options.threads, "rounds": options.rounds, "seconds": options.seconds},
        "floors": floors(rows),
        "rows": rows,
    }
    write_text(files["json"], json.dumps(found, indent=1, allow_nan=False) + "\n")
    write_text(files["svg"], figure(rows))
    write_text(files["md"], markdown(found, files["svg"].name))
    return found


def models(stores: Sequence[Path], names: Sequence[str], say: Say) -> list[list[Version]]:
    """The versions of every model, or of those that ``names`` name, whose card can be read: the newest first.

    Raises
    ------
    BadInput : a store is no folder, or there is no model, or none of a name.
    """
    for store in stores:
        if not store.is_dir():
            raise BadInput(f"{store}: there is no such folder; a model store is needed, such as models/zoo")
    versions, problems = ModelStore(list(stores)).versions()
    for problem in problems:
        say(f"left out: {problem}")
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.card.name, []).append(version)
    if not found:
        raise BadInput(_nothing(stores))
    unknown = [name for name in names if name not in found]
    if unknown:
        raise BadInput(f"model {', '.join(unknown)} is not in {', '.join(map(str, stores))}; there are {', '.join(found)}")
    return [found[name] for name in names] if names else list(found.values())


def _nothing(stores: Sequence[Path]) -> str:
    return f"{', '.join(map(str, stores))}: there is no model that can be read"


def _first(versions: Sequence[Version], device: Device, batch: int, say: Say) -> Entry | None:
    """The first of ``versions`` that can be read and makes a ``batch``; those before it are said."""
    for version in versions:
        say(f"reading {version.card.reference}: {NO_REPORT if version.card.file('report_json') is None else 'with its report'}")
        try:
            return Entry(row(version), _running(version, device, batch))
        except (BadInput, BadModel) as error:
            say(f"left out: {error.message}")
    return None


def _running(version: Version, device: Device, batch: int) -> OnnxGenerator:
    """What serves ``version``, after its first ``batch``, which is slower than the others.

    Raises
    ------
    BadModel : it does not run.
    """
    generator = OnnxGenerator(version, device)
    try:
        generate(generator, range(batch))
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).partition("\n")[0]
        raise BadModel(f"model {version.card.reference} does not run in batches of {batch}: {reason}") from None
    return generator


def row(version: Version) -> dict[str, Any]:
    """What the card and the report of one model say; None where they say nothing.

    Raises
    ------
    BadInput : the report cannot be read.
    """
    card, training = version.card, version.card.training
    metrics, reported = figures(version)
    seen, seconds = training.get("images_seen"), training.get("seconds")
    return {
        "model": card.reference,
        "architecture": card.architecture,
        "preset": card.preset,
        "resolution": card.resolution,
        "dataset": training.get("dataset"),
        "dataset_digest": training.get("dataset_digest"),
        "report": reported,
        "fid": _sized(metrics, "fid"),
        "kid": _sized(metrics, "kid"),
        "precision": _value(metrics, "precision"),
        "recall": _value(metrics, "recall"),
        "floor": metrics.get("floor"),
        "physical": metrics.get("physical"),
        "score": metrics.get("score"),
        "parameters": parameters(card),
        "images_seen": seen,
        "training_images_per_second": round(seen / seconds, 1) if seen and seconds else None,
        "training_device": training.get("device"),
    }


def figures(version: Version) -> tuple[dict[str, Any], bool]:
    """The figures of a model, and whether they come from its report; those of its card where it has none.

    Raises
    ------
    BadInput : the report cannot be read.
    """
    name = version.card.file("report_json")
    if name is None:
        return version.card.metrics, False
    try:
        return version.card.metrics | card_metrics(json.loads((version.folder / name).read_text())), True
    except (OSError, ValueError) as error:
        why = str(error)
    except (LookupError, TypeError, AttributeError):
        why = "it is no report of ours"
    raise BadInput(f"the report of {version.card.reference}, {version.folder / name}, cannot be read: {why}")


def parameters(card: ModelCard) -> dict[str, int] | None:
    """Trained numbers of every network, from the configuration in the card; None where it has none of ours."""
    try:
        return trained_parameters(TrainConfig.from_json(card.training["config"]))
    except (GalaxyError, KeyError, TypeError, ValueError):
        return None


def serving(entries: Sequence[Entry], options: CompareOptions, say: Say) -> list[float]:
    """Median images a second of every entry through the class that serves, latents to pixels; all take turns in each round."""
    speeds: list[list[float]] = [[] for _ in entries]
    for turn in range(options.rounds):
        say(f"timing, round {turn + 1} of {options.rounds} …")
        for entry, own in zip(entries, speeds, strict=True):
            own.append(_images_per_second(entry.generator, options))
    return [round(statistics.median(own), 2) for own in speeds]


def _images_per_second(generator: OnnxGenerator, options: CompareOptions) -> float:
    made, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < options.seconds:
        generate(generator, range(made, made + options.batch))
        made += options.batch
    return made / taken


def floors(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What real images score among themselves, once a data set; sets of one name are told apart by their digests."""
    found = {(row["dataset"], row["dataset_digest"]): row["floor"]["fid"] for row in rows if row["floor"] and row["dataset"]}
    return [{"dataset": name, "dataset_digest": digest, "fid": fid} for (name, digest), fid in found.items()]


def figure(rows: Sequence[dict[str, Any]]) -> str:
    """FID, physical distances and both speeds as bars, an SVG."""
    names = [row["model"] for row in rows]
    physical = [row["physical"] or {} for row in rows]
    ks, ks_floors = ([part.get(name) for part in physical] for name in ("mean_ks", "mean_ks_floor"))
    fids = [row["fid"] and row["fid"]["value"] for row in rows]
    fid_floors = [row["floor"] and row["floor"]["fid"] for row in rows]
    return bars(
        names,
        [
            Panel("FID", fids, fid_floors),
            Panel("mean KS of physical statistics", ks, ks_floors),
            Panel("training, images/s", [row["training_images_per_second"] for row in rows], logarithmic=True),
            Panel("serving, images/s", [row["serving_images_per_second"] for row in rows], logarithmic=True),
        ],
    )


def _sized(metrics: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """``fid5k_train`` and the like: the one of the most generated images."""
    found = [part for name, part in metrics.items() if name.startswith(kind) and name.endswith("_train")]
    return max(found, key=lambda part: int(part["n_generated"]), default=None)


def _value(metrics: dict[str, Any], name: str) -> float | None:
    return float(np.float64(metrics[name]["value"])) if name in metrics else None
