"""Writes cli.md from the commands and api.md from the OpenAPI document: ``make references``; a test compares them."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

import typer

from app.keys.__main__ import command_line as keys_parser
from benchmarks.__main__ import main as measure
from galsynth.cli import app as galsynth
from galsynth.cli import outcome
from models.__main__ import command_line as models_parser
from training.cli import app as training

FOLDER = Path(__file__).parent
MADE = "<!-- made by `make references`; change the code, not this file -->"
ROOT = FOLDER.parent
benchmarks = typer.Typer(add_completion=False)
benchmarks.command()(measure)
PROGRAMS = {"galsynth": galsynth, "python -m training": training, "python -m benchmarks": benchmarks}
PARSERS = {"python -m models": models_parser(), "python -m app.keys": keys_parser()}
SCRIPTS = (
    "python -m app",
    "python -m worker",
    "python -m app.openapi",
    "python -m docs.references",
    "python docs/pictures.py",
    "python docs/page_pictures.py",
    "python docs/tutorial.py",
    "python docs/tutorial_galaxies.py",
    "python docker/requirements.py",
    "python docker/audit.py",
)
PLAIN = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "object": "object"}
LIMITS = {"minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "maxItems": "at most {} of them"}
OPERATIONS = ("Generate", "Interpolate", "Mix", "Arithmetic")


def cli() -> str:
    """Every command with its arguments and options."""
    statuses = (inspect.getdoc(outcome) or "").split("\n\n", 1)[1]
    lines = [MADE, "", "# Commands", ""]
    lines += ["What `--help` says of every command. Settings from the environment are in [operations.md](operations.md).", ""]
    lines += ["Exit statuses of `galsynth`:", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in re.findall(r"^(\d+)\s+(.+)$", statuses, re.MULTILINE)]
    for name, program in PROGRAMS.items():
        lines += ["", f"## {name}", *_command(name, typer.main.get_command(program))]
    for name, parser in PARSERS.items():
        lines += ["", f"## {name}", "", _flat(parser.description or ""), *_parsed(name, parser)]
    lines += ["", "## Other programs", *_table(["program", "what"], [_script(each) for each in SCRIPTS])]
    targets = re.findall(r"^([a-z-]+):.*?## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines += ["", "## make", *_table(["target", "what"], [[f"`make {name}`", what] for name, what in targets])]
    return "\n".join(lines) + "\n"


def api(document: dict[str, Any]) -> str:
    """Every route with its parameters, then every document that goes in or comes out."""
    lines = [MADE, "", "# The REST interface, in short", ""]
    lines += ["[The OpenAPI document](openapi.json) has every detail and examples; a running service shows it at `/docs`."]
    lines += ["Statuses from 400 on come with a [ProblemDocument](#problemdocument)."]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            lines += ["", f"## `{method.upper()} {path}`", "", _flat(route.get("description") or route["summary"])]
            if "requestBody" in route:
                lines += ["", f"Body: {_kind(_json(route['requestBody']))}."]
            lines += _table(["parameter", "in", "what"], [_parameter(each) for each in route.get("parameters", [])])
            lines += ["", "Answers: " + ", ".join(_answer(*each) for each in sorted(route["responses"].items())) + "."]
    schemas = document["components"]["schemas"]
    for name in [*OPERATIONS, *sorted(set(schemas) - set(OPERATIONS))]:
        rows = [[f"`{field}`", _kind(each), _meaning(each)] for field, each in schemas[name].get("properties", {}).items()]
        one_of = [f"`{each}`" for each in schemas[name].get("enum", [])]
        lines += ["", f"## {name}", "", _flat(schemas[name]["description"])]
        lines += ["", f"One of {', '.join(one_of)}."] if one_of else _table(["field", "kind", "what"], rows)
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


def _parsed(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """What argparse knows of a program: its options, then its commands with theirs."""
    options = [each for each in parser._actions if each.dest not in ("help", argparse.SUPPRESS) and not each.choices]
    lines = _table(
        ["option", "what"], [[f"`{', '.join(each.option_strings) or each.dest}`", each.help or ""] for each in options]
    )
    for group in parser._actions:
        if isinstance(group, argparse._SubParsersAction):
            said = {each.dest: (each.help or "")[:1].upper() + (each.help or "")[1:] for each in group._choices_actions}
            for below, each in group.choices.items():
                lines += ["", f"### {name} {below}", "", f"{said[below]}.", *_parsed(f"{name} {below}", each)]
    return lines


def _script(command: str) -> list[str]:
    """How a program is started, and what its docstring says."""
    name = command.removeprefix("python ").removeprefix("-m ").removesuffix(".py").replace(".", "/")
    path = next(path for path in (ROOT / f"{name}.py", ROOT / name / "__main__.py") if path.is_file())
    return [f"`{command}`", _flat(ast.get_docstring(ast.parse(path.read_text())) or "")]


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


def _answer(status: str, response: dict[str, Any]) -> str:
    """A status, with the document that comes with it; errors come with a problem, as the introduction says."""
    schema, files = _json(response), any(not kind.endswith("json") for kind in response.get("content", {}))
    kinds = [*(["file"] if files else []), *([_kind(schema)] if "$ref" in schema else [])]
    return f"{status} ({' or '.join(kinds)})" if kinds else status


def _json(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _parameter(parameter: dict[str, Any]) -> list[str]:
    return [f"`{parameter['name']}`", parameter["in"], _meaning({**parameter, **parameter.get("schema", {})} | _said(parameter))]


def _said(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"description": parameter["description"]} if parameter.get("description") else {}


def _meaning(schema: dict[str, Any]) -> str:
    """Description, limits and default of a field, as far as it has them."""
    kinds = [each for each in [schema, *schema.get("anyOf", [])] if each.get("type") != "null"]
    limits = [text.format(_plain(each[key])) for each in kinds for key, text in LIMITS.items() if key in each]
    default = None if "const" in schema else schema.get("default")
    parts = [schema.get("description", ""), ", ".join(limits), "" if default is None else f"default `{json.dumps(default)}`"]
    return _flat("; ".join(part for part in parts if part))


def _plain(value: Any) -> str:
    """A value as people write it: ``2`` for 2.0, ``true`` for True, text as it is."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [_kind(each) for each in schema.get("anyOf", schema.get("oneOf", [])) if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{_plain(each)}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"by name: {_kind(schema['additionalProperties'])}"
    return "time" if schema.get("format") == "date-time" else PLAIN[schema["type"]]


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
