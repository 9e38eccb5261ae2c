"""What is wrong with an evaluation is said at once, in one line that says what to do."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from galaxies.errors import BadInput
from models.versions import Version
from tests.tiny_models import publish_style
from training.data.archive import Archive, read
from training.evaluate import EvaluateOptions, evaluate
from training.metrics.inception import find_network


def silent(what: str, done: int, total: int) -> None:
    """A progress callback: nothing must be measured."""
    raise AssertionError(what)


@pytest.fixture
def archive(archives: dict[int, Path]) -> Archive:
    return read(archives[16])


@pytest.fixture
def published(tmp_path: Path, archive: Archive) -> Version:
    """A published model that was trained on ``archive``, if its card is to be believed."""
    return publish_style(tmp_path / "store", "m", training={"dataset_digest": archive.manifest["digest"]})


def options(tmp_path: Path, **changes: Any) -> EvaluateOptions:
    return replace(EvaluateOptions(20, tmp_path / "cache", find_network()), **changes)


def test_a_published_version_is_not_evaluated_because_it_never_changes(
    tmp_path: Path, archive: Archive, published: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in published.folder.rglob("*") if path.is_file()}
    (tmp_path / "link").symlink_to(published.folder)
    monkeypatch.chdir(published.folder)
    for folder in (published.folder, tmp_path / "link", Path()):
        with pytest.raises(BadInput, match="is the published version m@1, which never changes: evaluate the folder"):
            evaluate(folder, archive, options(tmp_path), silent)
    assert {path: path.read_bytes() for path in published.folder.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "gpu"}, "device 'gpu': PyTorch can use cpu"),
        ({"precision": "float64"}, "precision 'float64': one of bfloat16, float32"),
        ({"network": Path("nowhere.pt")}, r"nowhere\.pt is not a file; the FID network is expected there"),
        ({"full_network": Path("nowhere.pth")}, r"nowhere\.pth is not a file; the official pt_inception"),
        ({"full_network": Path(__file__)}, "that of the official Inception weights begins with 6726825d"),
        ({"run": Path("nowhere")}, "the folder of a training run is needed"),
        ({"cache": Path(__file__)}, "cache .*test_evaluate_input.py: File exists; a folder that can be written is needed"),
        ({"cache": Path(__file__) / "x"}, "cache .*: Not a directory; a folder that can be written is needed"),
    ],
)
def test_wrong_options_are_found_out_before_anything_is_measured(
    tmp_path: Path, archive: Archive, published: Version, changes: dict[str, Any], message: str
) -> None:
    shutil.copytree(published.folder, tmp_path / "model")
    with pytest.raises(BadInput, match=message):
        evaluate(tmp_path / "model", archive, options(tmp_path, **changes), silent)


def test_another_archive_is_named_with_what_to_do(tmp_path: Path, archives: dict[int, Path], published: Version) -> None:
    shutil.copytree(published.folder, tmp_path / "model")
    other = read(archives[64])
    with pytest.raises(BadInput) as refused:
        evaluate(tmp_path / "model", other, options(tmp_path), silent)
    digests = read(archives[16]).manifest["digest"], other.manifest["digest"]
    assert all(digest in refused.value.message for digest in digests)
    assert (
        "give the archive of its training. The same `prepare` command on the same files makes it again" in refused.value.message
    )
