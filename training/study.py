"""What Fussell & Moews (2019) vary in their DCGAN, each against the printed network, or one that is set, at one budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from galaxies.errors import BadInput
from training import checkpoints
from training.architectures import build, summary
from training.aside import check_writable, write_text
from training.claim import claimed
from training.config import MEASURING, TrainConfig
from training.data import archive
from training.journal import append, read_log
from training.launch import launch
from training.loop import ALONE, choose_device
from training.metrics.running import RunningFid
from training.presets import resolve_for
from training.report.figures import Panel, bars
from training.stopping import ToldToStop

PRESET = "fussell-moews-f1"
BASE = "base"
VARIANTS: dict[str, list[str]] = {
    BASE: [],
    "kernel 6": ["network.kernel=6"],
    "width 32": ["network.width=32"],
    "width 64": ["network.width=64"],
    "width 128": ["network.width=128"],
    "no batch norm": ["network.batch_norm=false"],
    "label smoothing": ["loss=bce-smooth"],
    "dropout in G": ["network.dropout_in=generator"],
    "dropout in D": ["network.dropout_in=discriminator"],
    "dropout in both": ["network.dropout_in=both"],
}
"""Name → settings that differ from those of all: the preset's as printed, and what is set for the whole study."""

Say = Callable[[str], None]


def study(data: Path, out: Path, settings: list[str], only: list[str], images: int, say: Say) -> list[dict[str, Any]]:
    """Train every variant that is `distinct`, or those in ``only``, for the same budget, each in a folder of ``out``.

    Finished ones are not repeated. ``settings`` hold for all; the FID at the end is of ``images`` samples. ``study.json``,
    ``study.md`` and ``study.svg`` are written after every variant, with a row for each that is finished in ``out``.

    Raises
    ------
    BadInput : a name in ``only`` is no variant, or ``out`` holds a variant of other settings or of another data set,
        or another process trains it, or nothing can be written there.
    ToldToStop : a variant was told to stop.
    """
    unknown = set(only) - VARIANTS.keys()
    if unknown:
        raise BadInput(f"variant {', '.join(sorted(unknown))} is unknown; there are {', '.join(VARIANTS)}", field="only")
    check_writable(out, [out / f"study.{kind}" for kind in ("json", "md", "svg")])
    source = archive.read(data)
    chosen = only or distinct(source, settings)
    runs = {name: out / name.replace(" ", "-") for name in VARIANTS}
    configs = {
        name: resolve_for(source, PRESET, [*settings, *VARIANTS[name]])
        for name, run in runs.items()
        if name in chosen or checkpoints.list_checkpoints(run)
    }
    for name, config in configs.items():
        checkpoints.check_same_run(runs[name], config, source.manifest["digest"], but=MEASURING)
    rows: list[dict[str, Any]] = []
    for name in chosen:
        config, run = configs[name], runs[name]
        say(f"{name}: {config.kimg:g} kimg …")
        if not checkpoints.finished(run, config.kimg):
            with claimed(run):
                told = launch(config, data, run)
            if not checkpoints.finished(run, config.kimg):
                raise ToldToStop(f"{name} was told to stop; the same command goes on", told)
        finished = [name for name, config in configs.items() if checkpoints.finished(runs[name], config.kimg)]
        rows = [_row(name, configs[name], runs[name], source, images, say) for name in finished]
        report = {"preset": PRESET, "common": settings, "rows": rows}
        write_text(out / "study.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
        write_text(out / "study.md", table(rows, settings))
        write_text(out / "study.svg", figure(rows))
    return rows


def distinct(source: archive.Archive, settings: list[str]) -> list[str]:
    """The variants that are not the base once more, as a width of 128 of the printed network is."""
    base = resolve_for(source, PRESET, settings)
    return [name for name, more in VARIANTS.items() if name == BASE or resolve_for(source, PRESET, [*settings, *more]) != base]


def _row(name: str, config: TrainConfig, run: Path, source: archive.Archive, images: int, say: Say) -> dict[str, Any]:
    """What the newest checkpoint of a finished run and its log say."""
    counts = {
        f"{network}_parameters": sum(layer.parameters for layer in layers)
        for network, layers in summary.networks(config.network).items()
    }
    last = [record for record in read_log(run) if "images_per_second" in record][-1]
    return {
        "variant": name,
        "settings": VARIANTS[name],
        **counts,
        "kimg": checkpoints.read_state(checkpoints.newest(run))["images_seen"] / 1000,
        "images_per_second": round(last["images_per_second"], 1),
        "loss_d": round(last["loss_d"], 3),
        "loss_g": round(last["loss_g"], 3),
        "fid": round(_fid(config, run, source, images, say), 1),
        "fid_images": images,
    }


def _fid(config: TrainConfig, run: Path, source: archive.Archive, images: int, say: Say) -> float:
    """FID of the newest checkpoint: from the run's log, else measured now and added to it."""
    folder = checkpoints.newest(run)
    kimg = checkpoints.read_state(folder)["images_seen"] / 1000
    key = f"fid{images}"
    found: list[float] = [record[key] for record in read_log(run) if key in record and record["kimg"] == kimg]
    if found:
        return found[-1]
    say(f"{run.name}: FID of {images} samples …")
    generator, _ = build(config.network)
    checkpoints.load_into(generator, checkpoints.load(folder, "ema"), folder)
    generator.advance(kimg)
    device = choose_device(ALONE)
    values = RunningFid(source, images, device).measure(generator.eval().to(device), lambda done, count: None)
    append(run, {"kimg": kimg, **values})
    return values[key]


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


def table(rows: list[dict[str, Any]], settings: list[str]) -> str:
    """The rows as a Markdown table, and what the base is."""
    told = ", ".join(f"`{setting}`" for setting in settings if setting.partition("=")[0] not in MEASURING)
    lines = [
        "| variant | parameters of G | of D | thousand images | images/s | loss of D | of G | FID | of images |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['variant']} | {row['generator_parameters']:,} | {row['discriminator_parameters']:,} | {row['kimg']:g} | "
            f"{row['images_per_second']} | {row['loss_d']} | {row['loss_g']} | {row['fid']:.1f} | {row['fid_images']} |"
            for row in rows
        ),
        "",
        f"Base: preset `{PRESET}`" + (f" with {told}." if told else "."),
    ]
    return "\n".join(lines) + "\n"
