"""The whole command at a tiny size: table, reproducible, goes on where it stopped, starts from a trained critic."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training.architectures import ARCHITECTURES
from training.architectures.summary import parameters
from training.architectures.wgan import Discriminator, WGANConfig
from training.checkpoints import load, newest, unflatten
from training.data.archive import Archive
from training.launch import launch
from training.score import ensemble, wavelets
from training.score.ensemble import ScoreOptions, score, scorer, sizes
from training.score.regression import Examples
from training.score.table import report
from training.trainer import Trainer

TINY = ScoreOptions(side=32, count=50, held_out=20, members=2, head_epochs=1, joint_epochs=1, plain_epochs=1, batch=16, seed=4)


@pytest.fixture(autouse=True)
def short_boosting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real regressor on as many examples takes seconds for its 500 iterations; the features stay real."""
    monkeypatch.setattr(wavelets, "ITERATIONS", 5)


def run(archive: Archive, out: Path, options: ScoreOptions = TINY) -> list[tuple[str, int, int]]:
    told = list[tuple[str, int, int]]()
    score(archive, None, out, options, lambda *told_now: told.append(told_now))
    return told


def test_all_five_methods_are_judged_and_the_same_seed_gives_the_same_table(archive64: Archive, tmp_path: Path) -> None:
    told = run(archive64, tmp_path / "a")
    assert told[-1] == ("epochs", 6, 6)
    found = json.loads((tmp_path / "a" / "score.json").read_text())
    assert list(found["methods"]) == ["mean", "plain", "wavelets", "scorer", "ensemble"]
    for name, row in found["methods"].items():
        assert row["interval"][0] <= row["mae"] <= row["interval"][1]
        assert (row["spread"] is None) == (name == "ensemble")
    assert "| ensemble of all scorers |" in (tmp_path / "a" / "score.md").read_text()
    run(archive64, tmp_path / "b")
    assert (tmp_path / "b" / "score.json").read_text() == (tmp_path / "a" / "score.json").read_text()


def test_finished_members_are_not_trained_again(archive64: Archive, tmp_path: Path) -> None:
    run(archive64, tmp_path)
    whole = (tmp_path / "score.json").read_text()
    members = tmp_path / "members"
    kept = (members / "scorer-0.safetensors").stat().st_mtime_ns
    (members / "scorer-1.safetensors").unlink()
    run(archive64, tmp_path)
    assert (members / "scorer-0.safetensors").stat().st_mtime_ns == kept
    assert (tmp_path / "score.json").read_text() == whole


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"seed": 5, "side": 64},
            r"out was begun with side 32 \(now 64\), seed 4 \(now 5\): give the same again or choose another",
        ),
        ({}, r"out was begun with unknown None \(now sha256:[0-9a-f]+\): give"),
    ],
)
def test_other_options_or_data_are_named_with_both_values(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(ensemble, "predictions", nothing)
    run(archive64, tmp_path / "out")
    before = (tmp_path / "out" / "config.json").read_text()
    with pytest.raises(BadInput, match=told):
        score(archive64, None if options else archive64, tmp_path / "out", replace(TINY, **options), lambda *_: None)
    assert (tmp_path / "out" / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", r"config\.json cannot be read: Expecting .*; choose another folder, or remove this one"),
        ("[]", r"config\.json does not say its options, archives: it is damaged or of another version; choose another folder"),
    ],
)
def test_a_damaged_configuration_is_named(archive64: Archive, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match=told):
        run(archive64, tmp_path)
    assert (tmp_path / "config.json").read_text() == text


def test_a_damaged_member_is_named_before_anything_is_computed_and_trained_anew_once_it_is_removed(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(archive64, tmp_path)
    whole = (tmp_path / "score.json").read_text()
    path = tmp_path / "members" / "scorer-1.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with monkeypatch.context() as within:
        within.setattr(ensemble, "examples", lambda *_: pytest.fail("something was computed"))
        with pytest.raises(
            BadInput, match=r"scorer-1\.safetensors cannot be read: .*; remove it and run the same `score` command"
        ):
            run(archive64, tmp_path)
    path.unlink()
    run(archive64, tmp_path)
    assert (tmp_path / "score.json").read_text() == whole


def test_a_member_of_another_network_is_named(archive64: Archive, tmp_path: Path) -> None:
    (tmp_path / "members").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "members" / "plain-0.safetensors")
    with pytest.raises(BadInput, match=r"plain-0\.safetensors does not fit this network: .*: it is trained anew"):
        run(archive64, tmp_path)


