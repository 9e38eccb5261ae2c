"""The release is a chain of commands that fit together, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from galaxies.errors import BadInput, GalaxyError
from models.store import ModelStore
from tests.unit.training.conftest import DATA
from training.presets import PRESETS
from training.release import MODELS, Options, release, steps


def options(tmp_path: Path, *, sdss: Path | None = None, jwst: Path | None = None) -> Options:
    return Options(sdss, jwst, tmp_path / "out", tmp_path / "zoo", "1", tiny=True)


def test_every_input_of_a_step_is_made_by_an_earlier_one(tmp_path: Path) -> None:
    made: set[str] = set()
    for step in steps(options(tmp_path, sdss=Path("s"), jwst=Path("j"))):
        used = {word for word in step.arguments[1:] if word.startswith(str(tmp_path / "out"))}
        results = {str(step.made), step.arguments[1]} | {
            step.arguments[i + 1] for i, word in enumerate(step.arguments) if word in ("--out", "--cache")
        }
        missing = used - made - (results if step.arguments[0] != "evaluate" else {str(tmp_path / "out" / "evaluation")})
        assert not missing, step
        made |= results
    assert [model.preset for model in MODELS if model.preset not in PRESETS] == []


def test_data_that_are_not_given_leave_their_models_out(tmp_path: Path) -> None:
    names = {step.arguments[1] for step in steps(options(tmp_path, jwst=Path("j"))) if step.arguments[0] == "train"}
    assert {Path(name).name for name in names} == {"jwst-simulated", "jwst-ceers"}
    with pytest.raises(BadInput, match="--sdss or --jwst or both"):
        list(steps(options(tmp_path)))


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalaxyError, match="release stopped at: python -m training prepare nowhere"):
        release(options(tmp_path, sdss=Path("nowhere")), lambda text: None)


@pytest.mark.slow
def test_the_chain_holds_from_images_to_the_store(tmp_path: Path) -> None:
    said: list[str] = []
    release(options(tmp_path, sdss=DATA / "galaxies"), said.append)
    assert sorted(ModelStore([tmp_path / "zoo"]).names()) == ["sdss-gz1-128", "sdss-gz1-64"]
    said.clear()
    release(options(tmp_path, sdss=DATA / "galaxies"), said.append)
    assert sum(line.startswith("done before") for line in said) == len(said) - 2  # training asks its checkpoints itself
