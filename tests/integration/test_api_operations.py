"""The contract over HTTP, through a real worker: every operation in every format, by the bundled default model."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from httpx import Client
from PIL import Image

from galaxies.requests import MEDIA_TYPES, OPERATIONS

BODIES: dict[str, dict[str, Any]] = {
    "generate": {"seeds": [42, 43, 44]},
    "interpolate": {"from": {"seed": 1}, "to": {"seed": 2}, "frames": 6},
    "mix": {"rows": [{"seed": 1}, {"seed": 2}], "columns": [{"seed": 3}], "layers": "coarse"},
    "arithmetic": {"terms": [{"latent": {"seed": 1}}, {"latent": {"seed": 2}, "weight": -1}, {"latent": {"mean": True}}]},
}
CASES = [(operation, format_) for operation, model in OPERATIONS.items() for format_ in model.formats]
WAIT = {"prefer": "wait=60"}


@pytest.fixture(scope="module")
def client(service: str) -> Iterator[Client]:
    with Client(base_url=service, timeout=90) as client:
        yield client


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)


def check_opens(format_: str, content: bytes) -> None:
    """The bytes are what they say: each opened by the reader that people use."""
    if format_ in ("png", "gif", "webp"):
        Image.open(io.BytesIO(content)).load()
    elif format_ == "fits":
        with fits.open(io.BytesIO(content), checksum=True) as hdus:
            assert hdus[0].header["SYNTHET"] is True
    elif format_ == "zip":
        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        assert "request.json" in archive.namelist()
    elif format_ == "npz":
        assert "images" in np.load(io.BytesIO(content)).files
    else:
        assert content[4:8] == b"ftyp"


@pytest.mark.parametrize(("operation", "format_"), CASES)
def test_every_operation_in_every_format(client: Client, operation: str, format_: str) -> None:
    answer = client.post(f"/v1/{operation}", json=BODIES[operation], headers={"accept": MEDIA_TYPES[format_], **WAIT})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPES[format_]
    check_opens(format_, answer.content)


def test_a_job_runs_its_course(client: Client) -> None:
    accepted = client.post("/v1/interpolate", json={**BODIES["interpolate"], "frames": 40, "format": "gif"})
    job = accepted.json()
    while job["phase"] not in ("COMPLETED", "ERROR", "ABORTED"):
        job = client.get(accepted.headers["location"], params={"wait": 20}).json()
    assert (job["phase"], job["progress"], job["result"]["images"]) == ("COMPLETED", {"done": 40, "total": 40}, 40)
    assert len(client.get(job["result"]["href"]).content) == job["result"]["bytes"]


def test_the_echoed_request_gives_the_same_pixels(client: Client) -> None:
    drawn = client.post("/v1/generate", json={"count": 1}, headers=WAIT)
    job = client.get(drawn.headers["content-location"].removesuffix("/result")).json()
    client.delete(job["links"]["self"])
    again = client.post("/v1/generate", json=job["request"], headers=WAIT)
    assert np.array_equal(pixels(drawn.content), pixels(again.content))


@pytest.mark.parametrize("space", ["w", "z"])
@pytest.mark.parametrize("curve", ["linear", "spherical"])
def test_the_ends_of_a_film_are_exactly_its_galaxies(client: Client, curve: str, space: str) -> None:
    body = {**BODIES["interpolate"], "curve": curve, "space": space, "format": "zip"}
    film = client.post("/v1/interpolate", json=body, headers=WAIT)
    archive = zipfile.ZipFile(io.BytesIO(film.content))
    frames = sorted(name for name in archive.namelist() if name.endswith(".png"))
    assert len(frames) == body["frames"]
    for frame, latent in ((frames[0], body["from"]), (frames[-1], body["to"])):
        alone = client.post("/v1/generate", json={"latents": [latent], "format": "png"}, headers=WAIT)
        assert np.array_equal(pixels(archive.read(frame)), pixels(alone.content)), frame


def test_a_galaxy_by_address_is_the_galaxy_by_post(client: Client) -> None:
    default = client.get("/v1/models").json()["default"]
    by_address = client.get(f"/v1/galaxies/{default}/42.png", follow_redirects=True)
    assert by_address.status_code == 200
    assert by_address.content == client.post("/v1/generate", json={"seeds": [42]}, headers=WAIT).content


def test_results_say_how_they_were_made(client: Client) -> None:
    image = Image.open(io.BytesIO(client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT).content))
    told = json.loads(image.info["galaxy"])
    assert told["request"]["seeds"] == [5]
    assert told["model"]["digest"].startswith("sha256:")


def test_cancel_stops_a_running_film(client: Client) -> None:
    job = client.post("/v1/interpolate", json={**BODIES["interpolate"], "frames": 2000, "size": 256}).json()
    while client.get(job["links"]["self"]).json()["phase"] == "QUEUED":
        time.sleep(0.02)
    client.post(job["links"]["cancel"])
    ended = client.get(job["links"]["self"], params={"wait": 20}).json()
    assert ended["phase"] == "ABORTED"
    assert ended["progress"]["done"] < 2000
