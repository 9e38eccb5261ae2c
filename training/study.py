"""What Fussell & Moews (2019) vary in their DCGAN, each against the printed network at one budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from galaxies.errors import BadInput, GalaxyError
from training import checkpoints
from training.architectures import summary
from training.config import TrainConfig
from training.data import archive
from training.journal import read_log
from training.launch import launch
from training.presets import resolve_for
from training.report.figures import Panel, bars

PRESET = "fussell-moews-f1"
VARIANTS: dict[str, list[str]] = {
    "as printed": [],
    "kernel 6": ["network.kernel=6"],
    "width 32": ["network.width=32"],
    "width 64": ["network.width=64"],
    "no batch norm": ["network.batch_norm=false"],
    "label smoothing": ["loss=bce-smooth"],
    "dropout in G": ["network.dropout_in=generator"],
    "dropout in D": ["network.dropout_in=discriminator"],
    "dropout in both": ["network.dropout_in=both"],
}
"""Name → settings that differ from the preset."""


def study(
    data: Path, out: Path, settings: list[str], only: list[str], images: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Train every variant for the same budget in a folder of ``out``; a variant that is there already is not repeated.

    ``settings`` hold for all; the FID at the end is of ``images`` samples. ``study.json``, ``study.md`` and
    ``study.svg`` are written after every variant.

    Raises
    ------
    BadInput : a name in ``only`` is no variant.
    GalaxyError : a variant was told to stop.
    """
    unknown = set(only) - VARIANTS.keys()
    if unknown:
        raise BadInput(f"variant {', '.join(sorted(unknown))} is unknown; there are {', '.join(VARIANTS)}", field="only")
    source = archive.read(data)
    rows: list[dict[str, Any]] = []
    for name in only or VARIANTS:
        config = resolve_for(source, PRESET, [*settings, *VARIANTS[name]])
        config = replace(config, metrics_kimg=config.kimg, metrics_images=images)
        say(f"{name}: {config.kimg:g} kimg …")
        run = out / name.replace(" ", "-")
        if not checkpoints.finished(run, config.kimg):
            launch(config, data, run)
        if not checkpoints.finished(run, config.kimg):
            raise GalaxyError(f"{name} was told to stop; the same command goes on")
        rows.append({"variant": name, "settings": VARIANTS[name], **_found(config, run, images)})
        (out / "study.json").write_text(json.dumps({"preset": PRESET, "common": settings, "rows": rows}, indent=1) + "\n")
        (out / "study.md").write_text(table(rows))
        (out / "study.svg").write_text(figure(rows))
    return rows


def _found(config: TrainConfig, run: Path, images: int) -> dict[str, Any]:
    records = read_log(run)
    steps = [record for record in records if "images_per_second" in record]
    fids = [record[f"fid{images}"] for record in records if f"fid{images}" in record]
    counts = {
        f"{name}_parameters": sum(row.parameters for row in rows) for name, rows in summary.networks(config.network).items()
    }
    return {
        **counts,
        "kimg": config.kimg,
        "images_per_second": round(steps[-1]["images_per_second"], 1),
        "loss_d": round(steps[-1]["loss_d"], 3),
        "loss_g": round(steps[-1]["loss_g"], 3),
        "fid": round(fids[-1], 1) if fids else None,
        "fid_images": images,
    }


def figure(rows: list[dict[str, Any]]) -> str:
    """FID and speed of every variant as bars."""
    return bars(
        [row["variant"] for row in rows],
        [
            Panel("FID", [row["fid"] for row in rows]),
            Panel("parameters of G, millions", [row["generator_parameters"] / 1e6 for row in rows]),
            Panel("training, images/s", [row["images_per_second"] for row in rows]),
        ],
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| variant | parameters of G | of D | thousand images | images/s | loss of D | of G | FID | of images |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        fid = "–" if row["fid"] is None else f"{row['fid']:.1f}"
        lines.append(
            f"| {row['variant']} | {row['generator_parameters']:,} | {row['discriminator_parameters']:,} | {row['kimg']:g} | "
            f"{row['images_per_second']} | {row['loss_d']} | {row['loss_g']} | {fid} | {row['fid_images']} |"
        )
    return "\n".join(lines) + "\n"
