"""The table of all systems for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

DataSet = tuple[str | None, str | None]
"""Name and digest, as cards say them."""

NO_REPORT = "no report"
TITLE = """<!-- made by `python -m training compare`; run it again, do not change this file -->

# All systems, one table

FID, KID, precision and recall: generated images without truncation against all training images of the model's own data set
(numbers of images in brackets); compare figures of the same data set only. Physical: mean KS distance of all statistics, and
joint energy distance, each with its real-against-real floor, which falls with the number of galaxies that were measured. Score:
mean of generated and of real images by a published scorer, 0 to 8; it sees how much of a galaxy an image shows, and nothing of
variety. Training: images seen over wall time, on the device named. Serving: ONNX Runtime, {threads} thread(s), batches of
{batch}, all models in turn, median of {rounds} rounds on {processor}.
"""
COLUMNS = (
    "model", "system", "side", "data", "FID", "KID × 1000", "precision", "recall", "galaxies", "physical KS", "joint energy",
    "score", "trained parameters", "thousand images", "training images/s", "serving images/s",
)  # fmt: skip


def markdown(found: dict[str, Any], picture: str) -> str:
    """What `training.compare` has found, as Markdown that shows the file ``picture``."""
    names = _data_sets(found["rows"])
    floors = "; ".join(f"{names[_data_set(floor)]} {floor['fid']:.1f}" for floor in found["floors"]) or "not known"
    lines = [
        TITLE.format(**found["serving"], **found["machine"]),
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *("| " + " | ".join(_cells(row, names[_data_set(row)])) + " |" for row in found["rows"]),
        "",
        f"Real against real, FID: {floors}.",
        "",
        f"![FID, physical distances and speeds of all systems]({picture})",
    ]
    return "\n".join(lines) + "\n"


def _data_sets(rows: list[dict[str, Any]]) -> dict[DataSet, str]:
    """What each data set is called: by its name, with the first digits of its digest where another one has the same name."""
    found = {_data_set(row) for row in rows}
    taken = Counter(name for name, _ in found)
    return {
        (name, digest): f"{name} ({digest.rpartition(':')[2][:8]})" if digest and taken[name] > 1 else name or "–"
        for name, digest in found
    }


def _data_set(row: dict[str, Any]) -> DataSet:
    return row["dataset"], row["dataset_digest"]


def _cells(row: dict[str, Any], data_set: str) -> list[str]:
    physical, score, counts = row["physical"] or {}, row["score"], row["parameters"]
    missing = "–" if row["report"] else NO_REPORT
    fid, kid = row["fid"], row["kid"]
    return [
        f"`{row['model']}`",
        f"{row['architecture']}, {row['preset']}",
        f"{row['resolution']}",
        data_set,
        f"{fid['value']:.1f} ({fid['n_generated']:,} : {fid['n_reference']:,})" if fid else missing,
        f"{1000 * kid['value']:.1f}" if kid else missing,
        f"{row['precision']:.2f}" if row["precision"] is not None else missing,
        f"{row['recall']:.2f}" if row["recall"] is not None else missing,
        f"{physical['n']:,}" if "n" in physical else missing,
        _beside(physical, "mean_ks") or missing,
        _beside(physical, "joint_energy") or missing,
        f"{score['value']:.2f} (real {score['real']:.2f})" if score else missing,
        ", ".join(f"{name} {count:,}" for name, count in counts.items()) if counts else "–",
        f"{row['images_seen'] / 1000:,.0f}" if row["images_seen"] else "–",
        f"{row['training_images_per_second']:g} ({row['training_device']})" if row["training_images_per_second"] else "–",
        f"{row['serving_images_per_second']:.1f}",
    ]


def _beside(physical: dict[str, Any], name: str) -> str:
    """A distance and its floor; empty where it was not measured."""
    value, floor = physical.get(name), physical.get(f"{name}_floor")
    if value is None:
        return ""
    return f"{value:.3f}" + (f" (floor {floor:.3f})" if floor is not None else "")
