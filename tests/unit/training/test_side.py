"""A network at a divisor of the archive's side learns from averages of the images, and is judged against the same averages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from tests.unit.training.conftest import tiny_config
from training import augment, checkpoints
from training.architectures import build
from training.data.archive import Archive, read
from training.data.pictures import pictures
from training.evaluate import EvaluateOptions, evaluate
from training.export import ExportOptions, export
from training.feed import Feed
from training.loop import train
from training.losses import LOSSES
from training.metrics.inception import find_network
from training.metrics.running import RunningFid
from training.metrics.samples import real

CPU = torch.device("cpu")


def averaged(archive: Archive, indices: np.ndarray, factor: int) -> np.ndarray:
    """What torch makes of whole images: the oracle."""
    whole = archive.batch(indices, np.zeros(len(indices), np.int64))[0]
    return F.avg_pool2d(torch.from_numpy(whole), factor).numpy()


def test_images_are_averaged_over_area(archive64: Archive) -> None:
    small = archive64.at(16)
    assert (small.side, archive64.side, archive64.at(64).factor) == (16, 64, 1)
    indices, symmetry = np.arange(16), np.arange(16) % 8
    pixels, labels = small.batch(indices, symmetry)
    whole, expected = archive64.batch(indices, symmetry)
    np.testing.assert_allclose(pixels, F.avg_pool2d(torch.from_numpy(whole), 4).numpy(), atol=1e-6)
    np.testing.assert_array_equal(labels, expected)
    with pytest.raises(BadInput, match="images of 64 px, the network makes 24 px: the first must be a multiple"):
        archive64.at(24)


def test_training_and_evaluation_see_the_same(archive64: Archive) -> None:
    config = replace(tiny_config("stylegan2"), dihedral=False)
    feed = Feed(config, archive64, 0, CPU)
    generator, _ = build(config.network)
    seen = feed.batch(0, generator, augment.build("none", 3), LOSSES["logistic"]).real.numpy()
    samples = real("training images", archive64.at(16), archive64.training())
    judged = samples.signed(0, samples.count)
    for image in seen:
        assert (judged == image).all(axis=(1, 2, 3)).any()
    assert samples.name != real("training images", archive64, archive64.training()).name, "kept measurements are of whole images"


def test_a_magnitude_is_that_of_the_larger_pixel(archive64: Archive) -> None:
    details = [{"name": "g", "zero_point": 25.0}, {"name": "r"}, {"name": "i", "zero_point": 22.5}]
    archive = replace(archive64, manifest=archive64.manifest | {"band_details": details})
    found = Feed(tiny_config("stylegan2"), archive, 0, CPU).described()
    assert (found["resolution"], found["pixel_scale_arcsec"]) == (16, pytest.approx(3.2))
    assert [band.get("zero_point") for band in found["band_details"]] == [
        pytest.approx(25 - 2.5 * np.log10(16), abs=1e-3), None, pytest.approx(22.5 - 2.5 * np.log10(16), abs=1e-3),
    ]  # fmt: skip


@pytest.mark.slow  # the FID network takes seconds
def test_the_fid_of_a_run_is_against_averages(archive64: Archive) -> None:
    generator, _ = build(tiny_config("stylegan2").network)
    fid = RunningFid(archive64, 10, CPU)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        fid.measure(generator.eval(), lambda done, total: told.append((done, total)))
    assert told == [(10, 20), (20, 20), (10, 10)], "training images are looked at once"
    whole = archive64.batch(fid.chosen, np.zeros(10, np.int64))[0]
    features = [
        fid.network.features(np.ascontiguousarray(pictures(images, fid.about).transpose(0, 3, 1, 2)))
        for images in (averaged(archive64, fid.chosen, 4), whole)
    ]
    near, far = (np.abs(fid.real - other).mean() for other in features)
    assert near < far / 5, "equal but for rounding of levels"


@pytest.mark.slow  # the exporter and the FID network take seconds
def test_a_model_of_a_quarter_of_the_side_is_evaluated(archive64: Archive, archives: dict[int, Path], tmp_path: Path) -> None:
    train(replace(tiny_config("stylegan2"), kimg=0.008), archive64, tmp_path / "run")
    checkpoint, out = checkpoints.newest(tmp_path / "run"), tmp_path / "out"
    export(checkpoint, out, ExportOptions("tiny", "1", "T", "t", "MIT"), lambda text: None)
    options = EvaluateOptions(count=20, cache=tmp_path / "cache", network=find_network(), physical=0)
    report = evaluate(out, read(archives[64]), options, lambda what, done, total: None)
    assert ModelCard.model_validate_json((out / "card.json").read_bytes()).resolution == 16
    assert report["perceptual"]["fid20_train"]["n_reference"] == len(archive64.training())
    assert report["memorisation"]["passed"]
    assert (out / "report" / "report.html").is_file()
