"""One table of all published models: with and without reports, measured side by side, as Markdown, JSON and figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import training.compare
from galaxies.errors import BadInput
from models.generator import OnnxGenerator
from models.store import BUNDLED
from models.versions import describe
from tests.strategies import z_card
from tests.tiny_models import publish_style, publish_unusable, publish_z
from training.compare import CompareOptions, compare, models, parameters
from training.report.figures import Panel, bars

FAST = CompareOptions(seconds=0.01, rounds=1, batch=2)
METRICS = {
    "fid5k_train": {"value": 12.34, "n_generated": 5000, "n_reference": 4385},
    "kid5k_train": {"value": 0.0123, "deviation": 0.001, "n_generated": 5000, "n_reference": 4385},
    "precision": {"value": 0.61, "interval": [0.6, 0.62], "n_generated": 5000, "n_reference": 4385},
    "recall": {"value": 0.25, "interval": [0.2, 0.3], "n_generated": 5000, "n_reference": 4385},
    "floor": {"fid": 6.2, "kid": 0.0},
    "physical": {"n": 1000, "mean_ks": 0.2, "mean_ks_floor": 0.05, "joint_energy": 0.5, "joint_energy_floor": 0.01},
    "score": {"scorer": "s@1", "value": 6.1, "real": 7.2},
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    publish_style(root, metrics=METRICS, training={"dataset": "sdss", "images_seen": 391_040, "seconds": 5409.6, "device": "cpu"})
    publish_style(root, version="0", created="2020-01-01T00:00:00Z")
    publish_z(root)
    return root


def test_the_table_holds_every_model_its_figures_and_its_speed(store: Path, tmp_path: Path) -> None:
    said = list[str]()
    found = compare([store], tmp_path / "docs" / "systems", FAST, said.append)
    assert [row["model"] for row in found["rows"]] == ["tiny-style@1", "tiny-z@1"], "the newest version of each"
    style, z = found["rows"]
    assert (style["fid"]["value"], style["recall"], style["training_images_per_second"]) == (12.34, 0.25, 72.3)
    assert z["fid"] is None
    assert all(row["serving_images_per_second"] > 0 for row in found["rows"])
    assert json.loads((tmp_path / "docs" / "systems.json").read_text()) == found
    table = (tmp_path / "docs" / "systems.md").read_text()
    line = next(line for line in table.splitlines() if line.startswith("| `tiny-style@1`"))
    assert (
        "| 12.3 (5,000 : 4,385) | 12.3 | 0.61 | 0.25 | 1,000 | 0.200 (floor 0.050) | 0.500 (floor 0.010) | 6.10 (real 7.20) |"
        in line
    )
    assert "| 391 | 72.3 (cpu) |" in line
    line = next(line for line in table.splitlines() if line.startswith("| `tiny-z@1`"))
    assert line.count("no report") == 8
    columns = {line.count("|") for line in table.splitlines() if line.startswith("|")}
    assert columns == {17}
    assert "Real against real, FID: sdss 6.2." in table
    drawn = (tmp_path / "docs" / "systems.svg").read_text()
    assert "](systems.svg)" in table
    assert drawn.lstrip().startswith("<?xml")
    assert any("no report" in text for text in said)


def test_the_files_are_replaced_and_never_written_into(store: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"systems.{suffix}" for suffix in ("json", "md", "svg")]
    for path in files:
        path.write_text("before")
        path.with_name(f"{path.name}.link").hardlink_to(path)
    compare([store], tmp_path / "systems", FAST, list[str]().append)
    for path in files:
        assert path.read_text() != "before"
        assert path.with_name(f"{path.name}.link").read_text() == "before"


def test_names_choose_and_unknown_ones_are_named(store: Path, tmp_path: Path) -> None:
    assert [version.card.name for versions in models([store], ["tiny-z"], print) for version in versions] == ["tiny-z"]
    with pytest.raises(BadInput, match=r"model other is not in .*; there are tiny-style, tiny-z"):
        models([store], ["other"], print)


def test_a_store_that_is_no_folder_or_empty_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"/nowhere: there is no such folder; a model store is needed"):
        models([store, tmp_path / "nowhere"], [], print)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"/empty: there is no model that can be read"):
        models([tmp_path / "empty"], ["tiny-z"], print)


def test_damaged_models_are_told_and_nothing_but_them_is_an_error(store: Path, tmp_path: Path) -> None:
    said = list[str]()
    (store / "tiny-style" / "1" / "card.json").write_text("{")
    found = models([store], [], said.append)
    assert [[version.card.reference for version in versions] for versions in found] == [["tiny-style@0"], ["tiny-z@1"]]
    assert len(said) == 1
    assert said[0].startswith("left out: ")
    assert "tiny-style/1" in said[0]
    for name in ("tiny-style/0", "tiny-z/1"):
        (store / name / "card.json").write_text("{")
    with pytest.raises(BadInput, match="there is no model that can be read"):
        models([store], [], said.append)
    assert len(said) == 4


def with_report(root: Path, name: str, text: str) -> Path:
    """Add a report of ``text`` to the model ``name``@1 in the store, whose card is right about it; returns the file."""
    version = publish_z(root, name)
    path = version.folder / "report" / "report.json"
    path.parent.mkdir()
    path.write_text(text)
    card = version.card.model_copy(update={"files": version.card.files | {"report/report.json": describe(path, "report_json")}})
    card = card.model_copy(update={"digest": card.compute_digest()})
    (version.folder / "card.json").write_text(card.model_dump_json())
    return path


@pytest.mark.parametrize(
    ("text", "why"), [("{", "Expecting property name"), ("[]", "it is no report of ours"), ("{}", "it is no")]
)
def test_a_damaged_report_is_told_and_its_version_left_out(text: str, why: str, store: Path, tmp_path: Path) -> None:
    said = list[str]()
    path = with_report(store, "broken", text)
    found = compare([store], tmp_path / "systems", FAST, said.append)
    assert [row["model"] for row in found["rows"]] == ["tiny-style@1", "tiny-z@1"]
    (line,) = (text for text in said if text.startswith("left out: "))
    assert line.startswith(f"left out: the report of broken@1, {path}, cannot be read: {why}")


def test_a_version_that_does_not_run_is_told_and_the_one_before_it_taken(store: Path, tmp_path: Path) -> None:
    said = list[str]()
    publish_unusable(store, version="2", created="2030-01-01T00:00:00Z")
    (store / "tiny-z" / "1" / "generator.onnx").write_bytes(b"cut")
    found = compare([store], tmp_path / "systems", FAST, said.append)
    assert [row["model"] for row in found["rows"]] == ["tiny-style@1"]
    first, second = (text for text in said if text.startswith("left out: "))
    assert "model tiny-style@2" in first
    assert "model tiny-z@1: generator.onnx has 3 bytes" in second
    (store / "tiny-style" / "0" / "mapping.onnx").unlink()
    (store / "tiny-style" / "1" / "mapping.onnx").unlink()
    with pytest.raises(BadInput, match="there is no model that can be read"):
        compare([store], tmp_path / "none", FAST, said.append)
    assert not list(tmp_path.glob("none*"))


def test_a_version_that_makes_no_batches_is_left_out(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    whole = training.compare.generate

    def fails(generator: OnnxGenerator, seeds: range) -> np.ndarray:
        if generator.card.name == "tiny-z":
            raise RuntimeError("no memory\nfor it")
        return whole(generator, seeds)

    monkeypatch.setattr(training.compare, "generate", fails)
    found = compare([store], tmp_path / "systems", FAST, said.append)
    assert [row["model"] for row in found["rows"]] == ["tiny-style@1"]
    assert "left out: model tiny-z@1 does not run in batches of 2: no memory" in said


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("a.csv/c", r"^\S*a\.csv is a file; a folder for \S*a\.csv/c is needed$"),
        ("folder", r"^\S*folder\.svg is a folder; a file of that name is to be written$"),
        ("/proc/new", r"^/proc/new cannot be written: No such file or directory; choose another place$"),
        (".", r"^--out \.: the path of a table is needed, such as docs/systems$"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_read_or_timed(
    out: str, told: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "folder.svg").mkdir()
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(training.compare, "models", lambda *_: pytest.fail("something was read"))
    with pytest.raises(BadInput, match=told):
        compare([store], Path(out) if out == "." else tmp_path / out, FAST, print)
    assert set(tmp_path.iterdir()) == before


def test_data_sets_of_one_name_keep_their_floors_and_are_told_apart(tmp_path: Path) -> None:
    for name, data_set, digest, fid in (("a", "sdss", "1", 6.2), ("b", "sdss", "2", 7.3), ("c", "jwst", "3", 8.4)):
        training = {"dataset": data_set, "dataset_digest": f"sha256:{digest * 64}"}
        publish_z(tmp_path / "store", name, metrics=METRICS | {"floor": {"fid": fid, "kid": 0.0}}, training=training)
    found = compare([tmp_path / "store"], tmp_path / "systems", FAST, list[str]().append)
    assert [(floor["dataset"], floor["fid"]) for floor in found["floors"]] == [("sdss", 6.2), ("sdss", 7.3), ("jwst", 8.4)]
    table = (tmp_path / "systems.md").read_text()
    assert "Real against real, FID: sdss (11111111) 6.2; sdss (22222222) 7.3; jwst 8.4." in table
    assert [line.split(" | ")[3] for line in table.splitlines() if line.startswith("| `")] == [
        "sdss (11111111)",
        "sdss (22222222)",
        "jwst",
    ]


def test_parameters_are_those_of_the_bundled_cards_configuration() -> None:
    ((style, *_),) = models([BUNDLED], ["sdss-gz1-64"], print)
    assert parameters(style.card) == {"generator": 781_960, "discriminator": 896_272}
    ((plain, *_),) = models([BUNDLED], ["gz1-64-dcgan"], print)
    assert parameters(plain.card) == {"generator": 1_100_227, "discriminator": 694_689}, "without running statistics"
    assert parameters(z_card()) is None, "a card without a configuration of ours"


def test_bars_say_what_is_not_known() -> None:
    drawn = bars(["a", "b"], [Panel("FID", [10.0, None], [5.0, None]), Panel("speed", [None, None], logarithmic=True)])
    assert drawn.count("not measured") == 3


def test_bars_of_thousands_are_labelled_in_full() -> None:
    drawn = bars(["a", "b"], [Panel("speed", [5797.04, 0.0123], logarithmic=True)])
    assert "> 5,797<" in drawn
    assert "> 0.0123<" in drawn
