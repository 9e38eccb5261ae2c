"""The picture of augmentations shows every transform and preset, for any number of bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxies.errors import BadInput
from training.augment import PRESETS
from training.augment.sheet import COLUMNS, GAP, LABEL, rows, sheet
from training.cli.augmentations import augmentations


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_picture_has_a_row_of_every_transform_and_preset(bands: int, tmp_path: Path) -> None:
    labels = [label for label, _, _ in rows(bands)]
    assert len(labels) == len(set(labels))
    assert {"mirror", "octave filter, sigma 1.0", "cut out, size 0.3, sky", "cut out, size 0.5"} <= set(labels)
    assert {label.split(",")[0].removeprefix("preset ") for label in labels if "preset" in label} == set(PRESETS) - {"none"}
    image = np.random.default_rng(0).uniform(-1, 1, (bands, 16, 16)).astype(np.float32)
    sheet(image, tmp_path / "new" / "a.png")
    picture = Image.open(tmp_path / "new" / "a.png")
    assert picture.size[0] == 3 * (COLUMNS * (16 + GAP) + 3 * GAP)
    assert picture.size[1] % (16 + LABEL + GAP) == 0


def test_command_names_the_image_or_its_range(
    archives: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    augmentations(archives[16], tmp_path / "a.png", image=3)
    assert "edge_on/" in capsys.readouterr().out
    assert (tmp_path / "a.png").is_file()
    with pytest.raises(BadInput, match="outside 0 … 35"):
        augmentations(archives[16], tmp_path / "a.png", image=36)
