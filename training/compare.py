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
from galaxies.errors import BadInput, GalaxyError
from models.generator import OnnxGenerator, choose_device
from models.store import ModelStore
from models.versions import Version
from training.aside import write_text
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


def compare(stores: Sequence[Path], out: Path, options: CompareOptions, say: Say) -> dict[str, Any]:
    """Write the table of the newest version of every model in ``stores`` and return it; what cannot be read is said.

    Raises
    ------
    BadInput : a store is no folder, or there is no model, or none of a name.
    """
    versions = newest(stores, options.names, say)
    for version in versions:
        say(f"reading {version.card.reference}: {NO_REPORT if version.card.file('report_json') is None else 'with its report'}")
    speeds = serving(versions, options, say)
    rows = [row(version) | {"serving_images_per_second": speeds[version.card.reference]} for version in versions]
    found = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
        "serving": {"batch": options.batch, "threads": options.threads, "rounds": options.rounds, "seconds": options.seconds},
        "floors": floors(rows),
        "rows": rows,
    }
    write_text(out.with_suffix(".json"), json.dumps(found, indent=1, allow_nan=False) + "\n")
    write_text(out.with_suffix(".svg"), figure(rows))
    write_text(out.with_suffix(".md"), markdown(found, out.with_suffix(".svg").name))
    return found


def newest(stores: Sequence[Path], names: Sequence[str], say: Say) -> list[Version]:
    """The newest readable version of every model, or of those that ``names`` name; by side, then name.

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
    first: dict[str, Version] = {}
    for version in versions:
        first.setdefault(version.card.name, version)
    if not first:
        raise BadInput(f"{', '.join(map(str, stores))}: there is no model that can be read")
    unknown = [name for name in names if name not in first]
    if unknown:
        raise BadInput(f"model {', '.join(unknown)} is not in {', '.join(map(str, stores))}; there are {', '.join(first)}")
    chosen = [first[name] for name in names] if names else list(first.values())
    return sorted(chosen, key=lambda version: (version.card.resolution, version.card.name))


def row(version: Version) -> dict[str, Any]:
    """What the card and the report of one model say; None where they say nothing."""
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
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"the report of {version.card.reference}, {version.folder / name}, cannot be read: {error}") from None


def parameters(card: ModelCard) -> dict[str, int] | None:
    """Trained numbers of every network, from the configuration in the card; None where it has none of ours."""
    try:
        return trained_parameters(TrainConfig.from_json(card.training["config"]))
    except (GalaxyError, KeyError, TypeError, ValueError):
        return None


def serving(versions: Sequence[Version], options: CompareOptions, say: Say) -> dict[str, float]:
    """Median images a second of every model through the class that serves, latents to pixels; all take turns in each round."""
    device = choose_device("cpu", options.threads)
    loaded = {version.card.reference: OnnxGenerator(version, device) for version in versions}
    speeds: dict[str, list[float]] = {name: [] for name in loaded}
    for generator in loaded.values():
        generate(generator, range(options.batch))  # the first one is slower
    for turn in range(options.rounds):
        say(f"timing, round {turn + 1} of {options.rounds} …")
        for name, generator in loaded.items():
            speeds[name].append(_images_per_second(generator, options))
    return {name: round(statistics.median(values), 2) for name, values in speeds.items()}


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
