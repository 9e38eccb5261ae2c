"""Figures of documents: bars of the same things side by side, and curves over images seen, each as one SVG file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

MADE, FLOOR = "#c2410c", "#475569"
LINES = ("#475569", "#c2410c", "#2563eb", "#15803d", "#7c3aed", "#a16207")
STYLE: Any = {"svg.hashsalt": "figures", "svg.fonttype": "none", "font.size": 8, "font.family": "sans-serif"}


@dataclass(frozen=True)
class Panel:
    """One figure of every thing, None where it is not known; ``floors`` are drawn as a mark on each bar."""

    title: str
    values: Sequence[float | None]
    floors: Sequence[float | None] = ()
    logarithmic: bool = False


def bars(names: Sequence[str], panels: Sequence[Panel]) -> str:
    """Horizontal bars, a row a name and a column a panel; what is not known says so."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(panels) + 1.5, 0.4 * len(names) + 1.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        places = range(len(names))
        for axis, panel in zip(axes, panels, strict=True):
            known = [value if value is not None else 0.0 for value in panel.values]
            axis.barh(places, known, color=MADE, height=0.6)
            for place, floor in zip(places, panel.floors, strict=False):
                if floor is not None:
                    axis.plot([floor, floor], [place - 0.38, place + 0.38], color=FLOOR, linewidth=2)
            for place, value in zip(places, panel.values, strict=True):
                label = " not measured" if value is None else f" {value:,.0f}" if value >= 1000 else f" {value:.3g}"
                start = 1.0 if panel.logarithmic and any(known) else 0.0
                axis.text(value or start, place, label, va="center", fontsize=7)
            axis.margins(x=0.25)
            if not any(known):
                axis.set(xlim=(0, 1), xticks=[])
            elif panel.logarithmic:
                axis.set(xscale="log", xlim=(min(1.0, *(value for value in known if value)), 4 * max(known)))
            axis.set_title(panel.title, fontsize=8)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_yticks(places, names)
        axes[0].invert_yaxis()
        return _svg(figure)


@dataclass(frozen=True)
class Curve:
    """``y`` over ``x``."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def curves(panels: Sequence[tuple[str, Sequence[Curve]]], over: str) -> str:
    """A panel a title, up to three side by side and four in two rows, with a line and its points for every curve.

    Curves of one name have one colour, so there are as many names as ``LINES`` at the most; ``over`` names what x is.
    """
    columns = len(panels) if len(panels) < 4 else 2
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * columns, 3.0 * rows), layout="constrained")
        FigureCanvasSVG(figure)
        axes = [figure.add_subplot(rows, columns, place + 1) for place in range(len(panels))]
        names = dict.fromkeys(curve.name for _, drawn in panels for curve in drawn)
        colours = dict(zip(names, LINES, strict=False))
        for axis, (title, drawn) in zip(axes, panels, strict=True):
            for curve in drawn:
                colour = colours[curve.name]
                axis.plot(curve.x, curve.y, color=colour, marker="o", markersize=2.5, linewidth=1.2, label=curve.name)
            axis.set_title(title, fontsize=9)
            axis.set_xlabel(over)
            if all(y >= 0 for curve in drawn for y in curve.y):
                axis.set_ylim(bottom=0)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].legend(frameon=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
