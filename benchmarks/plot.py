"""Line plots as SVG text; a plotting library would be the heaviest thing that the benchmarks need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LEGEND = 760, 240, 56, 30, 34, 110
COLOURS = ("#1f5fa8", "#c2410c", "#15803d", "#7e22ce", "#525252", "#b45309")


@dataclass(frozen=True)
class Line:
    """One line: ``name`` for the legend, as many ``y`` as ``x``."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Lines that share an axis from 0 to beyond their greatest value; ``label`` names it."""

    label: str
    lines: Sequence[Line]


def svg(title: str, panels: Sequence[Panel], x_label: str) -> str:
    """Panels below each other under one title."""
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>']
    for place, panel in enumerate(panels):
        parts += _panel(panel, TOP + place * HEIGHT, x_label)
    height = TOP + len(panels) * HEIGHT
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )


def _panel(panel: Panel, top: float, x_label: str) -> list[str]:
    right, low, high = WIDTH - LEGEND, top + HEIGHT - BOTTOM, top + 14
    most_x = max((max(line.x) for line in panel.lines if line.x), default=1.0) or 1.0
    step = _step(max((max(line.y) for line in panel.lines if line.y), default=1.0) or 1.0)
    count = math.ceil(max((max(line.y) for line in panel.lines if line.y), default=1.0) / step) or 1
    parts = [f'<text x="{LEFT}" y="{top + 8}">{escape(panel.label)}</text>']
    for tick in range(count + 1):
        y = low - (low - high) * tick / count
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * step:g}</text>')
    for tick in range(6):
        x = LEFT + (right - LEFT) * tick / 5
        parts.append(f'<text x="{x:.1f}" y="{low + 16:.1f}" text-anchor="middle">{most_x * tick / 5:.3g}</text>')
    parts.append(f'<text x="{right}" y="{low + 30:.1f}" text-anchor="end">{escape(x_label)}</text>')
    for place, line in enumerate(panel.lines):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(
            f"{LEFT + (right - LEFT) * x / most_x:.1f},{low - (low - high) * y / (count * step):.1f}"
            for x, y in zip(line.x, line.y, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{right + 8}" y="{high + 14 * place + 8:.1f}" fill="{colour}">{escape(line.name)}</text>')
    return parts


def _step(most: float) -> float:
    """A round distance of ticks that makes two to five of them."""
    power: float = 10.0 ** math.floor(math.log10(most))
    return next(factor * power for factor in (0.2, 0.5, 1.0, 2.0) if most / (factor * power) <= 5)
