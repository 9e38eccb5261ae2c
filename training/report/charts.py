"""Charts as inline SVG, drawn by matplotlib; their colours are the page's, so they follow light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MADE, REAL, FLOOR = "#010203", "#010204", "#010205", "#010206"
COLOURS = {INK: "currentColor", MADE: "var(--made)", REAL: "var(--real)", FLOOR: "var(--floor)"}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.linewidth": 0.6,
}
SMALL, WIDE = (3.0, 1.7), (4.6, 2.6)


def _svg(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """One chart; ``name`` keeps its identifiers apart from those of the page's other charts."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    own = re.sub(r"\W+", "-", name)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{own}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{own}-", text)
    for placeholder, colour in COLOURS.items():
        text = text.replace(placeholder, colour)
    return text.strip()


def histogram(name: str, part: dict[str, Any]) -> str:
    """Generated, real and floor shares of one statistic."""
    drawn = part["drawn"]

    def draw(axes: Axes) -> None:
        axes.stairs(drawn["real"], drawn["edges"], fill=True, color=REAL, alpha=0.35)
        axes.stairs(drawn["floor"], drawn["edges"], color=FLOOR, linewidth=0.8)
        axes.stairs(drawn["generated"], drawn["edges"], color=MADE, linewidth=1.4)
        if name.startswith("pixels"):
            axes.set_yscale("log")
        axes.tick_params(axis="y", which="both", left=False, labelleft=False)
        axes.set_xlabel(part["unit"] or name)

    return _svg(f"histogram {name}", SMALL, draw)


def spectrum(spectra: dict[str, list[float]]) -> str:
    """Mean radial power spectra over spatial frequency."""

    def draw(axes: Axes) -> None:
        for key, colour, width in (("real", REAL, 4.0), ("floor", FLOOR, 0.8), ("generated", MADE, 1.4)):
            values = spectra[key]
            frequency = [0.5 * (i + 0.5) / len(values) for i in range(len(values))]
            axes.plot(frequency, values, color=colour, linewidth=width, alpha=0.45 if key == "real" else 1)
        axes.set_xlabel("cycles a pixel")
        axes.set_ylabel("log₁₀ power")

    return _svg("spectrum", WIDE, draw)


def colour_magnitude(found: dict[str, Any]) -> str:
    """Magnitude against colour, with the box of median ± 1.75 σ of the real galaxies."""

    def draw(axes: Axes) -> None:
        for key, colour in (("real", REAL), ("generated", MADE)):
            if found["points"][key]:
                x, y = zip(*found["points"][key], strict=True)
                axes.scatter(x, y, s=7, color=colour, alpha=0.6, linewidths=0)
        (x0, y0), (x1, y1) = found["low"], found["high"]
        axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=INK, linewidth=0.8, linestyle="--")
        wide, high = x1 - x0, y1 - y0
        axes.set_xlim(x0 - 0.6 * wide, x1 + 0.6 * wide)
        axes.set_ylim(y0 - 0.6 * high, y1 + 0.6 * high)
        axes.set_xlabel(f"{found['magnitude']} magnitude")
        axes.set_ylabel(f"{found['colour']}")

    return _svg("colour magnitude", WIDE, draw)


def curves(log: list[dict[str, Any]]) -> dict[str, str]:
    """Every logged quantity over thousands of images seen: name → chart."""
    skipped = {"kimg", "seconds"}
    names = sorted({key for row in log for key, value in row.items() if isinstance(value, int | float)} - skipped)
    found = {}
    for name in names:
        rows = [(row["kimg"], row[name]) for row in log if isinstance(row.get(name), int | float) and "kimg" in row]

        def draw(axes: Axes, name: str = name, rows: list[tuple[float, float]] = rows) -> None:
            axes.plot(*zip(*rows, strict=True), color=MADE, linewidth=1)
            axes.set_xlabel("thousand images seen")

        if len(rows) > 1:
            found[name] = _svg(f"curve {name}", SMALL, draw)
    return found
