"""``augmentations``: look at what augmentations do to an image of an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from galaxies.errors import BadInput
from training.data import archive


def augmentations(
    data: Annotated[Path, typer.Argument(help="archive made by prepare")],
    out: Annotated[Path, typer.Option(help="picture to write")] = Path("augmentations.png"),
    image: Annotated[int, typer.Option(min=0, help="number of the image in the archive")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="of the random versions")] = 0,
) -> None:
    """A picture of every augmentation and preset on one image, to look at before training."""
    from training.augment.sheet import sheet  # noqa: PLC0415 - torch takes seconds to import

    found = archive.read(data)
    if image >= len(found.images):
        raise BadInput(f"--image {image} is outside 0 … {len(found.images) - 1} of {data}", field="image")
    pixels, _ = found.batch(np.array([image]), np.array([0]))
    sheet(pixels[0], out, seed)
    print(f"{out}: image {found.files[image]}")