def test_a_file_is_no_folder(archive64: Archive, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(BadInput, match=r"a\.csv is a file; a folder is needed$"):
        run(archive64, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "mine"


def nothing(training: Examples, held_out: Examples, *_: object) -> dict[str, np.ndarray]:
    """Predictions of methods that learnt nothing, at once."""
    return dict.fromkeys(("mean", "plain", "wavelets", "scorer"), np.zeros((2, len(held_out)), np.float32))


def test_the_table_says_which_critic_and_which_unknown_frames_but_not_where_they_lay(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "predictions", nothing)
    monkeypatch.setattr(ensemble, "read_critic", lambda source, side: (ensemble.sizes(side), {}))
    score(archive64, archive64, tmp_path / "out", replace(TINY, critic=tmp_path / "critic"), lambda *_: None)
    text = (tmp_path / "out" / "score.json").read_text()
    found = json.loads(text)
    assert found["options"]["critic"] == "critic"
    assert found["unknown"] == archive64.manifest["digest"]
    assert str(tmp_path) not in text


def test_the_files_are_replaced_and_never_written_into(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "predictions", nothing)
    run(archive64, tmp_path)
    files = [tmp_path / name for name in ("config.json", "score.json", "score.md")]
    for path in files:
        path.with_name(f"{path.name}.link").hardlink_to(path)
    run(archive64, tmp_path)
    assert not any(path.samefile(path.with_name(f"{path.name}.link")) for path in files)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"critic": Path("nowhere")}, "nowhere holds no checkpoint"),
        ({"critic": Path("dcgan")}, r"critic .*dcgan: a run of the WGAN \(preset eth-e1\) is needed"),
        ({"critic": Path("wgan")}, r"critic .*wgan judges 64 px: --side 64 is needed"),
        ({"device": "tpu"}, "device 'tpu': PyTorch can use cpu"),
        ({"side": 36}, "multiple of 8"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_computed_or_claimed(
    archive64: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(ensemble, "examples", lambda *_: pytest.fail("something was computed"))
    if "critic" in options:
        options = {"critic": tmp_path / options["critic"]}
        begin(tmp_path, options["critic"].name, archive64)
    with pytest.raises(BadInput, match=told):
        run(archive64, tmp_path / "out", replace(TINY, **options))
    assert not (tmp_path / "out").exists()


def begin(folder: Path, architecture: str, archive: Archive) -> None:
    """A run that has a checkpoint and no step, where the architecture is one."""
    if architecture in ARCHITECTURES:
        Trainer(tiny_config(architecture), archive, folder / architecture, 0, torch.device("cpu")).save()


@pytest.mark.slow
def test_scorers_start_from_a_trained_critic_and_read_grey_images(archives: dict[int, Path], tmp_path: Path) -> None:
    config = replace(tiny_config("wgan"), kimg=0.008)
    launch(config, archives[64], tmp_path)
    made = scorer(replace(TINY, side=64, critic=tmp_path))
    critic = Discriminator(WGANConfig(resolution=64, bands=3, critic_width=2, blocks=1))
    critic.load_state_dict(unflatten("discriminator", load(newest(tmp_path), "networks")))
    grey = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(made.trunk(grey), critic.trunk(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    assert made.eval()(grey).shape == (2,)
    with pytest.raises(BadInput, match="--side 64 is needed"):
        scorer(replace(TINY, critic=tmp_path))


def test_the_trunk_is_as_printed_from_128_pixels_on() -> None:
    assert [sizes(side).blocks for side in (1000, 128, 64, 32, 8)] == [3, 3, 2, 2, 1]
    with pytest.raises(BadInput, match="multiple of 8"):
        sizes(36)


def test_narrow_scorers_are_small_enough_to_be_bundled() -> None:
    printed, narrow = (parameters(scorer(ScoreOptions(head_width=width))) for width in (256, 64))
    assert printed > 3_000_000
    assert 5 * 2 * narrow < 6e6, "bytes of an ensemble of five with float16 weights"


def test_the_ensemble_is_the_mean_of_its_members() -> None:
    targets = np.zeros(4, np.float32)
    held_out = Examples(np.zeros((4, 1, 8, 8), np.uint8), targets, np.array(["blur"] * 4), np.arange(4))
    off = np.array([[1.0] * 4, [-1.0] * 4], np.float32)
    found = report(dict.fromkeys(("mean", "plain", "wavelets", "scorer"), off), held_out, 0)["methods"]
    assert found["scorer"]["mae"] == 1
    assert found["ensemble"]["mae"] == 0
    assert found["ensemble"]["kinds"] == {"blur": 0}
