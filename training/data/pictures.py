"""What a person looks at before training: a contact sheet by class and histograms per band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from galaxies.pixels import Picture, flux_picture, physical, uint8_from_signed
from training.aside import write_picture
from training.data.archive import Archive
from training.data.describe import Description, describe
from training.data.normalise import sample

COLUMNS, PLAIN_ROWS = 10, 6
LARGEST_SIDE = 128
LABEL_HEIGHT, LABEL_WIDTH = 14, 6
SAMPLE = 500
BINS = 120
PANEL = (360, 200)
MARGIN = (44, 30)
INK, PAPER, LINE, FRAME = (40, 40, 40), (255, 255, 255), (31, 90, 166), (190, 190, 190)


def contact_sheet(archive: Archive) -> Image.Image:
    """Rows of images evenly spread over the set: one row a class, or six rows where there are no classes."""
    about = describe(archive.manifest)
    groups = {
        f"{entry['name']} ({int((archive.labels == label).sum())})": np.flatnonzero(archive.labels == label)
        for label, entry in enumerate(archive.manifest["classes"])
    } or {f"{archive.manifest['name']} ({len(archive.images)})": np.arange(len(archive.images))}
    rows = 1 if archive.classes else min(PLAIN_ROWS, -(-len(archive.images) // COLUMNS))
    side = min(archive.images.shape[-1], LARGEST_SIDE)
    height = rows * side + LABEL_HEIGHT
    sheet = Image.new("RGB", (COLUMNS * side, height * len(groups)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (title, indices) in enumerate(groups.items()):
        pen.text((4, number * height + 1), title, fill=INK)
        chosen = (
            indices[np.unique(np.linspace(0, len(indices) - 1, min(COLUMNS * rows, len(indices))).astype(int))]
            if len(indices)
            else []
        )
        for place, index in enumerate(chosen):
            picture = (
                Image.fromarray(shown(archive.images[index], about)).convert("RGB").resize((side, side), Image.Resampling.BOX)
            )
            sheet.paste(picture, (place % COLUMNS * side, number * height + LABEL_HEIGHT + place // COLUMNS * side))
    return sheet


def shown(image: NDArray[np.uint8] | NDArray[np.float32], about: Description) -> Picture:
    """One stored image as a picture of its own size."""
    if not about.display:
        return flux_picture(np.asarray(image, dtype=np.float32), about.bands, about.stretch)
    levels = np.asarray(image, dtype=np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)) if len(levels) == 3 else levels[len(levels) // 2]


def pictures(signed: NDArray[np.float32], about: Description) -> Picture:
    """Images (N, bands, H, W) as networks make them → (N, H, W[, 3]): levels as they are, fluxes by the set's stretch."""
    values = uint8_from_signed(signed) if about.display else physical(signed, about.normalisation)
    return np.stack([shown(image, about) for image in values])


def histograms(archive: Archive) -> Image.Image:
    """Two panels a band: pixel values in their unit, and what the network sees; counts on a logarithmic axis."""
    about = describe(archive.manifest)
    chosen = sample(archive.images, np.arange(len(archive.images)), SAMPLE)
    before, after = np.asarray(archive.images[chosen], dtype=np.float64), archive.signed(chosen).astype(np.float64)
    picture = Image.new("RGB", (2 * PANEL[0], len(about.bands) * PANEL[1]), PAPER)
    for number, band in enumerate(about.bands):
        unit = "levels" if about.display else band.unit or "unit not known"
        for column, (values, title) in enumerate([(before, f"{band.name} ({unit})"), (after, f"{band.name}, normalised")]):
            _panel(picture, (column * PANEL[0], number * PANEL[1]), values[:, number].ravel(), title)
    return picture


def _panel(picture: Image.Image, corner: tuple[int, int], values: NDArray[np.float64], title: str) -> None:
    left, top = corner[0] + MARGIN[0], corner[1] + MARGIN[1] // 2 + 6
    right, bottom = corner[0] + PANEL[0] - 12, corner[1] + PANEL[1] - MARGIN[1]
    counts, edges = np.histogram(values, BINS)
    heights = np.log10(1.0 + counts) / max(np.log10(1.0 + counts.max()), 1e-9)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, top, right, bottom), outline=FRAME)
    step = (right - left) / BINS
    points = [(left + (i + side) * step, bottom - h * (bottom - top - 4)) for i, h in enumerate(heights) for side in (0, 1)]
    pen.line(points, fill=LINE, width=1)
    pen.text((left, corner[1] + 3), title, fill=INK)
    pen.text((left, bottom + 4), f"{edges[0]:.4g}", fill=INK)
    text = f"{edges[-1]:.4g}"
    pen.text((right - LABEL_WIDTH * len(text), bottom + 4), text, fill=INK)
    pen.text((corner[0] + 4, top), f"{counts.max():.0e}".replace("e+0", "e"), fill=INK)


def save_pictures(folder: Path, archive: Archive) -> None:
    """``sheet.png`` and ``histograms.png`` in the archive's folder."""
    write_picture(folder / "sheet.png", contact_sheet(archive))
    write_picture(folder / "histograms.png", histograms(archive))
