"""``galsynth generate|interpolate|mix|arithmetic``: ask a running service for galaxies.

Each function has the options of its operation and gives the fields of the request; `galsynth.cli.asked` adds what all have.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
import typer.core

from galaxies.errors import BadInput
from galsynth.cli import latents
from galsynth.cli.asked import operation

Space = Annotated[str | None, typer.Option(help="w or z. [default: w where the model has it]", metavar="SPACE")]


@operation
def generate(
    seeds: Annotated[str | None, typer.Argument(help="Seeds: 42, 1,2,3 or 0-99.", metavar="SEEDS")] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="So many, of seeds that are drawn and told.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Class of all of them.", metavar="CLASS")] = None,
    latent: Annotated[
        list[str] | None,
        typer.Option(help='SEED:CLASS, mean, or JSON such as {"w": […]}; may be repeated.', metavar="LATENT"),
    ] = None,
    columns: Annotated[int | None, typer.Option(help="Columns of the contact sheet. [default: nearest to a square]")] = None,
) -> dict[str, Any]:
    """Make galaxies: `galsynth generate 0-9 --class merger -o mergers.fits`."""
    if (seeds is not None) + (count is not None) + bool(latent) != 1:
        raise BadInput("which galaxies? name seeds, or --count, or --latent: one of them", field="seeds")
    body = _given(count=count, columns=columns) | ({"class": class_} if class_ else {})
    if seeds is not None:
        body["seeds"] = latents.seeds(seeds)
    if latent:
        body["latents"] = [latents.latent(each) for each in latent]
    return body


@operation
def interpolate(
    path: Annotated[list[str], typer.Argument(help="Two latents or more: SEED, SEED:CLASS, mean or JSON.", metavar="LATENT…")],
    frames: Annotated[int | None, typer.Option(help="Frames of the whole film. [default: 200]")] = None,
    curve: Annotated[str | None, typer.Option(help="linear or spherical. [default: linear]")] = None,
    space: Space = None,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the start without a jump.")] = False,
    fps: Annotated[int | None, typer.Option(help="Frames a second. [default: 25]")] = None,
) -> dict[str, Any]:
    """Make a film from galaxy to galaxy: `galsynth interpolate 42 1234 -o film.mp4`."""
    if len(path) < 2:
        raise BadInput("a film needs two latents or more, such as `galsynth interpolate 42 1234 -o film.gif`", field="path")
    stops = [latents.latent(each) for each in path]
    return _given(frames=frames, curve=curve, space=space, fps=fps, loop=loop or None, path=stops)


@operation
def mix(
    rows: Annotated[str, typer.Option(help="Latents with commas between, and ranges of seeds: 1-3,7:merger.", metavar="LATENTS")],
    columns: Annotated[str, typer.Option(help="As --rows.", metavar="LATENTS")],
    layers: Annotated[str, typer.Option(help="Layers of the columns: coarse, middle, fine, or 0,1,2 or 0-2.")] = "coarse",
    headers: Annotated[bool, typer.Option(help="The sources along the edges.")] = True,
) -> dict[str, Any]:
    """Make a grid of styles mixed: `galsynth mix --rows 1,2 --columns 3,4 --layers fine -o grid.png`."""
    grid = {"rows": latents.latents(rows), "columns": latents.latents(columns), "headers": headers}
    return grid | {"layers": latents.layers(layers)}


@operation
def arithmetic(
    terms: Annotated[str, typer.Argument(help="A sum of latents: '42 - 1234 + 0.5*321:merger'.", metavar="SUM")],
    space: Space = None,
    show_terms: Annotated[bool, typer.Option("--show-terms", help="The terms beside the result.")] = False,
) -> dict[str, Any]:
    """Make the galaxy at a sum of others: `galsynth arithmetic '42 - 1234 + 321' -o sum.png`."""
    return _given(space=space, show_terms=show_terms or None, terms=latents.terms(terms))


class SumCommand(typer.core.TyperCommand):
    """A command whose sum may begin with a minus: ``-42 + 3`` is a sum and no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; what begins as a negative term does gets a space before its minus, which sums may have."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, [f" {each}" if re.match(r"-\s*(\d|mean)", each) else each for each in args])
        if rest and not ctx.resilient_parsing:
            ctx.fail(f"{' '.join(rest)!r} is beyond the sum: put all of it in quotes, such as '42 - 1234'")
        return rest


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
