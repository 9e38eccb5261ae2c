"""Evaluation writes figures into the card, reuses what it did, and refuses what it cannot judge."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from tests.full_disk import no_file_beyond
from tests.tiny_models import publish_tiny_scorer
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.cli import main
from training.data.archive import read
from training.evaluate import EvaluateOptions, card_metrics, evaluate
from training.export import ExportOptions, export
from training.loop import train
from training.metrics.inception import find_network, load_network
from training.publishing import publish

pytestmark = pytest.mark.slow  # the exporter and the FID network take seconds


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    train(replace(tiny_config("stylegan2"), kimg=0.008), read(archives[16]), folder / "run")
    export(
        checkpoints.list_checkpoints(folder / "run")[-1],
        folder / "out",
        ExportOptions("tiny", "1", "T", "t", "MIT"),
        lambda s: None,
    )
    return folder / "out"


def quiet(what: str, done: int, total: int) -> None:
    """A progress callback that says nothing."""


def options(cache: Path) -> EvaluateOptions:
    return EvaluateOptions(count=20, cache=cache, network=find_network(), physical=12)


def test_figures_land_in_the_card_and_are_reused(exported: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    model, archive = tmp_path / "model", read(archives[16])
    shutil.copytree(exported, model)
    scorer = publish_tiny_scorer(tmp_path / "scorers", ModelCard.model_validate_json((model / "card.json").read_bytes())).folder
    judged = replace(options(tmp_path / "cache"), scorer=scorer)
    report = evaluate(model, archive, judged, quiet)
    card = ModelCard.model_validate_json((model / "card.json").read_bytes())
    metrics = card.metrics
    assert metrics == json.loads(json.dumps(card_metrics(report)))
    assert metrics["fid20_train"]["n_generated"] == 20
    assert metrics["fid20_train"]["n_reference"] == len(archive.training())
    assert metrics["fid20_held_out"]["n_reference"] == archive.held_out.sum()
    assert metrics["floor"]["same_size"]["fid"] > metrics["floor"]["fid"] > 0
    assert metrics["precision"]["value"] < 0.5, "an untrained generator makes no galaxies"
    assert metrics["memorisation"]["passed"]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    (model / "card.json").write_text(card.model_copy(update={"metrics": {**metrics, "fid10_train": {}}}).model_dump_json())
    again = evaluate(model, archive, judged, quiet)
    assert ModelCard.model_validate_json((model / "card.json").read_bytes()).metrics == metrics, "figures of one report alone"
    assert {**again, "seconds": None} == {**report, "seconds": None}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    published = publish(model, tmp_path / "store")
    assert published.card.metrics == metrics
    assert published.path("samples").read_bytes().startswith(b"\x89PNG")
    html = published.path("report_html").read_text()
    assert len(html) < 3_000_000
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?\s*(https?:)?//""", html), "the page needs nothing from elsewhere"
    assert set(re.findall(r'src="(\w+:[\w/]+)', html)) == {"data:image/webp"}
    assert "<script" not in html
    assert "Failed and doubtful fits" in html
    assert "Judged by tiny-scorer@1. nothing" in html
    assert metrics["score"]["n_generated"] == 20
    assert report["score"]["reference"] == "training images", "too few are held out"
    assert metrics["score"]["n_reference"] == len(archive.training())
    assert json.loads(published.path("report_json").read_bytes())["perceptual"]["precision"] == metrics["precision"]


def test_a_killed_evaluation_goes_on_where_it_was(exported: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    model, archive = tmp_path / "model", read(archives[16])
    shutil.copytree(exported, model)
    before = (model / "card.json").read_bytes()

    def killed(what: str, done: int, total: int) -> None:
        if what == "held-out images":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, archive, options(tmp_path / "cache"), killed)
    assert (model / "card.json").read_bytes() == before
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert len(kept) == 2, "features of generated and of training images"
    evaluate(model, archive, options(tmp_path / "cache"), quiet)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_only_evaluated_models_that_do_not_copy_are_published(exported: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(exported, model)
    with pytest.raises(BadInput, match="never evaluated"):
        publish(model, tmp_path / "store")
    card = ModelCard.model_validate_json((model / "card.json").read_bytes())
    verdict = {"passed": False, "reference": "held-out images", "failures": ["distance at the 1% quantile"]}
    (model / "card.json").write_text(card.model_copy(update={"metrics": {"memorisation": verdict}}).model_dump_json())
    for words in ({}, {"unevaluated": True}):
        with pytest.raises(BadInput, match=r"than held-out images do \(distance at the 1%"):
            publish(model, tmp_path / "store", **words)
    assert publish(model, tmp_path / "store", allow_memorised=True).card.reference == "tiny@1"


def test_another_data_set_is_refused(exported: Path, archives: dict[int, Path], tmp_path: Path) -> None:
    before = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    with pytest.raises(BadInput, match="give the archive of its training"):
        evaluate(exported, read(archives[64]), options(tmp_path), quiet)
    assert ModelCard.model_validate_json((exported / "card.json").read_bytes()) == before


def test_a_foreign_network_is_never_run(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "network.pt"
    path.write_bytes(b"torchscript of somebody else")
    with pytest.raises(BadInput, match="no known copy of the FID network"):
        load_network(path, torch.device("cpu"))


def test_a_full_disk_is_one_line_and_leaves_nothing(
    exported: Path,
    archives: dict[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, cache = sorted(exported.rglob("*")), tmp_path / "cache"
    words = ["evaluate", exported, "--data", archives[16], "--count", "100", "--physical", "0", "--cache", cache]
    monkeypatch.setattr("sys.argv", ["training", *map(str, words)])
    with no_file_beyond(10_000), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert re.search(rf"^error: {cache}/\w+/0-100\.npy: File too large$", capsys.readouterr().err, re.MULTILINE)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert sorted(exported.rglob("*")) == before
