"""Fields of the sky: dark, seeded, made of real galaxies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.data.archive import Archive, read
from training.data.fields import FieldOptions, field, write_fields
from training.data.options import PrepareOptions, Reading
from training.data.prepare import prepare

SMALL = FieldOptions(count=3, side=128, galaxies=4, stars=6, smallest=8, largest=32, seed=3)


def test_most_of_a_field_is_dark_and_some_of_it_is_not(archive64: Archive) -> None:
    made = field(archive64, replace(SMALL, side=400), 0)
    assert (made <= 3).mean() > 0.7
    assert made.max() > 60


def test_a_field_follows_from_seed_and_number_alone(archive64: Archive) -> None:
    first = field(archive64, SMALL, 1)
    np.testing.assert_array_equal(first, field(archive64, replace(SMALL, count=99), 1))
    assert (first != field(archive64, SMALL, 2)).any()
    assert (first != field(archive64, replace(SMALL, seed=4), 1)).any()


def test_padding_is_black_around_the_same_field(archive64: Archive) -> None:
    padded = field(archive64, replace(SMALL, pad=152), 0)
    np.testing.assert_array_equal(padded[12:140, 12:140], field(archive64, SMALL, 0))
    padded[12:140, 12:140] = 0
    assert not padded.any()


def test_galaxies_leave_no_square(archive64: Archive) -> None:
    """A cut-out that is bright to its last pixel but one changes pixels inside a disc only, and fades towards its border."""
    bright = np.zeros((2, 1, 64, 64), np.uint8)
    bright[:, :, 1:-1, 1:-1] = 200
    squares = replace(archive64, images=bright, labels=np.zeros(2, np.int64), held_out=np.zeros(2, bool))
    options = FieldOptions(side=200, galaxies=1.0, stars=0.0, smallest=64, largest=64, seed=7)
    empty = field(squares, replace(options, galaxies=0.0), 0)
    assert empty.max() <= 10, "without galaxies and stars a field is noise"
    above = field(squares, options, 0).astype(int) - empty
    assert above.max() > 60
    rows, columns = np.nonzero(above)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    assert 56 <= np.ptp(rows) < 64, "one galaxy, all of it within the field"
    assert 56 <= np.ptp(columns) < 64
    assert np.hypot(rows - middle[0], columns - middle[1]).max() < 33
    assert max(np.abs(np.diff(above, axis=axis)).max() for axis in (0, 1)) < 30


def test_fields_become_an_archive(archive64: Archive, tmp_path: Path) -> None:
    fields = tmp_path / "new" / "fields.zip"
    write_fields(archive64, fields, SMALL, lambda done, total: None)
    assert list(fields.parent.iterdir()) == [fields]
    prepare(PrepareOptions(fields, tmp_path / "set", reading=Reading(resolution=128)), lambda done, total: None)
    made = read(tmp_path / "set")
    assert made.images.shape == (3, 1, 128, 128)
    np.testing.assert_array_equal(made.images[0, 0], field(archive64, SMALL, 0))
    with pytest.raises(BadInput, match="exists already"):
        write_fields(archive64, fields, SMALL, lambda done, total: None)


def test_a_name_that_is_no_zip_is_refused(archive64: Archive, tmp_path: Path) -> None:
    for name in ("f.txt", "f"):
        with pytest.raises(BadInput, match=f"{name} is no name of a zip: one that ends in .zip is needed"):
            write_fields(archive64, tmp_path / name, SMALL, lambda done, total: None)
    assert not list(tmp_path.iterdir())


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match="do not fit"):
        FieldOptions(side=32)
    with pytest.raises(BadInput, match="pad 100"):
        FieldOptions(pad=100)
