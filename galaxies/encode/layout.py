"""Several galaxies in one picture: contact sheets, mixing grids, film strips and sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from galaxies.pixels import Picture

BACKGROUND = 34
INK = 230


@dataclass(frozen=True)
class _Canvas:
    """A dark picture to paste tiles on. Colour or greyscale, as the first tile is."""

    image: Image.Image

    @classmethod
    def like(cls, tile: Picture, width: int, height: int) -> _Canvas:
        colour = tile.ndim > 2
        return cls(Image.new("RGB" if colour else "L", (width, height), (BACKGROUND,) * 3 if colour else BACKGROUND))

    def paste(self, tile: Picture, x: int, y: int) -> None:
        self.image.paste(Image.fromarray(tile), (x, y))

    def write(self, text: str, x: float, y: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
        """``text`` centred at (x, y)."""
        ink = (INK,) * 3 if self.image.mode == "RGB" else INK
        ImageDraw.Draw(self.image).text((x, y), text, fill=ink, font=font, anchor="mm")

    def picture(self) -> Picture:
        return np.asarray(self.image)


def gap_of(size: int) -> int:
    """Dark pixels between tiles of ``size``."""
    return max(1, size // 32)


def default_columns(count: int) -> int:
    """Columns that make a sheet of ``count`` tiles nearest to a square."""
    return math.ceil(math.sqrt(count))


def sheet(tiles: Iterable[Picture], count: int, size: int, columns: int | None = None) -> Picture:
    """``count`` tiles of (size, size), row by row in ``columns`` (default `default_columns`, never more than ``count``).

    Returns
    -------
    (H, W) or (H, W, 3) uint8; tiles are apart by `gap_of` and the sheet has that margin, dark.
    """
    across = min(columns or default_columns(count), count)
    positions = [(i // across, i % across) for i in range(count)]
    return _placed(tiles, positions, size)


def grid(tiles: Iterable[Picture], rows: int, columns: int, size: int, headers: bool) -> Picture:
    """A mixing grid. With ``headers`` the row sources stand at the left and the column sources at the top, set off by a gap.

    ``tiles`` come in the order of `galaxies.product.image_names`: row sources, column sources (both only with headers), cells.
    """
    cells = [(r + headers, c + headers) for r in range(rows) for c in range(columns)]
    if not headers:
        return _placed(tiles, cells, size)
    sources = [(r + 1, 0) for r in range(rows)] + [(0, c + 1) for c in range(columns)]
    return _placed(tiles, sources + cells, size, header_gap=3 * gap_of(size))


def strip(tiles: Iterable[Picture], count: int, size: int) -> Picture:
    """A film strip: ``count`` tiles in one row."""
    return sheet(tiles, count, size, columns=count)


def equation(tiles: Iterable[Picture], labels: Sequence[str], size: int, columns: int = 8) -> Picture:
    """Tiles side by side with a label at the left of each, as in ``+1 ▢ -1 ▢ = ▢``; a long sum goes on in the next row."""
    font = ImageFont.load_default(max(12, size // 6))
    gutter = math.ceil(max(font.getlength(label) for label in labels)) + 8 + 2 * gap_of(size)
    across, gap = min(columns, len(labels)), gap_of(size)
    width, height = across * (gutter + size) + gap, math.ceil(len(labels) / across) * (size + gap) + gap
    canvas: _Canvas | None = None
    for i, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        canvas = canvas or _Canvas.like(tile, width, height)
        x, y = (i % across) * (gutter + size), gap + (i // across) * (size + gap)
        canvas.write(label, x + gutter / 2, y + size / 2, font)
        canvas.paste(tile, x + gutter, y)
    assert canvas is not None
    return canvas.picture()


def sum_labels(weights: Sequence[float]) -> list[str]:
    """Labels of `equation`: every weight with its sign, then "="."""
    return [*(f"{weight:+.3g}" for weight in weights), "="]


def _placed(tiles: Iterable[Picture], positions: Sequence[tuple[int, int]], size: int, *, header_gap: int = 0) -> Picture:
    """Tiles at (row, column) ``positions``; ``header_gap`` more pixels after the first row and column."""
    gap = gap_of(size)
    pitch = size + gap
    rows, columns = (max(axis) + 1 for axis in zip(*positions, strict=True))
    canvas: _Canvas | None = None
    for tile, (row, column) in zip(tiles, positions, strict=True):
        canvas = canvas or _Canvas.like(tile, columns * pitch + gap + header_gap, rows * pitch + gap + header_gap)
        canvas.paste(tile, gap + column * pitch + header_gap * (column > 0), gap + row * pitch + header_gap * (row > 0))
    assert canvas is not None
    return canvas.picture()
