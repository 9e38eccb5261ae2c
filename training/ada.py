"""``ada``: adaptive augmentation on one class alone, as the Nottingham thesis (2021, rows N1 and N2) compares on mergers.

The same network is trained once with each augmentation on the same images; FID and KID over the images seen go into one table and
one figure. Runs lie in folders of ``out`` and resume, so the same command goes on where it was stopped, and with a larger
``kimg`` goes on beyond.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxies.errors import BadInput
from training import checkpoints
from training.aside import write_text
from training.augment import PRESETS as AUGMENTATIONS
from training.claim import claimed
from training.config import MEASURING, TrainConfig
from training.data import archive
from training.data.subset import write_class
from training.journal import read_log
from training.launch import launch
from training.presets import resolve_for
from training.report.figures import Curve, curves
from training.stopping import ToldToStop


@dataclass(frozen=True)
class AdaOptions:
    """``augment`` names the arms; ``images`` samples are measured every ``every_kimg``; ``settings`` hold for all arms."""

    class_: str = "merger"
    augment: Sequence[str] = ("none", "published")
    preset: str = "stylegan2-64-cpu"
    kimg: float = 200.0
    every_kimg: float = 20.0
    images: int = 1000
    settings: Sequence[str] = ()


def ada(data: Path, out: Path, options: AdaOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Train every arm as far as it is not trained; write ``ada.json``, ``ada.md`` and ``ada.svg`` after each.

    Raises
    ------
    BadInput : the archive lacks the class, an augmentation is unknown, or ``out`` holds an arm of other settings, or another
        process trains it.
    ToldToStop : an arm was told to stop.
    """
    unknown = [name for name in options.augment if name not in AUGMENTATIONS]
    if unknown or not options.augment:
        raise BadInput(f"augment {', '.join(unknown) or 'of no name'}: choose from {', '.join(AUGMENTATIONS)}", field="augment")
    galaxies = _class_alone(data, out, options.class_)
    for name in options.augment:
        config = configuration(galaxies, name, options)
        checkpoints.check_same_run(out / name, config, galaxies.manifest["digest"], but=("kimg", *MEASURING))
    arms: dict[str, Any] = {}
    report: dict[str, Any] = {
        "class": options.class_,
        "dataset": galaxies.manifest["digest"],
        "images": {key: galaxies.manifest[f"{key}_count"] for key in ("training", "held_out")},
        "samples": options.images,
        "preset": options.preset,
        "settings": list(options.settings),
        "arms": arms,
    }
    for name in options.augment:
        config = configuration(galaxies, name, options)
        say(f"augment {name}: {config.kimg:g} kimg on {galaxies.manifest['training_count']} images …")
        if not checkpoints.finished(out / name, config.kimg):
            with claimed(out / name):
                told = launch(config, out / "data", out / name)
            if not checkpoints.finished(out / name, config.kimg):
                raise ToldToStop(f"augment {name} was told to stop; the same command goes on", told)
        arms[name] = measured(out / name, options.images)
        write(out, report)
    return report


def _class_alone(data: Path, out: Path, name: str) -> archive.Archive:
    whole, folder = archive.read(data), out / "data"
    if not folder.exists():
        return write_class(whole, name, folder)
    found = archive.read(folder)
    if found.manifest["source"] != {"archive": whole.manifest["digest"], "class": name}:
        raise BadInput(f"{out} was begun with another archive or class; choose another folder", field="out")
    return found


def configuration(galaxies: archive.Archive, augment: str, options: AdaOptions) -> TrainConfig:
    """The configuration of one arm."""
    own = [f"augment={augment}", f"kimg={options.kimg}", f"metrics_kimg={options.every_kimg}", f"metrics_images={options.images}"]
    return resolve_for(galaxies, options.preset, [*options.settings, *own])


def measured(run: Path, images: int) -> dict[str, Any]:
    """FID, KID, signs of overfitting and strength of augmentation over thousands of images seen; where the best FID was."""
    log = read_log(run)
    found = {row["kimg"]: row for row in log if f"fid{images}" in row}  # what was measured twice counts once
    steps = [row for row in log if "images_per_second" in row]
    kimg = sorted(found)
    fid = [round(found[k][f"fid{images}"], 3) for k in kimg]
    best = min(range(len(kimg)), key=fid.__getitem__, default=None)
    return {
        "kimg": kimg,
        "fid": fid,
        "kid": [round(found[k][f"kid{images}"], 6) for k in kimg],
        "best": None if best is None else {"kimg": kimg[best], "fid": fid[best]},
        "strength": _logged(log, "augment_p"),
        "r_t": _logged(log, "r_t"),
        "r_v": _logged(log, "r_v"),
        "images_per_second": round(steps[-1]["images_per_second"], 1) if steps else None,
    }


def _logged(log: list[dict[str, Any]], key: str) -> dict[str, list[float]]:
    """``values`` of ``key`` over ``kimg``; what was logged twice counts once."""
    found = {row["kimg"]: row[key] for row in log if key in row}
    return {"kimg": sorted(found), "values": [found[kimg] for kimg in sorted(found)]}


def write(out: Path, report: dict[str, Any]) -> None:
    """``ada.json``, ``ada.md`` and ``ada.svg``."""
    write_text(out / "ada.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    write_text(out / "ada.md", markdown(report))
    panels = [
        (
            f"{key.upper()} of {report['samples']:,} samples",
            [Curve(f"augment {name}", arm["kimg"], arm[key]) for name, arm in report["arms"].items()],
        )
        for key in ("fid", "kid")
    ]
    more = {"strength": "strength of the augmentation", "r_v": "r_v, at most 1: overfitting seen by held-out images"}
    for key, title in more.items():
        drawn = [
            Curve(f"augment {name}", arm[key]["kimg"], [min(value, 1.0) for value in arm[key]["values"]])
            for name, arm in report["arms"].items()
            if arm[key]["values"]
        ]
        if drawn:
            panels.append((title, drawn))
    write_text(out / "ada.svg", curves(panels, "thousand images seen"))


def markdown(report: dict[str, Any]) -> str:
    """The arms as a table."""
    lines = [
        f"# Adaptive augmentation on {report['images']['training']:,} images of the class {report['class']}",
        "",
        f"Preset {report['preset']}; FID and KID of {report['samples']:,} samples against as many training images at most.",
        "",
        "| augmentation | thousand images | best FID | at | last FID | last KID × 1000 | last strength | images/s |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(name, arm) for name, arm in report["arms"].items()),
        "",
        "![FID and KID over images seen](ada.svg)",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, arm: dict[str, Any]) -> str:
    if arm["best"] is None:
        return f"| {name} | not measured | – | – | – | – | – | {arm['images_per_second'] or '–'} |"
    strength = f"{arm['strength']['values'][-1]:.3f}" if arm["strength"]["values"] else "–"
    return (
        f"| {name} | {arm['kimg'][-1]:g} | {arm['best']['fid']:.1f} | {arm['best']['kimg']:g} | {arm['fid'][-1]:.1f} | "
        f"{1000 * arm['kid'][-1]:.1f} | {strength} | {arm['images_per_second']} |"
    )
