"""What the four commands that make galaxies have in common: their options, and the way from a request to a file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from galaxies.errors import BadInput
from galsynth.cli.service import STDOUT, AsJson, Quiet, Url, check_output, client_of, deliver, interruptible, say
from galsynth.client.options import check_suffix, format_of, formats
from galsynth.client.wanted import Wanted

NOISES = ("const", "none")
NATIVE = ("fits", "npz")
"""Formats that hold the network's own pixels."""
DISPLAY = ("size", "resample", "stretch")
"""Fields of a request that only pictures have."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options that every operation takes beside its own."""

    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write; its suffix is the format; - is standard output.",
            dir_okay=False,
            readable=False,
        ),
    ] = None
    format: Annotated[str | None, typer.Option(metavar="FORMAT")] = None
    model: Annotated[str | None, typer.Option(help="NAME or NAME@VERSION. [default: the service's]", metavar="MODEL")] = None
    truncation: Annotated[
        float | None, typer.Option(help="ψ: 0 the mean galaxy, 1 the whole distribution. [default: the model's]")
    ] = None
    noise: Annotated[str | None, typer.Option(help="const, none, or a seed for fresh noise. [default: const]")] = None
    size: Annotated[
        int | None,
        typer.Option(help="Side of each picture in pixels; FITS and NPZ keep the model's own. [default: the model's]"),
    ] = None
    stretch: Annotated[
        str | None,
        typer.Option(help="Of pictures: identity, linear, asinh or lupton; not for FITS and NPZ. [default: the model's]"),
    ] = None
    score: Annotated[
        bool, typer.Option("--score", help="Say how much of a galaxy each image shows (0 to 8), by the newest scorer that fits.")
    ] = False
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any field of the request that no option says, NAME=VALUE with VALUE as JSON; may be repeated.",
            metavar="N=V",
        ),
    ] = None
    url: Url = None
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Send the job, print its id and end; see `galsynth jobs fetch`.")] = (
        False
    )
    quiet: Quiet = False
    as_json: AsJson = False

    def fields(self) -> dict[str, Any]:
        """The options that are fields of the request, as the contract has them.

        Raises
        ------
        BadInput : a noise that is none.
        """
        found: dict[str, Any] = {name: getattr(self, name) for name in ("model", "truncation", "size", "format")}
        found["score"] = self.score or None
        if self.noise is not None:
            found["noise"] = _noise(self.noise)
        if self.stretch is not None:
            found["stretch"] = {"kind": self.stretch}
        return {name: value for name, value in found.items() if value is not None}


def operation(own: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """The command of the operation that ``own`` is named after: takes its options and those of `Asked`.

    ``own`` takes its own options and gives the fields of the request that they are.
    """
    name = own.__name__
    hints = get_type_hints(Asked, include_extras=True)
    *others, last = formats(name)
    hints["format"] = Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(others)} or {last}, where no suffix says it. [default: {formats(name)[0]}]", metavar="FORMAT"
        ),
    ]
    shared = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(Asked)
    ]
    signature = inspect.signature(own, eval_str=True)

    def command(**options: Any) -> None:
        asked = Asked(**{each.name: options.pop(each.name) for each in shared})
        make(name, with_others(asked.fields() | own(**options), asked.more or []), asked)

    command.__name__, command.__doc__ = name, own.__doc__
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *shared], return_annotation=None
    )
    command.__annotations__ = get_type_hints(own, include_extras=True) | hints | {"return": None}
    return command


def make(name: str, body: dict[str, Any], asked: Asked) -> None:
    """Send the job, wait, and leave the result where it is wanted.

    Raises
    ------
    BadInput : neither a file nor a format is named, or an option does not go with the format.
    """
    output = asked.output
    if output is None and not asked.no_wait:
        endings = ", ".join(f".{each}" for each in formats(name))
        raise BadInput(f"where to? name a file, -o FILE ({endings}), or -o - for standard output, or --no-wait", field="output")
    if not asked.no_wait:
        check_output(output)
    format_ = body.pop("format", None)
    if format_:
        Wanted(name, body).format(format_)
    if output is not None and output != STDOUT:
        format_ = format_ or format_of(name, output)
        check_suffix(format_, output)
    for each in DISPLAY:
        if format_ in NATIVE and each in body:
            raise BadInput(f"{each} is for pictures, and {format_} keeps the model's own pixels: leave {each} out", field=each)
    order = client_of(asked.url, progress=not asked.quiet).order(name, body)
    with interruptible(), order.submit(format_) as job:
        if asked.no_wait:
            say(job, as_json=asked.as_json)
        else:
            deliver(job, output or STDOUT, as_json=asked.as_json)


def _noise(text: str) -> str | dict[str, int]:
    if text.isdecimal():
        return {"seed": int(text)}
    if text not in NOISES:
        raise BadInput(f"--noise {text!r} is neither {' nor '.join(NOISES)} nor a seed such as 7", field="noise")
    return text


def with_others(said: dict[str, Any], others: list[str]) -> dict[str, Any]:
    """The fields that arguments and options say, and those of ``--set``.

    Raises
    ------
    BadInput : one is no NAME=VALUE, or its field is said already.
    """
    found = dict(said)
    for each in others:
        name, equals, text = each.partition("=")
        if not equals:
            raise BadInput(f"--set {each!r} is not NAME=VALUE", field="set")
        if name in found:
            where = "the argument or option of its own" if name in said else "another --set"
            raise BadInput(f"--set {each!r}: {name} is said by {where} already; say it once", field="set")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
