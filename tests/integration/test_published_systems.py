"""Every architecture from real images to PNG and FITS over HTTP, in one service; among them one of 1000 × 1000 pixels."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from models.publish import publish
from tests.programs import Up, serving
from tests.unit.training.conftest import sdss_options, tiny_config
from training import checkpoints
from training.architectures import ARCHITECTURES
from training.architectures.wgan import WGANConfig
from training.chaining import join
from training.config import TrainConfig
from training.data import archive
from training.data.fields import FieldOptions, write_fields
from training.data.options import PrepareOptions, Reading
from training.data.prepare import prepare
from training.export import ExportOptions, export
from training.loop import train

BIG = "wgan-1000"
SERVED = (*sorted(ARCHITECTURES.keys() - {"stackgan", "chain"}), "chain", BIG)
"""The second stage is served as part of the chain."""


def serve(run: Path, name: str, store: Path) -> None:
    out = run.with_name(f"{run.name}-exported")
    export(checkpoints.list_checkpoints(run)[-1], out, ExportOptions(name, "1", name, "for tests", "MIT"), lambda text: None)
    publish(out, store)


def chained(data: archive.Archive, folder: Path) -> None:
    first = tiny_config("dcgan")
    train(replace(first, kimg=0.008, network=replace(first.network, resolution=16)), data, folder / "first")
    train(replace(tiny_config("stackgan"), kimg=0.008), data, folder / "second")
    join(folder / "first", folder / "second", folder / "chain")


def big(data: archive.Archive, folder: Path) -> TrainConfig:
    """The WGAN of row E at its real size, but narrow, after two images of fields."""
    write_fields(data, folder / "fields.zip", FieldOptions(count=4, galaxies=8, stars=8), lambda done, total: None)
    options = PrepareOptions(folder / "fields.zip", folder / "fields", reading=Reading(resolution=1000), held_out=0.0)
    prepare(options, lambda done, total: None)
    network = WGANConfig(z_dim=8, width=16, critic_width=1)
    return replace(tiny_config("wgan"), network=network, batch=2, kimg=0.002, critic_steps=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("systems")
    store = folder / "models"
    prepare(sdss_options(folder / "set", 64), lambda done, total: None)
    prepare(sdss_options(folder / "set-16", 16), lambda done, total: None)
    data, small = archive.read(folder / "set"), archive.read(folder / "set-16")
    for name in sorted(ARCHITECTURES.keys() - {"stackgan", "chain"}):
        config = replace(tiny_config(name), kimg=0.008)
        train(config, small if config.network.resolution == 16 else data, folder / name)
        serve(folder / name, name, store)
    chained(data, folder)
    serve(folder / "chain", "chain", store)
    config = big(data, folder)
    train(config, archive.read(folder / "fields"), folder / BIG)
    serve(folder / BIG, BIG, store)
    with serving(folder, "--workers", "1", environ={"GALSYNTH_MODELS_DIRS": str(store)}) as up:
        yield up


def generate(up: Up, model: str, format_: str) -> bytes:
    body = json.dumps({"model": model, "seeds": [1, 2] if format_ == "zip" else [1], "format": format_}).encode()
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    with urllib.request.urlopen(urllib.request.Request(f"{up.url}/v1/generate", body, headers), timeout=90) as response:
        assert response.status == 200
        content: bytes = response.read()
    return content


@pytest.mark.parametrize("model", SERVED)
def test_every_system_is_served_as_png_and_fits(service: Up, model: str) -> None:
    with urllib.request.urlopen(f"{service.url}/v1/models/{model}", timeout=10) as response:
        card = json.load(response)
    side, bands = card["resolution"], len(card["bands"])
    picture = Image.open(io.BytesIO(generate(service, model, "png")))
    assert picture.size == (side, side)
    with fits.open(io.BytesIO(generate(service, model, "fits"))) as opened:
        opened.verify("exception")
        pixels = next(hdu.data for hdu in opened if hdu.data is not None and hdu.is_image)
        assert pixels.shape[-2:] == (side, side)
        assert pixels.size in (side * side, bands * side * side)
        assert np.isfinite(pixels).all()
        assert np.ptp(pixels) > 0


def test_the_large_system_has_its_printed_side(service: Up) -> None:
    assert Image.open(io.BytesIO(generate(service, BIG, "png"))).size == (1000, 1000)
