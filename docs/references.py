"""Writes cli.md from the commands and api.md from the OpenAPI document: ``python docs/references.py``; a test compares them."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import typer

from galsynth.cli import app as galsynth
from galsynth.cli import outcome
from training.cli import app as training

FOLDER = Path(__file__).parent
MADE = "<!-- made by `make references`; change the code, not this file -->"
PROGRAMS = {"galsynth": galsynth, "python -m training": training}
PLAIN = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}
OPERATIONS = ("Generate", "Interpolate", "Mix", "Arithmetic")


def cli() -> str:
    """Every command with its arguments and options."""
    statuses = (inspect.getdoc(outcome) or "").split("\n\n", 1)[1]
    lines = [MADE, "", "# Commands", ""]
    lines += ["What `--help` says of every command. Settings from the environment are in [operations.md](operations.md).", ""]
    lines += ["Exit statuses of `galsynth`:", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in re.findall(r"^(\d+)\s+(.+)$", statuses, re.MULTILINE)]
    for name, program in PROGRAMS.items():
        lines += ["", f"## {name}"]
        lines += _command(name, typer.main.get_command(program))
    return "\n".join(lines) + "\n"


def api(document: dict[str, Any]) -> str:
    """Every route with its parameters, then the bodies of the operations."""
    lines = [MADE, "", "# The REST interface, in short", ""]
    lines += ["[The OpenAPI document](openapi.json) has every detail and examples; a running service shows it at `/docs`."]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            lines += ["", f"## `{method.upper()} {path}`", "", _flat(route.get("description") or route["summary"])]
            if "requestBody" in route:
                lines += ["", f"Body: [{route['operationId']}](#{route['operationId']})."]
            lines += _table(["parameter", "in", "what"], [_parameter(each) for each in route.get("parameters", [])])
            lines += ["", "Answers: " + ", ".join(sorted(route["responses"])) + "."]
    for name in OPERATIONS:
        schema = document["components"]["schemas"][name]
        rows = [
            [f"`{field}`", _kind(each), _meaning(each)] for field, each in schema["properties"].items() if field != "operation"
        ]
        lines += ["", f"## {name}", "", _flat(schema.get("description", ""))]
        lines += _table(["field", "kind", "what"], rows)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    (FOLDER / "cli.md").write_text(cli())
    (FOLDER / "api.md").write_text(api(json.loads((FOLDER / "openapi.json").read_text())))


def _command(name: str, command: Any) -> list[str]:
    groups = getattr(command, "commands", {})
    if groups:
        lines = ["", _flat(command.help or "")]
        for below, each in groups.items():
            lines += ["", f"### {name} {below}", *_command(f"{name} {below}", each)]
        return lines
    shown = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    arguments = " ".join(_metavar(each) for each in shown if each.param_type_name == "argument")
    lines = ["", _flat(command.help or ""), "", f"`{name}{' ' + arguments if arguments else ''}{' [OPTIONS]' if shown else ''}`"]
    return lines + _table(["option", "what"], [_option(each) for each in shown])


def _option(option: Any) -> list[str]:
    if option.param_type_name == "argument":
        return [f"`{_metavar(option)}`", _flat(option.help or "")]
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    said, default = _flat(option.help or ""), option.default
    if not (option.is_flag or "default" in said or default in (None, (), [], "") or callable(default)):
        said = f"{said.removesuffix('.')}. [default: {getattr(default, 'value', default)}]"
    return [names + (" (needed)" if option.required else ""), said]


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    several = "…" if argument.nargs != 1 and not name.endswith("…") else ""
    return f"{name}{several}" if argument.required or name.startswith("[") else f"[{name}{several}]"


def _parameter(parameter: dict[str, Any]) -> list[str]:
    return [f"`{parameter['name']}`", parameter["in"], _meaning({**parameter, **parameter.get("schema", {})} | _said(parameter))]


def _said(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"description": parameter["description"]} if parameter.get("description") else {}


def _meaning(schema: dict[str, Any]) -> str:
    """Description, limits and default of a field, as far as it has them."""
    kinds = [each for each in [schema, *schema.get("anyOf", [])] if each.get("type") != "null"]
    limits = [
        f"{name} {each[key]}"
        for each in kinds
        for key, name in (("minimum", "at least"), ("maximum", "at most"), ("maxItems", "at most so many:"))
        if key in each
    ]
    default = schema.get("default")
    parts = [schema.get("description", ""), ", ".join(limits), "" if default is None else f"default `{json.dumps(default)}`"]
    return _flat("; ".join(part for part in parts if part))


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"{schema['$ref'].rpartition('/')[2]}"
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [_kind(each) for each in schema.get("anyOf", schema.get("oneOf", [])) if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return PLAIN.get(schema.get("type", ""), "anything")


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in cells)]


def _flat(text: str) -> str:
    """One line, with code marked as Markdown has it."""
    return re.sub(r"``+", "`", " ".join(text.split()))


if __name__ == "__main__":
    main()
