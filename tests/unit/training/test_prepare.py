"""Galaxies become one archive, or one clear error."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxies.errors import BadInput
from tests.unit.training.conftest import DATA, sdss_options
from tests.worker_fakes import wait_until
from training.data.archive import FORMAT_1, dihedral, read, sha256
from training.data.like import read_like
from training.data.options import PrepareOptions, Reading, Selection
from training.data.prepare import prepare


def quiet(done: int, total: int) -> None:
    """A progress callback that says nothing."""


def unread(done: int, total: int) -> None:
    """A progress callback that nothing should call."""
    raise AssertionError(f"{done} of {total} were read")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def simple(folder: Path, resolution: int = 16, **reading: Any) -> PrepareOptions:
    """Options for ``folder/in`` → ``folder/out`` without held-out objects."""
    return PrepareOptions(folder / "in", folder / "out", reading=Reading(resolution=resolution, **reading), held_out=0)


def selecting(options: PrepareOptions, **change: Any) -> PrepareOptions:
    return replace(options, selection=replace(options.selection, **change))


def noisy(seed: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def test_archive_round_trips(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    assert archive.images.shape == (36, 3, 16, 16)
    assert archive.classes == sorted(["elliptical", "edge_on", "spiral_cw", "spiral_acw", "spiral_combined", "merger"])
    folder_of = [file.split("/")[0] for file in archive.files]
    assert [archive.classes[label] for label in archive.labels] == folder_of
    assert 0 < archive.held_out.sum() < 36
    assert sum(c["count"] for c in archive.manifest["classes"]) == len(archive.training())
    assert sorted([*archive.training(), *archive.held_out_indices()]) == list(range(36))


def test_same_input_gives_the_same_bytes_with_one_process_and_with_two(tmp_path: Path, archives: dict[int, Path]) -> None:
    for jobs in (1, 2):
        prepare(replace(sdss_options(tmp_path / "16", 16), jobs=jobs), quiet)
        for path in sorted(archives[16].iterdir()):
            assert (tmp_path / "16" / path.name).read_bytes() == path.read_bytes(), path.name
        (tmp_path / "16").rename(tmp_path / f"done-{jobs}")


def test_every_input_is_listed_with_its_digest(archives: dict[int, Path]) -> None:
    lines = (archives[16] / "inputs.csv").read_text().splitlines()
    assert lines[0] == "file,object,class,outcome,detail,sha256"
    assert len(lines) == 37
    file, _, _, outcome, _, digest = lines[1].split(",")
    with zipfile.ZipFile(DATA / "galaxies.zip") as container:
        content = container.read(file)
    assert outcome == "kept"
    assert digest == sha256_of(content)
    manifest = read(archives[16]).manifest
    assert manifest["files"]["inputs.csv"] == sha256(archives[16] / "inputs.csv")
    assert manifest["source"]["digest"] == sha256(DATA / "galaxies.zip")


def sha256_of(content: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_there_is_something_to_look_at(archives: dict[int, Path]) -> None:
    with Image.open(archives[16] / "sheet.png") as sheet, Image.open(archives[16] / "histograms.png") as histograms:
        assert sheet.width == 160
        assert np.asarray(sheet).std() > 10
        assert histograms.height == 600


def test_archives_of_the_first_format_are_still_read(tmp_path: Path, archives: dict[int, Path]) -> None:
    new = read(archives[16])
    (tmp_path / "old").mkdir()
    arrays = {"images": new.images, "labels": new.labels, "held_out": new.held_out, "files": new.files}
    np.savez(tmp_path / "old" / "images.npz", **arrays)
    keys = ("classes", "mirrored_class", "bands", "resolution", "pixel_scale_arcsec")
    manifest = {"format": FORMAT_1, **{key: new.manifest[key] for key in keys}}
    manifest["digest"] = sha256(tmp_path / "old" / "images.npz")
    (tmp_path / "old" / "manifest.json").write_text(json.dumps(manifest))
    old, indices, symmetry = read(tmp_path / "old"), np.arange(8), np.arange(8)
    assert all((a == b).all() for a, b in zip(old.batch(indices, symmetry), new.batch(indices, symmetry), strict=True))


def test_oblong_images_are_cropped_to_their_centre(tmp_path: Path) -> None:
    pixels = np.zeros((16, 48, 3), dtype=np.uint8)
    pixels[:, 16:32] = (10, 20, 30)
    save(tmp_path / "in" / "a.png", pixels)
    archive = prepare(simple(tmp_path), quiet)
    assert (archive.images[0] == np.array([10, 20, 30]).reshape(3, 1, 1)).all()


def test_split_follows_the_object_not_the_set(tmp_path: Path) -> None:
    whole = prepare(sdss_options(tmp_path / "whole", 16), quiet)
    fewer = selecting(sdss_options(tmp_path / "part", 16), maximum=(("mean_luma", 6.0),))
    part = prepare(replace(fewer, mirror_pairs=()), quiet)
    held = dict(zip(whole.files, whole.held_out, strict=True))
    assert 0 < len(part.files) < len(whole.files)
    assert all(held[file] == out for file, out in zip(part.files, part.held_out, strict=True))


def test_mirrored_spirals_change_their_class(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    clockwise = archive.classes.index("spiral_cw")
    indices = np.flatnonzero(archive.labels == clockwise)
    for k in range(8):
        _, labels = archive.batch(indices, np.full(len(indices), k))
        expected = "spiral_acw" if k >= 4 else "spiral_cw"
        assert {archive.classes[label] for label in labels} == {expected}


def test_the_eight_symmetries_differ_and_keep_the_pixels() -> None:
    image = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    turned = [dihedral(image, k) for k in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    assert all((np.sort(t, axis=None) == np.sort(image, axis=None)).all() for t in turned)
    assert (turned[0] == image).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": DATA / "README.md"}, "neither a folder nor a zip"),
        ({"mirror_pairs": (("spiral_cw", "round"),)}, "class 'round' is unknown"),
        ({"reading": Reading(resolution=256)}, "at least 256 × 256 is needed"),
        (
            {"selection": Selection(csv=DATA / "galaxies.csv", maximum=(("mean_luma", -1.0),))},
            "no row of .* is selected by mean_luma",
        ),
        (
            {"selection": Selection(csv=DATA / "galaxies.csv", file_pattern="x/{}")},
            "36 of 36 rows of .* is not in .*; and 33 more",
        ),
        ({"reading": Reading(resolution=16, limit_bytes=1000)}, "unpacks to more than .* raise --max-megabytes"),
        ({"held_out": 1.0}, "all 36 images are held out"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(tmp_path: Path, change: dict[str, object], message: str) -> None:
    options = replace(sdss_options(tmp_path / "out", 16), **change)
    with pytest.raises(BadInput, match=message):
        prepare(options, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_fatal_or_skipped_as_asked(tmp_path: Path) -> None:
    source = tmp_path / "in"
    buffer = io.BytesIO()
    Image.fromarray(noisy(0)).save(buffer, "PNG")
    with zipfile.ZipFile(source, "w") as container:
        container.writestr("good.png", buffer.getvalue())
        container.writestr("bad.png", buffer.getvalue()[:40])
    with pytest.raises(BadInput, match=r"bad\.png cannot be read"):
        prepare(simple(tmp_path), quiet)
    archive = prepare(replace(simple(tmp_path), on_error="skip"), quiet)
    assert list(archive.files) == ["good.png"]
    assert "bad.png" in archive.manifest["broken"][0]
    assert "bad.png,bad,,broken," in (tmp_path / "out" / "inputs.csv").read_text()


def test_rows_that_cannot_be_used_are_counted_and_every_one_is_listed(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "in" / f"{number}.png", noisy(number))
    rows = ["file,kind,id", "0.png,round,a", "8.png,round,b", "1.png,,c", "9.png,flat,d", "2.png,flat", "7.png,flat,f"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    options = selecting(simple(tmp_path), csv=tmp_path / "t.csv", class_column="kind", object_column="id")
    source = re.escape(str(tmp_path / "in"))
    with pytest.raises(
        BadInput,
        match=rf"5 of 6 rows of .*t\.csv cannot be used: 8\.png \(row 3\) is not in {source}; row 4 \(1\.png\) has no label in "
        rf"column 'kind'; 9\.png \(row 5\) is not in {source}; and 2 more \(--file-column",
    ):
        prepare(options, unread)
    for jobs in (1, 2):
        archive = prepare(replace(options, on_error="skip", jobs=jobs), quiet)
        assert list(archive.files) == ["0.png"]
        assert [text.split(" (row")[0] for text in archive.manifest["broken"]] == [
            "8.png", "row 4 (1.png) has no label in column 'kind'", "9.png", "row 6 has 2 columns, not 3", "7.png",
        ]  # fmt: skip
        with (tmp_path / "out" / "inputs.csv").open(newline="") as stream:
            listed = [(row["file"], row["object"], row["class"], row["outcome"]) for row in csv.DictReader(stream)]
        assert listed == [
            ("0.png", "a", "round", "kept"),
            ("8.png", "b", "round", "broken"),
            ("1.png", "c", "", "broken"),
            ("9.png", "d", "flat", "broken"),
            ("2.png", "2", "", "broken"),
            ("7.png", "f", "flat", "broken"),
        ]
        shutil.rmtree(tmp_path / "out")


def test_a_cell_that_is_no_number_is_fatal_or_skipped_as_asked(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "in" / f"{number}.png", noisy(number))
    (tmp_path / "t.csv").write_text("file,val\n0.png,n/a\n1.png,5\n")
    options = selecting(simple(tmp_path), csv=tmp_path / "t.csv", minimum=(("val", 3.0),))
    problem = "row 2 (0.png) has 'n/a' in column 'val', which is not a number"
    with pytest.raises(
        BadInput, match=re.escape(f"1 of 2 rows of {tmp_path / 't.csv'} cannot be used: {problem} (--file-column")
    ):
        prepare(options, unread)
    archive = prepare(replace(options, on_error="skip"), quiet)
    assert (list(archive.files), archive.manifest["broken"]) == (["1.png"], [problem])


def test_a_class_of_missing_files_is_no_class(tmp_path: Path) -> None:
    save(tmp_path / "in" / "0.png", noisy(0))
    (tmp_path / "t.csv").write_text("file,kind\n0.png,round\n9.png,flat\n")
    options = selecting(simple(tmp_path), csv=tmp_path / "t.csv", class_column="kind")
    with pytest.raises(BadInput, match="class 'flat' is unknown; there are round"):
        prepare(replace(options, on_error="skip", mirror_pairs=(("round", "flat"),)), unread)


def test_images_of_other_bands_or_types_do_not_mix(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", noisy(0))
    save(tmp_path / "in" / "b.png", np.stack([noisy(1)] * 3, axis=-1))
    save(tmp_path / "in" / "c.png", noisy(2).astype(np.uint16) * 200)
    with pytest.raises(BadInput, match=r"b\.png has 3 bands \(red, green, blue\); the set has 1 bands \(grey\) since a\.png"):
        prepare(simple(tmp_path), quiet)
    archive = prepare(replace(simple(tmp_path), on_error="skip"), quiet)
    assert [text.split()[0] for text in archive.manifest["broken"]] == ["b.png", "c.png"]
    assert "float32 pixels" in archive.manifest["broken"][1]


def test_where_all_that_is_left_is_held_out_the_others_are_counted(tmp_path: Path) -> None:
    for name in ("a", "twin"):
        save(tmp_path / "in" / f"{name}.png", noisy(0))
    for name in ("b", "c"):
        (tmp_path / "in" / f"{name}.png").touch()
    options = replace(simple(tmp_path), on_error="skip", held_out=1.0)
    with pytest.raises(BadInput, match=r"^all 1 images are held out of training \(1 duplicate, 2 broken were left out\); lower"):
        prepare(options, quiet)
    for name in ("a", "twin"):
        save(tmp_path / "in" / f"{name}.png", np.zeros((16, 16), np.uint8))
    options = replace(options, reading=replace(options.reading, reject=(("empty", 5.0),)))
    with pytest.raises(BadInput, match=r"leaves no image: 2 empty, 2 broken$"):
        prepare(options, quiet)


def test_sixteen_bits_keep_their_values(tmp_path: Path) -> None:
    pixels = noisy(0).astype(np.uint16) * 256 + 7
    save(tmp_path / "in" / "a.png", pixels)
    archive = prepare(simple(tmp_path), quiet)
    assert archive.images.dtype == np.float32
    assert (archive.images[0, 0] == pixels).all()
    assert archive.manifest["normalisation"]["kind"] == "asinh"
    assert not archive.manifest["display"]


def test_the_same_picture_twice_is_kept_once_and_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "in" / f"{name}.png", noisy(0))
    archive = prepare(simple(tmp_path), quiet)
    assert list(archive.files) == ["a.png"]
    assert archive.manifest["rejected"] == {"duplicate": 1}
    assert "b.png,b,,rejected,duplicate of a.png" in (tmp_path / "out" / "inputs.csv").read_text()


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from galaxies.errors import Transient\n"
        "from tests.unit.training.conftest import sdss_options; from training.data.prepare import prepare\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try: prepare(sdss_options(Path(sys.argv[1]), 16), lambda done, total: None)\n"
        "except Transient as error: print(error.message)\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert "is full" in done.stdout, done.stderr
    assert "nothing was written" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 9000


@pytest.mark.slow
def test_sigterm_leaves_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training",
        "prepare",
        "--simulate",
        "sdss",
        "--count",
        "100000",
        "--jobs",
        "1",
        "--out",
        "out",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: any(path.stat().st_size > 100_000 for path in tmp_path.glob(".out.*/images.npy")), 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", noisy(0))

    def meanwhile(done: int, total: int) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").touch()

    with pytest.raises(BadInput, match="out exists already"):
        prepare(simple(tmp_path), meanwhile)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "in", "mine", "out"]


def test_what_killed_runs_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".out.999999999").mkdir()
    (tmp_path / ".out.1").mkdir()
    save(tmp_path / "in" / "a.png", noisy(0))
    prepare(simple(tmp_path), quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.1", "in", "out"]


@pytest.mark.parametrize("place", ["file/set", "file/x/set", "/proc/none/set", "n" * 300, "..", "new/.."])
def test_a_place_where_no_folder_can_be_is_one_clear_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    save(tmp_path / "in" / "a.png", noisy(0))
    with pytest.raises(BadInput, match=r"(cannot be made: .*|exists already); choose another folder"):
        prepare(replace(simple(tmp_path), out=tmp_path / place), quiet)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "file", "in"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mirror_pairs": (("spiral_cw", "round"),)}, "--mirror spiral_cw:round: class 'round' is unknown; there are edge_on, "),
        ({"mirror_pairs": (("merger", "edge_on"), ("edge_on", "spiral_cw"))}, "class 'edge_on' has a mirror image already"),
        (
            {"selection": Selection()},
            "--mirror spiral_cw:spiral_acw: class 'spiral_cw' is unknown; there are none: name a column",
        ),
        ({"like": Path("nowhere")}, "nowhere is not a data set archive"),
    ],
)
def test_what_is_wrong_with_the_options_is_said_before_anything_is_read(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        prepare(replace(sdss_options(tmp_path / "out", 16), **change), unread)
    assert list(tmp_path.iterdir()) == []


def test_constants_that_do_not_fit_are_refused_with_the_first_image(tmp_path: Path, archives: dict[int, Path]) -> None:
    for name in "abc":
        save(tmp_path / "in" / f"{name}.png", noisy(ord(name)))
    with pytest.raises(BadInput, match=r"has bands .*'red'.* this set has \[\('grey', None\)\]"):
        prepare(replace(simple(tmp_path), like=archives[16]), unread)
    (tmp_path / "in" / "a.png").unlink()
    save(tmp_path / "in" / "a.png", noisy(0).astype(np.uint16) * 200)
    with pytest.raises(BadInput, match="not both levels or both fluxes"):
        prepare(replace(simple(tmp_path), like=archives[16]), unread)


def test_a_manifest_that_lacks_something_is_one_clear_error(tmp_path: Path, archives: dict[int, Path]) -> None:
    manifest = read(archives[16]).manifest
    del manifest["digest"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match=r"cannot be read as a data set archive: digest$"):
        read_like(tmp_path)


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    prepare(sdss_options(tmp_path / "a", 16), quiet)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({**manifest, "mirrored_class": [0, 1, 2, 3, 4, 5]}))
    with pytest.raises(BadInput, match=r"manifest\.json is missing or damaged"):
        read(tmp_path / "a")
    images = tmp_path / "a" / "images.npy"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"images\.npy is missing or damaged"):
        read(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(BadInput, match="format 'other'"):
        read(tmp_path / "a")
    with pytest.raises(BadInput, match="not a data set archive"):
        read(tmp_path / "none")
