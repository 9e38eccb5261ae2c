from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from galaxies.errors import BadInput, BadModel, NotFound
from models.__main__ import main
from models.store import BUNDLED, DEFAULT, ModelStore, split_roots
from models.versions import verify
from tests.tiny_models import publish_style, publish_z


def test_name_gives_the_newest_and_a_version_gives_that_one(tmp_path: Path) -> None:
    publish_style(tmp_path, version="1", created="2026-01-01T00:00:00Z")
    publish_style(tmp_path, version="2", created="2026-02-01T00:00:00Z")
    store = ModelStore([tmp_path])
    assert store.get("tiny-style").card.version == "2"
    assert store.get("tiny-style@1").card.version == "1"


def test_a_version_published_later_is_seen_without_a_restart(tmp_path: Path) -> None:
    store = ModelStore([tmp_path])
    with pytest.raises(NotFound, match="no model"):
        store.get()
    publish_z(tmp_path)
    assert store.get().card.name == "tiny-z"
    publish_style(tmp_path)
    assert store.get().card.name == "tiny-style"  # style models go first
    shutil.rmtree(tmp_path / "tiny-style")
    assert store.names() == ["tiny-z"]


def test_the_default_can_be_named(tmp_path: Path) -> None:
    publish_z(tmp_path)
    publish_style(tmp_path)
    assert ModelStore([tmp_path], "tiny-z").get().card.name == "tiny-z"
    with pytest.raises(NotFound, match="absent"):
        ModelStore([tmp_path], "absent").get()


def test_what_is_published_beside_the_bundled_default_does_not_take_its_place(tmp_path: Path) -> None:
    publish_style(tmp_path, "another-model")
    assert ModelStore([BUNDLED, tmp_path]).get().card.name == DEFAULT
    assert ModelStore([tmp_path]).get().card.name == "another-model"


@pytest.mark.parametrize("reference", ["../tiny-z", "tiny-z/1", "TINY", "tiny-z@../1", "a@b@c", "tiny-z@", ".", "x" * 200])
def test_a_reference_is_never_a_path(tmp_path: Path, reference: str) -> None:
    publish_z(tmp_path)
    with pytest.raises(NotFound, match="tiny-z"):
        ModelStore([tmp_path]).get(reference)


def test_unknown_names_and_versions_are_answered_with_what_there_is(tmp_path: Path) -> None:
    publish_z(tmp_path)
    store = ModelStore([tmp_path])
    with pytest.raises(NotFound, match="tiny-z") as unknown:
        store.get("other")
    assert unknown.value.field == "/model"
    with pytest.raises(NotFound, match="it has 1"):
        store.get("tiny-z@9")


def test_a_card_is_read_again_only_when_its_file_changes(tmp_path: Path) -> None:
    version = publish_z(tmp_path)
    store = ModelStore([tmp_path])
    first = store.get("tiny-z@1")
    assert store.get("tiny-z@1") is first
    card = version.folder / "card.json"
    changed = json.loads(card.read_text()) | {"title": "Another title"}
    card.write_text(json.dumps(changed))
    with pytest.raises(BadModel, match="changed after publication"):
        store.get("tiny-z@1")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "galaxy-model/9"}', "\x00" * 100])
def test_a_foreign_card_is_a_problem_and_not_a_crash(tmp_path: Path, text: str) -> None:
    publish_style(tmp_path)
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(text)
    found, problems = ModelStore([tmp_path]).versions()
    assert [v.card.name for v in found] == ["tiny-style"]
    assert len(problems) == 1
    assert str(folder) in problems[0]


def test_a_version_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    version = publish_z(tmp_path)
    shutil.copytree(version.folder, tmp_path / "tiny-z" / "7")
    with pytest.raises(BadModel, match="tiny-z@7"):
        ModelStore([tmp_path]).get("tiny-z@7")


def test_the_first_root_wins(tmp_path: Path) -> None:
    publish_z(tmp_path / "a", title="first")
    publish_z(tmp_path / "b", title="second")
    store = ModelStore([tmp_path / "a", tmp_path / "b", tmp_path / "absent"])
    assert store.get("tiny-z").card.title == store.get("tiny-z@1").card.title == "first"


def test_what_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    version = publish_z(tmp_path)
    (version.folder / "generator.onnx").chmod(0)
    with pytest.raises(BadModel, match="cannot be read"):
        verify(version)


@pytest.mark.parametrize(
    ("text", "roots"), [("", []), ("/a:/b", ["/a", "/b"]), ("/a:", ["/a"]), (' ["/a", "/b:c", ""]', ["/a", "/b:c"]), ("[]", [])]
)
def test_roots_are_a_path_list_or_json(text: str, roots: list[str]) -> None:
    assert split_roots(text) == [Path(root) for root in roots]


@pytest.mark.parametrize("text", ["[x", "[1]", "[null]", '["/a"] x', "[" * 100_000])
def test_roots_that_cannot_be_read_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match="GALSYNTH_MODELS_DIRS is") as error:
        split_roots(text)
    assert error.value.field == "GALSYNTH_MODELS_DIRS"
    assert len(error.value.message) < 300


def test_the_program_refuses_a_broken_setting_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GALSYNTH_MODELS_DIRS", "[x")
    assert main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "GALSYNTH_MODELS_DIRS is '[x'" in line


@pytest.mark.parametrize("whole", [False, True])
def test_verify_of_a_name_says_which_card_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, whole: bool) -> None:
    if whole:
        publish_z(tmp_path, version="1", created="2026-01-01T00:00:00Z")
    damaged = publish_z(tmp_path, version="2", created="2026-02-01T00:00:00Z").folder / "card.json"
    damaged.write_text("{")
    assert main(["--root", str(tmp_path), "verify", "tiny-z"]) == 1
    said = capsys.readouterr()
    assert f"models: {damaged} is not a model card" in said.err
    assert ("tiny-z@1: 1 files whole" in said.out) == whole
    assert main(["--root", str(tmp_path), "verify", "tiny-z@1"]) == (0 if whole else 3)


def test_verify_looks_at_every_version_that_is_named_also_behind_a_damaged_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = [publish_z(tmp_path, name).folder / "card.json" for name in ("a", "b")]
    for card in damaged:
        card.write_text("{")
    publish_z(tmp_path, "c")
    assert main(["--root", str(tmp_path), "verify", "a@1", "b@1", "c@1"]) == 1
    said = capsys.readouterr()
    assert all(f"models: {card} is not a model card" in said.err for card in damaged)
    assert "c@1: 1 files whole" in said.out


@pytest.mark.parametrize("command", ["list", "show", "verify"])
def test_a_model_store_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "file").touch()
    absent = [tmp_path / "file", tmp_path / "nope"]
    monkeypatch.setenv("GALSYNTH_MODELS_DIRS", os.pathsep.join(map(str, absent)))
    assert main([command, *(["sdss-gz1-64"] if command == "verify" else [])]) == 0
    assert capsys.readouterr().err == "".join(f"models: GALSYNTH_MODELS_DIRS: there is no folder {each}\n" for each in absent)
