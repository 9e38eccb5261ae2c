from __future__ import annotations

import threading
from pathlib import Path

import pytest

from galaxies.errors import BadInput, BadModel
from models.publish import publish
from models.store import ModelStore
from models.versions import verify
from tests.full_disk import no_file_beyond
from tests.tiny_models import publish_style, publish_z


def test_published_versions_never_change(tmp_path: Path) -> None:
    version = publish_z(tmp_path)
    before = (version.folder / "generator.onnx").read_bytes()
    with pytest.raises(BadInput, match="never changes"):
        publish_z(tmp_path, seed=5)
    assert (version.folder / "generator.onnx").read_bytes() == before


def test_of_publications_at_once_one_wins_and_nothing_half_stays(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            publish(source, tmp_path / "store")
            outcomes.append("won")
        except BadInput:
            outcomes.append("late")

    source = publish_style(tmp_path / "source").folder
    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["late"] * 3 + ["won"]
    verify(ModelStore([tmp_path / "store"]).get("tiny-style@1"))
    assert [p.name for p in (tmp_path / "store" / "tiny-style").iterdir()] == ["1"]


@pytest.mark.parametrize("known", [False, True])
def test_a_full_disk_names_the_store_and_leaves_it_as_it_was(tmp_path: Path, known: bool) -> None:
    source = publish_z(tmp_path / "source").folder
    store = tmp_path / "disk" / "store"
    if known:
        publish_style(store)
    before = sorted(tmp_path.rglob("*"))
    with no_file_beyond(1000), pytest.raises(OSError, match="File too large") as failed:
        publish(source, store)
    assert failed.value.filename == str(store / "tiny-z" / "1")
    assert failed.value.filename2 is None
    assert sorted(tmp_path.rglob("*")) == before


def test_a_source_with_a_damaged_file_is_not_published(tmp_path: Path) -> None:
    source = publish_z(tmp_path / "source").folder
    (source / "generator.onnx").write_bytes(b"x")
    with pytest.raises(BadModel, match=r"generator\.onnx"):
        publish(source, tmp_path / "store")
    assert not list((tmp_path / "store").rglob("*.onnx"))
