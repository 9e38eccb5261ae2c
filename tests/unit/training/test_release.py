"""The release is a chain of commands that fit together, goes on where it stopped, and says at once what cannot be."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from galaxies.errors import BadInput, GalaxyError
from models.publish import publish
from models.store import BUNDLED, ModelStore
from models.versions import read_exported
from tests.tiny_models import publish_style
from tests.unit.training.conftest import DATA
from training.presets import PRESETS
from training.release import MODELS, TINY_NETWORKS, Options, Step, release, steps


def options(tmp_path: Path, *, sdss: Path | None = None, jwst: Path | None = None, version: str = "1") -> Options:
    return Options(sdss, jwst, tmp_path / "out", tmp_path / "zoo", version, tiny=True)


def after(step: Step, option: str) -> str:
    return step.arguments[step.arguments.index(option) + 1]


def test_every_input_of_a_step_is_made_by_an_earlier_one(tmp_path: Path) -> None:
    made = {str(tmp_path / "out" / "evaluation")}
    for step in steps(options(tmp_path, sdss=Path("s"), jwst=Path("j"))):
        used = {word for word in step.arguments[1:] if word.startswith(str(tmp_path / "out"))}
        results = {step.arguments[1]} if step.arguments[0] == "train" else set()
        results |= {after(step, "--out")} if "--out" in step.arguments else set()
        assert not used - made - results, step
        made |= results


def test_every_bundled_model_is_released(tmp_path: Path) -> None:
    assert set(ModelStore([BUNDLED]).names()) <= {model.name for model in MODELS if model.title}
    for model in MODELS:
        assert PRESETS[model.preset].config.architecture in TINY_NETWORKS
    everything = list(steps(options(tmp_path, sdss=Path("s"), jwst=Path("j"))))
    exported = {after(step, "--name") for step in everything if step.arguments[0] == "export"}
    assert exported == {model.name for model in MODELS if model.title}


def test_only_models_that_a_run_can_start_from_bring_their_discriminator(tmp_path: Path) -> None:
    everything = list(steps(options(tmp_path, sdss=Path("s"), jwst=Path("j"))))
    brings = {after(step, "--name") for step in everything if "--discriminator" in step.arguments}
    style = {model.name for model in MODELS if model.title and PRESETS[model.preset].config.architecture == "stylegan2"}
    assert brings == style == {"sdss-gz1-64", "sdss-gz1-128", "jwst-ceers"}


def test_every_report_has_the_curves_of_its_run(tmp_path: Path) -> None:
    everything = list(steps(options(tmp_path, sdss=Path("s"), jwst=Path("j"))))
    runs = {after(step, "--out"): step.arguments[1] for step in everything if step.arguments[0] == "export"}
    evaluated = {step.arguments[1]: after(step, "--run") for step in everything if step.arguments[0] == "evaluate"}
    assert evaluated == runs


def test_data_that_are_not_given_leave_their_models_out(tmp_path: Path) -> None:
    names = {step.arguments[1] for step in steps(options(tmp_path, jwst=Path("j"))) if step.arguments[0] == "train"}
    assert {Path(name).name for name in names} == {"jwst-simulated", "jwst-ceers"}
    with pytest.raises(BadInput, match="--sdss or --jwst or both"):
        list(steps(options(tmp_path)))


@pytest.mark.slow
def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalaxyError, match="release stopped at: python -m training prepare nowhere"):
        release(options(tmp_path, sdss=Path("nowhere")), lambda text: None)


@pytest.mark.parametrize("status", [130, 143])
def test_a_training_that_was_told_to_stop_is_not_exported(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        """All commands succeed at once, but a training, which ends as one that is told to stop."""
        ran.append(command[3])
        if command[3] == "prepare":
            Path(command[command.index("--out") + 1]).mkdir(parents=True)
        return SimpleNamespace(returncode=status if command[3] == "train" else 0)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(GalaxyError, match=r"told to stop: python -m training train .*sdss-gz1-64 .*; the same command goes on"):
        release(options(tmp_path, sdss=Path("s")), lambda text: None)
    assert ran == ["prepare", "prepare", "train"]


def test_a_version_that_is_published_is_refused_before_any_work(tmp_path: Path) -> None:
    asked = options(tmp_path, sdss=Path("s"))
    publish_style(tmp_path / "zoo", "sdss-gz1-128", "1")
    publish_style(tmp_path / "zoo", "jwst-ceers", "1")  # its data are not given
    with pytest.raises(BadInput, match=r"sdss-gz1-128@1 is published in .*zoo already, .*: choose another --version"):
        release(asked, pytest.fail)
    assert not (tmp_path / "out").exists()
    assert list(steps(options(tmp_path, sdss=Path("s"), version="2")))


def test_a_version_that_this_release_has_published_is_done(tmp_path: Path) -> None:
    asked = options(tmp_path, sdss=Path("s"))
    exported = tmp_path / "out" / "export" / "sdss-gz1-128-1"
    shutil.copytree(publish_style(tmp_path / "made", "sdss-gz1-128", "1").folder, exported)
    publish(exported, tmp_path / "zoo")
    done = {step.arguments[1]: step.done() for step in steps(asked) if step.arguments[0] == "publish"}
    assert {Path(folder).name: is_done for folder, is_done in done.items()} == {
        "sdss-gz1-64-1": False,
        "sdss-gz1-128-1": True,
        "gz1-64-dcgan-1": False,
        "gz1-128-stackgan-1": False,
        "gz1-64-tribhuvan-1": False,
    }


def cutouts(path: Path, count: int = 40) -> Path:
    """Three-band cut-outs as of CEERS, an extension a band: ``path`` with .zip and .csv; the last one is not to be used."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-32:32, -32:32]
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as container:
        for number in range(count):
            galaxy = np.exp(-np.hypot(x, y * rng.uniform(1, 2)) / rng.uniform(3, 8))
            bands = [galaxy * rng.uniform(1, 3) + rng.normal(scale=0.02, size=galaxy.shape) for _ in range(3)]
            hdus = [fits.ImageHDU(band.astype(np.float32), name=f"F{k}W") for k, band in enumerate(bands)]
            stream = io.BytesIO()
            fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(stream)
            container.writestr(f"{number}.fits", stream.getvalue())
    with path.with_suffix(".csv").open("w", newline="") as stream_csv:
        table = csv.writer(stream_csv)
        table.writerow(["file", "ceers_id", "qa_ok"])
        table.writerows([f"{number}.fits", number, int(number < count - 1)] for number in range(count))
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["sdss", "jwst"])
def test_the_chain_holds_from_images_to_the_store(tmp_path: Path, kind: str) -> None:
    asked = options(tmp_path, **{kind: DATA / "galaxies" if kind == "sdss" else cutouts(tmp_path / "cutouts")})
    said: list[str] = []
    release(asked, said.append)
    names = {
        "sdss": ["gz1-128-stackgan", "gz1-64-dcgan", "gz1-64-tribhuvan", "sdss-gz1-128", "sdss-gz1-64"],
        "jwst": ["jwst-ceers"],
    }[kind]
    assert sorted(ModelStore([tmp_path / "zoo"]).names()) == names
    for name in names:
        version = read_exported(tmp_path / "zoo" / name / "1")
        assert "<h2>Training</h2>" in version.path("report_html").read_text(), "the curves of its run"
    said.clear()
    release(asked, said.append)
    assert all(line.startswith("done before") for line in said)
