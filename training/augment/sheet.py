"""A picture of what augmentations do to one image: to look at before training with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from galaxies.pixels import uint8_from_signed
from training.aside import write_picture
from training.augment import PRESETS, Augmentation, build
from training.augment.pipeline import Pipeline

COLUMNS = 4
GAP = 4
LABEL = 16
BLOCKS = 3
CAP = 0.8


def rows(bands: int) -> Iterator[tuple[str, Augmentation, float]]:
    """Label, augmentation and strength of every row: each transform by itself, then each preset (adaptive ones at the cap)."""
    seen = set()
    for name in ("published-full", "galaxy", "diffaugment"):
        for kind in ("geometry", "colour", "pixels"):
            for transform in getattr(PRESETS[name], kind):
                if transform not in seen:
                    seen.add(transform)
                    stages: dict[str, Any] = {kind: (transform,)}
                    yield _words(transform), Augmentation(name, Pipeline(**stages), bands), 1.0
    for name, pipeline in PRESETS.items():
        if name != "none":
            p = CAP if pipeline.adaptive else 1.0
            yield f"preset {name}, p = {p:g}", build(name, bands, mirror=True), p


def _words(transform: object) -> str:
    """``CutOut(size=0.3, sky=True)`` as ``cut out, size 0.3, sky``."""
    name, _, fields = repr(transform).rstrip(")").partition("(")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    told = [
        field.replace("=True", "").replace("=", " ") for field in fields.split(", ") if field and not field.endswith("=False")
    ]
    return ", ".join([words, *told])


def sheet(image: NDArray[np.float32], path: Path, seed: int = 0) -> None:
    """Write a picture with `COLUMNS` random versions of ``image`` (bands, S, S), -1 … 1, under each augmentation."""
    given = torch.from_numpy(image)[None].expand(COLUMNS, -1, -1, -1)
    found = [
        (label, _strip(augmentation(given, p, torch.Generator().manual_seed(seed))))
        for label, augmentation, p in rows(len(image))
    ]
    height, width = found[0][1].shape[:2]
    lines = -(-len(found) // BLOCKS)
    size = (BLOCKS * (width + 3 * GAP), lines * (height + LABEL + GAP))
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for i, (label, strip) in enumerate(found):
        x, y = i // lines * (width + 3 * GAP) + GAP, i % lines * (height + LABEL + GAP)
        pen.text((x, y + 1), label, fill="black")
        picture.paste(Image.fromarray(strip), (x, y + LABEL))
    write_picture(path, picture)


def _strip(images: Tensor) -> NDArray[np.uint8]:
    """Images (N, bands, S, S) side by side as (S, …, 3): three bands as colours, otherwise the first in grey."""
    shown = images if images.shape[1] == 3 else images[:, :1].expand(-1, 3, -1, -1)
    pixels = uint8_from_signed(shown.numpy()).transpose(0, 2, 3, 1)
    gap = np.full((pixels.shape[1], GAP, 3), 255, np.uint8)
    return np.concatenate([part for one in pixels for part in (one, gap)], axis=1)
