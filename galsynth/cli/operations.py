"""``galsynth generate|interpolate|mix|arithmetic``: ask a running service for galaxies."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from galaxies.errors import BadInput
from galsynth.cli import latents
from galsynth.cli.service import (
    AsJson,
    Model,
    Noise,
    NoWait,
    Option,
    Output,
    Quiet,
    Size,
    Stretch,
    Truncation,
    Url,
    client_of,
    common,
    make,
)

Space = Annotated[str | None, typer.Option(help="w or z. [default: w where the model has it]", metavar="SPACE")]


def generate(
    seeds: Annotated[str | None, typer.Argument(help="Seeds: 42, 1,2,3 or 0-99.", metavar="[SEEDS]")] = None,
    output: Output = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="So many, of seeds that are drawn and told.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Class of all of them.", metavar="CLASS")] = None,
    latent: Annotated[
        list[str] | None,
        typer.Option(help='SEED:CLASS, mean, or JSON such as {"w": […]}; may be repeated.', metavar="LATENT"),
    ] = None,
    columns: Annotated[int | None, typer.Option(help="Columns of the contact sheet. [default: nearest to a square]")] = None,
    model: Model = None,
    truncation: Truncation = None,
    noise: Noise = None,
    size: Size = None,
    stretch: Stretch = None,
    more: Option = None,
    format_: Annotated[str | None, typer.Option("--format", help="png, fits, zip or npz.", metavar="FORMAT")] = None,
    url: Url = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make galaxies: `galsynth generate 0-9 --class merger -o mergers.fits`."""
    if (seeds is not None) + (count is not None) + bool(latent) != 1:
        raise BadInput("which galaxies? name seeds, or --count, or --latent: one of them", field="seeds")
    body = common(model=model, truncation=truncation, noise=noise, size=size, stretch=stretch, more=more)
    body |= _given(count=count, columns=columns) | ({"class": class_} if class_ else {})
    if seeds is not None:
        body["seeds"] = latents.seeds(seeds)
    if latent:
        body["latents"] = [latents.latent(each) for each in latent]
    make(client_of(url, progress=not quiet), "generate", body, output, format_, as_json=as_json, no_wait=no_wait)


def interpolate(
    path: Annotated[list[str], typer.Argument(help="Two latents or more: SEED, SEED:CLASS, mean or JSON.", metavar="LATENT…")],
    output: Output = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the whole film. [default: 200]")] = None,
    curve: Annotated[str | None, typer.Option(help="linear or spherical. [default: linear]")] = None,
    space: Space = None,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the start without a jump.")] = False,
    fps: Annotated[int | None, typer.Option(help="Frames a second. [default: 25]")] = None,
    model: Model = None,
    truncation: Truncation = None,
    noise: Noise = None,
    size: Size = None,
    stretch: Stretch = None,
    more: Option = None,
    format_: Annotated[str | None, typer.Option("--format", help="gif, webp, mp4, png, fits or zip.", metavar="FORMAT")] = None,
    url: Url = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a film from galaxy to galaxy: `galsynth interpolate 42 1234 -o film.mp4`."""
    if len(path) < 2:
        raise BadInput("a film needs two latents or more, such as `galsynth interpolate 42 1234 -o film.gif`", field="path")
    body = common(model=model, truncation=truncation, noise=noise, size=size, stretch=stretch, more=more)
    body |= _given(frames=frames, curve=curve, space=space, fps=fps, loop=loop or None)
    body["path"] = [latents.latent(each) for each in path]
    make(client_of(url, progress=not quiet), "interpolate", body, output, format_, as_json=as_json, no_wait=no_wait)


def mix(
    rows: Annotated[str, typer.Option(help="Latents with commas between: 1,2,3:merger.", metavar="LATENTS")],
    columns: Annotated[str, typer.Option(help="Latents with commas between.", metavar="LATENTS")],
    output: Output = None,
    layers: Annotated[str, typer.Option(help="Layers of the columns: coarse, middle, fine, or 0,1,2.")] = "coarse",
    headers: Annotated[bool, typer.Option(help="The sources along the edges.")] = True,
    model: Model = None,
    truncation: Truncation = None,
    noise: Noise = None,
    size: Size = None,
    stretch: Stretch = None,
    more: Option = None,
    format_: Annotated[str | None, typer.Option("--format", help="png, fits or zip.", metavar="FORMAT")] = None,
    url: Url = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a grid of styles mixed: `galsynth mix --rows 1,2 --columns 3,4 --layers fine -o grid.png`."""
    body = common(model=model, truncation=truncation, noise=noise, size=size, stretch=stretch, more=more)
    body |= {"rows": latents.latents(rows), "columns": latents.latents(columns), "headers": headers}
    body["layers"] = latents.seeds(layers) if layers[:1].isdecimal() else layers
    make(client_of(url, progress=not quiet), "mix", body, output, format_, as_json=as_json, no_wait=no_wait)


def arithmetic(
    terms: Annotated[str, typer.Argument(help="A sum of latents: '42 - 1234 + 0.5*321:merger'.", metavar="SUM")],
    output: Output = None,
    space: Space = None,
    show_terms: Annotated[bool, typer.Option("--show-terms", help="The terms beside the result.")] = False,
    model: Model = None,
    truncation: Truncation = None,
    noise: Noise = None,
    size: Size = None,
    stretch: Stretch = None,
    more: Option = None,
    format_: Annotated[str | None, typer.Option("--format", help="png, fits or zip.", metavar="FORMAT")] = None,
    url: Url = None,
    no_wait: NoWait = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make the galaxy at a sum of others: `galsynth arithmetic '42 - 1234 + 321' -o sum.png`."""
    body = common(model=model, truncation=truncation, noise=noise, size=size, stretch=stretch, more=more)
    body |= _given(space=space, show_terms=show_terms or None) | {"terms": latents.terms(terms)}
    make(client_of(url, progress=not quiet), "arithmetic", body, output, format_, as_json=as_json, no_wait=no_wait)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
