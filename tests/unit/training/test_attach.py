"""An exported model and its report are replaced together: whenever that is cut short, the folder is a whole model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxies.cards import ModelCard
from models.versions import read_exported, verify
from tests.tiny_models import publish_style
from training.report import attach as module
from training.report.attach import ROLES, attach


@pytest.fixture
def model(tmp_path: Path) -> Path:
    shutil.copytree(publish_style(tmp_path / "store", "m").folder, tmp_path / "model")
    return tmp_path / "model"


def evaluated(model: Path, words: str) -> ModelCard:
    """Attach an evaluation of which every file and the card say ``words``."""

    def write(aside: Path) -> None:
        for name in ROLES:
            (aside / name).write_text(words)

    return attach(model, card(model).model_copy(update={"metrics": {"said": words}}), write)


def card(model: Path) -> ModelCard:
    return read_exported(model).card


def said(model: Path) -> str:
    """What the evaluation in ``model`` says, if the folder is whole and card and files say the same."""
    version = read_exported(model)
    verify(version)
    assert version.card.digest == version.card.compute_digest()
    words: str = version.card.metrics.get("said", "")
    found = {version.path(role).read_text() for role in ROLES.values()} if words else set()
    assert found <= {words}
    return words


def stopping(monkeypatch: pytest.MonkeyPatch, at: int, seen: Callable[[], object]) -> None:
    """The ``at``-th time that a file of the model is replaced is a kill; before and after every time ``seen`` is called."""
    real, calls = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        if module.ASIDE in str(target):
            return real(self, target)
        seen()
        if calls == at:
            raise KeyboardInterrupt
        calls += 1
        done = real(self, target)
        seen()
        return done

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("at", range(len(ROLES) + 2))
@pytest.mark.parametrize("before", ["", "first"])
def test_wherever_it_is_killed_the_folder_verifies(model: Path, monkeypatch: pytest.MonkeyPatch, at: int, before: str) -> None:
    if before:
        evaluated(model, before)
    moments: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "_sweep", lambda folder: None)  # as after a kill that nothing can be done about
        stopping(patch, at, lambda: moments.append(said(model)))
        with pytest.raises(KeyboardInterrupt):
            evaluated(model, "second")
    assert set(moments) == ({before} if at == 0 else {before, "second"})
    evaluated(model, "third")
    assert said(model) == "third"
    assert set(card(model).files) == {"mapping.onnx", "synthesis.onnx", "buffers.safetensors", *ROLES}
    assert {path.name for path in model.iterdir()} == {"card.json", "mapping.onnx", "synthesis.onnx", "buffers.safetensors",
                                                       "samples.png", "report"}  # fmt: skip


def test_a_full_disk_changes_nothing(model: Path) -> None:
    evaluated(model, "first")
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}

    def write(aside: Path) -> None:
        (aside / "samples.png").write_text("second")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        attach(model, card(model), write)
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_what_other_files_the_model_has_stays(model: Path) -> None:
    graphs = {name: entry for name, entry in card(model).files.items() if entry.role not in ROLES.values()}
    made = evaluated(model, "first")
    assert made == card(model)
    assert {name: made.files[name] for name in graphs} == graphs
