"""Images and a CSV become one archive, or one clear error."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxies.errors import BadInput
from tests.unit.training.conftest import DATA, sdss_options
from training.data.archive import dihedral, read
from training.data.prepare import PrepareOptions, prepare


def quiet(done: int, total: int) -> None:
    """A progress callback that says nothing."""


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_archive_round_trips(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    assert archive.images.shape == (36, 3, 16, 16)
    assert archive.classes == sorted(["elliptical", "edge_on", "spiral_cw", "spiral_acw", "spiral_combined", "merger"])
    folder_of = [file.split("/")[0] for file in archive.files]
    assert [archive.classes[label] for label in archive.labels] == folder_of
    assert 0 < archive.held_out.sum() < 36
    assert sum(c["count"] for c in archive.manifest["classes"]) == len(archive.training())


def test_same_input_gives_the_same_digest(tmp_path: Path, archives: dict[int, Path]) -> None:
    again = prepare(sdss_options(tmp_path / "again", 16), quiet)
    assert again.manifest["digest"] == read(archives[16]).manifest["digest"]


def test_downsampling_averages_area(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    save(tmp_path / "in" / "a.png", pixels)
    archive = prepare(PrepareOptions(tmp_path / "in", tmp_path / "out", resolution=8, held_out=0), quiet)
    oracle = pixels.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    assert np.abs(archive.images[0, 0] - oracle).max() <= 1.01
    assert archive.manifest["bands"] == ["grey"]


def test_oblong_images_are_cropped_to_their_centre(tmp_path: Path) -> None:
    pixels = np.zeros((16, 48, 3), dtype=np.uint8)
    pixels[:, 16:32] = (10, 20, 30)
    save(tmp_path / "in" / "a.png", pixels)
    archive = prepare(PrepareOptions(tmp_path / "in", tmp_path / "out", resolution=16, held_out=0), quiet)
    assert (archive.images[0] == np.array([10, 20, 30]).reshape(3, 1, 1)).all()


def test_split_follows_the_object_not_the_set(tmp_path: Path) -> None:
    whole = prepare(sdss_options(tmp_path / "whole", 16), quiet)
    part = prepare(replace(sdss_options(tmp_path / "part", 16), mirror_pairs=(), max_column="mean_luma", max_value=6.0), quiet)
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
        ({"csv": DATA / "absent.csv"}, "absent.csv cannot be read"),
        ({"class_column": "kind"}, "no column 'kind'; it has file"),
        ({"source": DATA / "README.md"}, "neither a folder nor a zip"),
        ({"max_column": "gz1_class", "max_value": 1.0}, "'edge_on' in column 'gz1_class' is not a number"),
        ({"mirror_pairs": (("spiral_cw", "round"),)}, "class 'round' is unknown"),
        ({"resolution": 256}, "at least 256 × 256 is needed"),
        ({"band_names": ("g",)}, "1 band names"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(tmp_path: Path, change: dict[str, object], message: str) -> None:
    options = replace(sdss_options(tmp_path / "out", 16), **change)
    with pytest.raises(BadInput, match=message):
        prepare(options, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_fatal_or_skipped_as_asked(tmp_path: Path) -> None:
    source = tmp_path / "in.zip"
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "PNG")
    with zipfile.ZipFile(source, "w") as container:
        container.writestr("good.png", buffer.getvalue())
        container.writestr("bad.png", buffer.getvalue()[:40])
    options = PrepareOptions(source, tmp_path / "out", resolution=16, held_out=0)
    with pytest.raises(BadInput, match=r"bad\.png cannot be read"):
        prepare(options, quiet)
    archive = prepare(replace(options, on_error="skip"), quiet)
    assert list(archive.files) == ["good.png"]
    assert "bad.png" in archive.manifest["broken"][0]


def test_sixteen_bit_images_are_refused_not_clipped(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", np.full((16, 16), 40_000, dtype=np.uint16))
    with pytest.raises(BadInput, match="8-bit"):
        prepare(PrepareOptions(tmp_path / "in", tmp_path / "out", resolution=16), quiet)


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    prepare(sdss_options(tmp_path / "a", 16), quiet)
    images = tmp_path / "a" / "images.npz"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(BadInput, match="damaged"):
        read(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(BadInput, match="format 'other'"):
        read(tmp_path / "a")
    with pytest.raises(BadInput, match="not a data set archive"):
        read(tmp_path / "none")
