"""What users can set or call is documented, and what is documented is there."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from app.main import create_app
from app.settings import Settings
from models.store import ModelStore
from training.config import TrainConfig
from training.score.table import markdown
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")} | {"README.md": (ROOT / "README.md").read_text()}
EVERYTHING = "\n".join(DOCS.values())


@pytest.mark.parametrize(("heading", "settings"), [("### API", Settings), ("### Worker", WorkerSettings)])
def test_every_setting_is_documented_with_its_default(heading: str, settings: type[Settings] | type[WorkerSettings]) -> None:
    table = DOCS["operations.md"].split(heading, 1)[1]
    for name, field in settings.model_fields.items():
        default = {"None": "–", "[]": "none", "False": "false"}.get(str(field.default), str(field.default))
        row = f"| `GALSYNTH_{name.upper()}` | {default} | {field.description} |"
        assert row in table, row


def test_every_documented_setting_exists() -> None:
    named = set(re.findall(r"^\| `GALSYNTH_([A-Z_]+)` \|", DOCS["operations.md"], re.MULTILINE))
    known = {name.upper() for settings in (Settings, WorkerSettings) for name in settings.model_fields}
    assert named == known


def test_every_setting_of_a_training_is_documented() -> None:
    for field in fields(TrainConfig):
        if field.name not in ("preset", "architecture", "network"):  # what a preset is
            assert re.search(rf"`(--set |--)?{field.name}\b", DOCS["training.md"]), field.name


def test_every_route_is_documented() -> None:
    for path in create_app(Settings()).openapi()["paths"]:
        fixed = re.sub(r"\{[^}]*\}.*", "", path)
        assert fixed in EVERYTHING, path


@pytest.mark.parametrize("settings", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/settings.py")))
def test_every_variable_of_the_environment_is_documented(settings: str) -> None:
    named = set(re.findall(r"\bGALSYNTH_[A-Z]+(?:_[A-Z]+)*\b", (ROOT / settings).read_text()))
    assert {name for name in named if f"`{name}`" not in EVERYTHING} == set()


def references() -> ModuleType:
    spec = importlib.util.spec_from_file_location("references", ROOT / "docs" / "references.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_commands_is_that_of_the_code() -> None:
    assert DOCS["cli.md"] == references().cli(), "make references"


def test_the_reference_of_the_interface_is_that_of_the_openapi_document() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert DOCS["api.md"] == references().api(document), "make references"
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"## `{method.upper()} {path}`" in DOCS["api.md"]


@pytest.mark.parametrize("name", ["api.md", "cli.md"])
def test_a_reference_leaves_nothing_open(name: str) -> None:
    for line in DOCS[name].splitlines():
        assert not re.search(r"(?<!\\)\|\s*\|", line), line
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", DOCS[name], re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCS[name])) <= anchors


STARTED_BY_OTHERS = {"galsynth/bound.py", "benchmarks/peers/lit.py"}
"""Programs that no person starts."""


def test_every_program_is_in_the_reference_of_commands() -> None:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and (path.name in ("docs", "docker") or any(path.glob("*.py")))]
    files = [path for folder in folders if folder.name != "tests" for path in folder.rglob("*.py")]
    programs = [path for path in files if path.name == "__main__.py" or 'if __name__ == "__main__"' in path.read_text()]
    names = {path.relative_to(ROOT).as_posix() for path in programs} - STARTED_BY_OTHERS
    assert len(names) >= 12
    for name in names:
        module = name.removesuffix(".py").removesuffix("/__main__").replace("/", ".")
        starts = (f"| `python {name}` |", f"| `python -m {module}` |", f"## python -m {module}\n", f"## {module}\n")
        assert any(start in DOCS["cli.md"] for start in starts), name


def test_every_target_of_make_is_in_the_reference_of_commands() -> None:
    done = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT)
    targets = re.findall(r"^  (make [a-z-]+)", done.stdout, re.MULTILINE)
    assert len(targets) > 10
    assert [target for target in targets if f"`{target}`" not in DOCS["cli.md"]] == []


@pytest.mark.parametrize("name", DOCS)
def test_links_and_pictures_lead_somewhere(name: str) -> None:
    folder = ROOT if name == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)\)", DOCS[name]):
        if not target.startswith("http"):
            assert (folder / target).exists(), target


def test_figures_of_the_bundled_models_are_those_of_their_cards() -> None:
    for version in ModelStore().versions()[0]:
        card = version.card
        (row,) = [line for line in DOCS["models-and-files.md"].splitlines() if line.startswith(f"| `{card.reference}` |")]
        (fid,) = [value for name, value in card.metrics.items() if name.startswith("fid") and name.endswith("_train")]
        (kid,) = [value for name, value in card.metrics.items() if name.startswith("kid") and name.endswith("_train")]
        expected = [
            f"{card.training['images_seen'] / 1000:.0f}",
            f"{fid['value']:.1f}",
            f"{1000 * kid['value']:.1f}",
            f"{card.parity['max_abs_difference']:.1e}",
        ]
        assert [cell.strip() for cell in row.split("|")][4:8] == expected


def test_figures_of_the_bundled_scorers_are_those_of_their_files() -> None:
    for version in ModelStore().scorers()[0]:
        report = json.loads((version.folder / "score.json").read_text())
        rows = [line for line in markdown(report).splitlines() if line.startswith("| ")]
        assert len(rows) == 1 + len(report["methods"])
        assert [row for row in rows if row not in DOCS["training.md"]] == []
        assert f"[{report['methods']['ensemble']['mae']:.2f}](training.md#the-similarity-score)" in DOCS["models-and-files.md"]


def test_whoever_asks_redis_by_hand_shows_the_password() -> None:
    """The server wants one, no port of it is published, and only its container has the file."""
    commands = [line for line in DOCS["operations.md"].splitlines() if "redis-cli" in line]
    assert len(commands) >= 4
    for line in commands:
        assert line.startswith("docker compose exec redis sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli "), (
            line
        )
