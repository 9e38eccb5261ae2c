"""``python -m models list|scorers|show|verify``: what the model store holds, as JSON, and whether it is whole.

Stores: ``--root DIR`` (several times), else ``GALSYNTH_MODELS_DIRS``; the bundled one always comes first. Exit status: 0 whole,
1 a version is damaged, 2 wrong use, 3 there is no such version.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from galaxies.errors import BadInput, BadModel, GalaxyError, NotFound
from models.settings import default_model, extra_roots
from models.store import BUNDLED, ModelStore, scorer_summary, summary
from models.versions import ScorerVersion, Version, verify


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = command_line().parse_args(arguments)
    try:
        extra: list[Path] = options.root or extra_roots()
        for folder in extra:
            if not folder.is_dir():
                print(
                    f"models: {'--root' if options.root else 'GALSYNTH_MODELS_DIRS'}: there is no folder {folder}",
                    file=sys.stderr,
                )
        store = ModelStore([BUNDLED, *(root for root in extra if root != BUNDLED)], default_model())
        status: int = options.run(store, options)
    except GalaxyError as error:
        print(f"models: {error.message}", file=sys.stderr)
        return 3 if isinstance(error, NotFound) else 2 if isinstance(error, BadInput) else 1
    return status


def command_line() -> argparse.ArgumentParser:
    """What the program takes."""
    parser = argparse.ArgumentParser(prog="python -m models", description="What the model store holds, and whether it is whole.")
    parser.add_argument("--root", type=Path, action="append", metavar="DIR", help="another model store beside the bundled one")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="every version, as JSON")
    listing.set_defaults(run=_list)
    scorers = commands.add_parser("scorers", help="every version of a scorer, as JSON")
    scorers.set_defaults(run=_scorers)
    show = commands.add_parser("show", help="one card, as JSON")
    show.add_argument("reference", nargs="?", help="name or name@version; the default model without it")
    show.set_defaults(run=_show)
    check = commands.add_parser(
        "verify", help="check the digests of every file and, where ONNX Runtime is installed, run each model once"
    )
    check.add_argument("reference", nargs="*", help="model, name or name@version; without it everything, scorers too")
    check.set_defaults(run=_verify)
    return parser


def _list(store: ModelStore, _options: argparse.Namespace) -> int:
    versions, problems = store.versions()
    try:
        default = store.default_name()
    except NotFound:
        default = None
    _print_json({"default": default, "models": [summary(version.card) for version in versions]})
    return _report(problems)


def _scorers(store: ModelStore, _options: argparse.Namespace) -> int:
    versions, problems = store.scorers()
    _print_json({"scorers": [scorer_summary(version.card) for version in versions]})
    return _report(problems)


def _show(store: ModelStore, options: argparse.Namespace) -> int:
    _print_json(store.get(options.reference).card.model_dump(mode="json"))
    return 0


def _verify(store: ModelStore, options: argparse.Namespace) -> int:
    problems: list[str] = []
    versions: list[Version | ScorerVersion]
    if options.reference:
        versions = []
        for reference in options.reference:
            found = store.problems(reference)  # of any age: the newest may be the one that cannot be read
            problems += found
            try:
                versions.append(store.get(reference))
            except BadModel as error:
                problems.append(error.message)
            except NotFound:
                if not found:
                    raise
    else:
        (models, problems), (scorers, broken) = store.versions(), store.scorers()
        versions, problems = [*models, *scorers], problems + broken
    for version in versions:
        try:
            done = _check(version)
        except GalaxyError as error:
            problems.append(error.message)
        else:
            print(f"{version.card.reference}: {done}")
    return _report(problems)


def _check(version: Version | ScorerVersion) -> str:
    """Verify one version; says what was checked."""
    count = len(version.card.files)
    if importlib.util.find_spec("onnxruntime") is None:
        verify(version)
        return f"{count} files whole (not run: ONNX Runtime is not installed)"
    from models.generator import OnnxGenerator  # noqa: PLC0415 - only where ONNX Runtime is installed
    from models.scorer import OnnxScorer  # noqa: PLC0415

    providers = (OnnxScorer(version) if isinstance(version, ScorerVersion) else OnnxGenerator(version)).providers
    return f"{count} files whole, runs on {providers[0].removesuffix('ExecutionProvider')}"


def _report(problems: list[str]) -> int:
    for problem in problems:
        print(f"models: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
