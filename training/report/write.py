"""Writes the report of an evaluation: ``report/report.json`` and ``report/report.html`` in the model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.generator import OnnxGenerator
from training.aside import write_text
from training.data.archive import Archive
from training.journal import read_log
from training.metrics.samples import Images, generate, pictures
from training.report.page import page
from training.report.pictures import COLUMNS, data_uri, difference, grid, sample_rows


def write(folder: Path, generator: OnnxGenerator, archive: Archive, report: dict[str, Any], run: Path | None) -> None:
    """Write both files; ``run`` is a training run whose ``log.jsonl`` gives the curves."""
    card = generator.card
    images = {"samples": _samples(generator, archive), "nearest": _nearest(generator, archive, report["nearest"])}
    text = page(card, report, images, read_log(run) if run else [])
    write_text(folder / "report" / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    write_text(folder / "report" / "report.html", text)


def samples(generator: OnnxGenerator, psi: float) -> Images:
    """Images of the first seeds, a row of `COLUMNS` a class."""
    seeds = range(sample_rows(generator.card) * COLUMNS)
    return np.concatenate([generate(generator, seeds, k, psi) for k in _classes(generator)])


def _classes(generator: OnnxGenerator) -> list[int | None]:
    return list(range(len(generator.card.classes))) or [None]


def _samples(generator: OnnxGenerator, archive: Archive) -> dict[str, str]:
    """Grids of `COLUMNS` galaxies a row, a row a class: real, generated at ψ = 1, generated at the card's ψ."""
    card, training = generator.card, archive.training()
    count = sample_rows(card) * COLUMNS
    chosen = [_first(training if k is None else training[archive.labels[training] == k], count) for k in _classes(generator)]
    indices = np.concatenate(chosen)
    sets = {"real": archive.batch(indices, np.zeros(len(indices), np.int64))[0], "full": samples(generator, 1.0)}
    if card.truncation != 1.0:
        sets["truncated"] = samples(generator, card.truncation)
    return {name: data_uri(grid(pictures(images, card), COLUMNS)) for name, images in sets.items()}


def _first(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """``count`` of ``indices``, spread over them; repeated where there are fewer, so that rows stay whole."""
    return indices[np.linspace(0, len(indices) - 1, count).astype(int)] if len(indices) else np.zeros(count, np.int64)


def _nearest(generator: OnnxGenerator, archive: Archive, found: dict[str, Any]) -> dict[str, str]:
    """A strip a measure: generated, nearest, difference, the next three; a row a match."""
    card, training = generator.card, archive.training()
    strips = {}
    for name in ("mse", "cropped_l1"):
        rows = []
        for match in found[name]:
            seed = match["seed"]
            mine = pictures(generate(generator, range(seed, seed + 1)), card)
            moved = archive.batch(training[np.array(match["training_index"])], np.array(match["symmetry"]))[0]
            near = pictures(moved, card)
            rows.append(np.concatenate([mine, near[:1], difference(mine, near[:1]), near[1:]]))
        strips[name] = data_uri(grid(np.concatenate(rows), len(rows[0])))
    return strips
