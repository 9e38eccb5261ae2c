"""Simulated galaxies: the catalogue is true, every image follows from its seed, and constants can come from a real set."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.data.archive import Archive, read
from training.data.options import PrepareOptions, Reading, Selection
from training.data.sim_draw import draw_galaxy
from training.data.sim_presets import PRESETS
from training.data.simulate import Simulation, simulate


def made(out: Path, count: int = 6, preset: str = "ceers", resolution: int = 25, **change: Any) -> Archive:
    options = PrepareOptions(Path(preset), out, reading=Reading(resolution=resolution), **{"held_out": 0.0, **change})

    def shown(done: int, total: int) -> None:
        drawn.append(done)

    drawn.clear()
    return simulate(options, Simulation(preset, count, 11), shown)


drawn: list[int] = []
"""What the last call of `made` has drawn."""


def catalogue(out: Path) -> list[dict[str, str]]:
    with (out / "catalogue.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sim") / "set"
    made(out, selection=Selection(class_column="kind"))
    return out


def test_an_archive_has_bands_catalogue_and_classes(simulated: Path) -> None:
    archive, rows = read(simulated), catalogue(simulated)
    assert archive.images.shape == (6, 3, 25, 25)
    assert archive.images.dtype == np.float32
    assert archive.manifest["pixel_scale_arcsec"] == pytest.approx(0.12)
    assert [band["unit"] for band in archive.manifest["band_details"]] == ["MJy/sr"] * 3
    assert [row["kind"] for row in rows] == [archive.classes[label] for label in archive.labels]
    native = PRESETS["ceers"].bands[0].zero_point
    assert archive.manifest["band_details"][0]["zero_point"] == pytest.approx(native - 5 * np.log10(4), abs=1e-3)
    assert all((row["kind"] == "merger") == bool(row["companion_flux_ratio"]) for row in rows)


def test_an_image_depends_on_its_seed_and_number_only(simulated: Path, tmp_path: Path) -> None:
    fewer = made(tmp_path / "fewer", count=4)
    assert np.array_equal(fewer.images, read(simulated).images[:4])
    assert len({image.tobytes() for image in fewer.images}) == 4


@pytest.mark.parametrize(
    ("arms", "mergers", "kinds"),
    [
        (0.0, 0.0, {"elliptical", "disc"}),
        (1.0, 0.0, {"elliptical", "spiral"}),
        (0.0, 1.0, {"merger"}),
        (1.0, 1.0, {"merger"}),
        (None, 0.0, {"elliptical", "disc", "spiral"}),
    ],
)
def test_arms_and_mergers_are_optional_and_the_catalogue_follows(arms: float | None, mergers: float, kinds: set[str]) -> None:
    preset = PRESETS["ceers-06"].weighted(arms, mergers)
    truths = [draw_galaxy(preset, np.random.default_rng([2, number]))[1] for number in range(24)]
    assert {truth["kind"] for truth in truths} == kinds == set(preset.kinds)
    assert all(bool(truth["companion_flux_ratio"]) == (truth["kind"] == "merger") for truth in truths)
    discs = [truth for truth in truths if truth["redness_disc"] != ""]
    assert discs
    if arms is None:
        assert {bool(truth["arms"]) for truth in discs} == {False, True}
    else:
        assert {bool(truth["arms"]) for truth in discs} == {bool(arms)}
        assert {bool(truth["arm_strength"]) for truth in discs} == {bool(arms)}


def test_parts_between_keep_the_proportions_of_the_others() -> None:
    preset = PRESETS["ceers"]
    shares, merging = dict(preset.weighted(0.25, 0.5).shares), dict(preset.weighted(0.25, 0.5).merging)
    assert shares == pytest.approx({"merger": 0.5, "elliptical": 0.15625, "disc": 0.2578125, "spiral": 0.0859375})
    assert merging == pytest.approx({"elliptical": 0.3, "disc": 0.525, "spiral": 0.175})
    assert preset.weighted(None, None) == preset
    drawn_kinds = [draw_galaxy(preset.weighted(None, 0.5), np.random.default_rng([6, number]))[1]["kind"] for number in range(20)]
    assert 5 <= drawn_kinds.count("merger") <= 15


def test_magnitudes_of_the_catalogue_are_those_of_the_pixels() -> None:
    """Elliptical and disc alone: their light lies in the stamp. The brightest band's aperture finds the true magnitude."""
    preset, checked = PRESETS["ceers"], 0
    for number in range(12):
        image, truth = draw_galaxy(preset, np.random.default_rng([1, number]))
        if truth["kind"] == "merger" or float(truth["radius_arcsec"]) > 0.35 or truth["neighbours"]:
            continue
        band = preset.bands[1]
        found = band.zero_point - 2.5 * np.log10(image[1].sum())
        assert found == pytest.approx(float(truth[f"mag_{band.name}"]), abs=0.25)
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_galaxies_above_its_noise(preset: str) -> None:
    camera = PRESETS[preset]
    image, _ = draw_galaxy(camera, np.random.default_rng(4))
    assert image.shape == (len(camera.bands), camera.side, camera.side)
    assert all(plane.max() > 10 * band.noise for plane, band in zip(image, camera.bands, strict=True))


def test_constants_can_come_from_another_archive(simulated: Path, tmp_path: Path) -> None:
    like = made(tmp_path / "like", count=2, like=simulated)
    assert like.manifest["normalisation"] == read(simulated).manifest["normalisation"]
    assert like.manifest["normalised_like"] == read(simulated).manifest["digest"]
    with pytest.raises(BadInput, match="names and units must be the same"):
        made(tmp_path / "sdss", count=2, preset="sdss", resolution=32, like=simulated)
    assert drawn == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["like"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "hubble"}, "'hubble': ceers, ceers-06, sdss are allowed"),
        ({"selection": Selection(csv=Path("t.csv"))}, "makes its own catalogue"),
        ({"selection": Selection(class_column="kind", rename=(("disc", "d"),))}, "no table; --rename-class cannot go with it"),
        ({"pattern": "{id}_{band}"}, "reads no files and no table; --pattern cannot"),
        ({"selection": Selection(class_column="shape")}, "no column 'shape'; it has kind"),
        (
            {"mirror_pairs": (("spiral", "disk"),), "selection": Selection(class_column="kind")},
            "'disk' is unknown; there are disc",
        ),
        ({"mirror_pairs": (("1.0", "-1"),), "selection": Selection(class_column="winding")}, "there are -1.0, 1.0"),
        ({"mirror_pairs": (("spiral", "disc"),)}, "there are none: name a column with --class-column"),
        ({"like": Path("nowhere")}, "nowhere is not a data set archive"),
        ({"resolution": 101}, "at least 101 × 101 is needed"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        made(tmp_path / "out", **{"count": 1, **change})
    assert list(tmp_path.iterdir()) == []
    assert drawn == [], "it can be said before a second galaxy is drawn"


def test_the_manifest_says_how_to_make_the_set_again(simulated: Path) -> None:
    manifest = json.loads((simulated / "manifest.json").read_text())
    assert manifest["source"] == {"simulator": "ceers", "seed": 11, "count": 6, "galsim": manifest["source"]["galsim"]}
