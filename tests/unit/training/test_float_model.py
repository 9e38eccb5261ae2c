"""Float data all the way: FITS → archive → training → ONNX and card → store → worker → FITS in the data's unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from models.publish import publish
from models.store import ModelStore
from tests.strategies import generate_body
from tests.unit.training.conftest import tiny_config
from tests.worker_fakes import bench
from training import checkpoints
from training.data.archive import read
from training.data.options import PrepareOptions, Reading
from training.data.simulate import Simulation, simulate
from training.export import ExportOptions, export
from training.loop import train

pytestmark = pytest.mark.slow  # the ONNX exporter takes seconds


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("float")
    options = PrepareOptions(Path("ceers"), folder / "set", reading=Reading(resolution=16), held_out=0.0)
    simulate(options, Simulation("ceers", 8), lambda done, total: None)
    train(replace(tiny_config("stylegan2", classes=0), kimg=0.008), read(folder / "set"), folder / "run")
    checkpoint = checkpoints.list_checkpoints(folder / "run")[-1]
    export(checkpoint, folder / "model", ExportOptions("jwst", "1", "JWST", "for tests", "MIT"), lambda text: None)
    publish(folder / "model", folder / "zoo")
    return folder / "zoo"


def test_the_card_says_what_the_values_are(store: Path) -> None:
    card = ModelStore([store]).get("jwst@1").card
    manifest = read(store.parent / "set").manifest
    assert not card.display
    assert card.stretch.kind == "lupton"
    assert card.normalisation.model_dump() == manifest["normalisation"]
    assert [(band.name, band.unit, band.wavelength_um) for band in card.bands] == [
        ("F150W", "MJy/sr", 1.501), ("F277W", "MJy/sr", 2.777), ("F444W", "MJy/sr", 4.402),
    ]  # fmt: skip
    assert card.bands[0].zero_point == pytest.approx(manifest["band_details"][0]["zero_point"])
    assert card.pixel_scale_arcsec == pytest.approx(0.1875)


def test_the_worker_writes_fits_in_the_units_of_the_data(store: Path, tmp_path: Path) -> None:
    card = ModelStore([store]).get("jwst@1").card
    with bench(store, tmp_path / "results") as worker:
        job = worker.run(card, generate_body([3], "fits"))
        picture = worker.run(card, generate_body([3], "png"))
        assert job.result is not None, job.failure
        assert picture.result is not None, picture.failure
        content = worker.results.read(job.result_key)
    (tmp_path / "a.fits").write_bytes(content)
    with fits.open(tmp_path / "a.fits", checksum=True) as hdus:
        for band, scale, low, high in zip(card.bands, *parts(store), strict=True):
            header, values = hdus[band.name].header, hdus[band.name].data.astype(float)
            assert header["BUNIT"] == "MJy/sr"
            assert header["MAGZERO"] == pytest.approx(band.zero_point)
            assert header["CDELT1"] == pytest.approx(0.1875)
            signed = (np.arcsinh(values / scale) - low) / (high - low) * 2 - 1
            assert np.abs(signed).max() < 3.0  # network output, so the values are the constants' inverse of it
            assert np.ptp(values) > 0


def parts(store: Path) -> list[list[float]]:
    constants = read(store.parent / "set").manifest["normalisation"]
    return [constants["scale"], constants["low"], constants["high"]]


def test_prepared_fits_and_served_fits_are_the_same_way_up(store: Path, tmp_path: Path) -> None:
    """What the service writes can be prepared again: same bands, unit, zero point and scale, and rows in the same order."""
    from training.data.prepare import prepare

    card = ModelStore([store]).get("jwst@1").card
    with bench(store, tmp_path / "results") as worker:
        job = worker.run(card, generate_body([3], "fits"))
        arrays = worker.run(card, generate_body([3], "npz"))
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.fits").write_bytes(worker.results.read(job.result_key))
        (tmp_path / "a.npz").write_bytes(worker.results.read(arrays.result_key))
    options = PrepareOptions(tmp_path / "in", tmp_path / "out", reading=Reading(resolution=16), held_out=0.0)
    archive = prepare(options, lambda done, total: None)
    with np.load(tmp_path / "a.npz") as served:
        assert np.array_equal(archive.images, served["images"])
    assert archive.manifest["bands"] == [band.name for band in card.bands]
    assert archive.manifest["pixel_scale_arcsec"] == pytest.approx(0.1875)
    assert archive.manifest["band_details"][2]["zero_point"] == pytest.approx(card.bands[2].zero_point)
