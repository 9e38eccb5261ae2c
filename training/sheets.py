"""Sheets of samples of fixed latents, and the film of a run growing up."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from galaxies.pixels import Picture
from training.architectures import Generator
from training.aside import write_bytes, write_picture
from training.data.describe import Description
from training.data.pictures import pictures

GRID = (6, 10)
MOST_PIXELS = 2000
FILM_FRAMES, FILM_SIDE, FRAME_MS, LAST_FRAME_MS = 80, 800, 150, 2000


@torch.no_grad()
def sheet(
    generator: Generator, onehots: Tensor | None, device: torch.device, about: Description, real: Tensor | None = None
) -> Picture:
    """Samples of latents that are the same for every checkpoint, as one picture; ``onehots`` (K, K) gives a row a class.

    A generator that refines images shows those of ``real`` (N, bands, H, W). Pixels are shown as those of the data set that
    ``about`` describes: fluxes by its stretch.
    """
    rows, columns = GRID
    columns = max(2, min(columns, MOST_PIXELS // generator.config.resolution))
    rows = max(2, min(rows, MOST_PIXELS // generator.config.resolution))
    if generator.refines:
        assert real is not None
        given = real.repeat(-(-rows * columns // len(real)), 1, 1, 1)[: rows * columns]
        parts = [generator.training_images(generator.given(x), None, torch.float32) for x in torch.tensor_split(given, rows)]
    else:
        parts = _samples(generator, onehots, rows, columns, device)
    shown = pictures(torch.cat(parts).cpu().numpy(), about)
    side = shown.shape[1]
    picture = shown.reshape(rows, columns, side, side, -1).swapaxes(1, 2).reshape(rows * side, columns * side, -1)
    return picture if picture.shape[-1] == 3 else picture[..., 0]


def _samples(generator: Generator, onehots: Tensor | None, rows: int, columns: int, device: torch.device) -> list[Tensor]:
    n = rows * columns
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(n, generator.config.z_dim, generator=rng).to(device)
    noise = generator.draw(n, rng).get("noise")
    onehot = None if onehots is None else onehots[torch.arange(n, device=device) // columns % len(onehots)]
    noise = None if noise is None else noise.to(device)
    return [
        generator.sample(z[i : i + columns], _rows(onehot, i, columns), _rows(noise, i, columns)) for i in range(0, n, columns)
    ]


def _rows(tensor: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if tensor is None else tensor[start : start + count]


def write_sheet(picture: Picture, path: Path) -> None:
    """Save one sheet as PNG."""
    write_picture(path, Image.fromarray(picture))


def growing_up(folder: Path, path: Path) -> list[Path]:
    """A GIF of the sheets in ``folder``, evenly chosen where there are many; the last one stays for two seconds.

    Returns the sheets that it is without because they cannot be read.
    """
    found = sorted(folder.glob("*.png"))
    chosen = [found[round(i)] for i in np.linspace(0, len(found) - 1, min(len(found), FILM_FRAMES))]
    read = {file: _frame(file) for file in chosen}
    frames = [frame for frame in read.values() if frame is not None]
    if frames:
        durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
        buffer = io.BytesIO()
        frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
        write_bytes(path, buffer.getvalue())
    return [file for file, frame in read.items() if frame is None]


def _frame(file: Path) -> Image.Image | None:
    try:
        with Image.open(file) as image:
            image.thumbnail((FILM_SIDE, FILM_SIDE), Image.Resampling.BOX)
            return image.convert("RGB").quantize(255, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises of a file that was cut off or is none of its own
        return None
