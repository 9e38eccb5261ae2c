"""The client and the command line against the whole service; the examples of docs/client.md, word by word."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits, votable
from PIL import Image

import galsynth
import galsynth.client

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
BLOCK = re.compile(r"^<!-- tested -->\n+```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client(service: str) -> galsynth.Client:
    return galsynth.Client(service)


def command(service: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "galsynth", *arguments],
        cwd=folder,
        env=os.environ | {"GALSYNTH_URL": service},
        capture_output=True,
        check=False,
        timeout=120,
    )


def test_the_examples_of_the_guide_run(service: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall(GUIDE.read_text())
    assert len(blocks) >= 8
    (tmp_path / "guide.py").write_text("\n".join(blocks).replace(ADDRESS, service))
    done = subprocess.run([sys.executable, "guide.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"galaxy.png", "mergers.fits", "film.gif", "grid.png", "hundred.zip"}


def test_every_form_of_an_order_is_the_same_galaxies(client: galsynth.Client) -> None:
    order = client.generate(count=3)
    with order.fits() as hdus:
        seeds = list(hdus["LATENTS"].data["SEED"])
    assert seeds == order.request["seeds"]
    assert np.array_equal(order.result("npz").array(), order.result("fits").array())
    pictures = order.images()
    array = order.array()
    for picture, levels in zip(pictures, array, strict=True):
        assert np.abs(np.asarray(picture, dtype=float) - levels.clip(0, 255).transpose(1, 2, 0)).max() <= 0.51


def test_a_data_set_is_the_same_in_another_process_and_from_the_middle(client: galsynth.Client) -> None:
    data = client.dataset(20, first_seed=5, batch=8)
    batches = list(data)
    assert [len(batch.images) for batch in batches] == [8, 8, 4]
    assert np.concatenate([batch.seeds for batch in batches]).tolist() == list(range(5, 25))
    copy = pickle.loads(pickle.dumps(data))
    assert np.array_equal(copy[-1].images, batches[2].images)
    (last,) = data.batches(2)
    assert np.array_equal(last.images, batches[2].images)
    with pytest.raises(IndexError):
        data[3]


def test_a_data_set_for_asyncio_is_the_same(service: str, client: galsynth.Client) -> None:
    async def read() -> list[galsynth.client.Batch]:
        async with galsynth.AsyncClient(service) as asking:
            return [batch async for batch in asking.dataset(20, first_seed=5, batch=8, start=1, class_="merger")]

    expected = list(client.dataset(20, first_seed=5, batch=8, class_="merger").batches(1))
    for found, batch in zip(asyncio.run(read()), expected, strict=True):
        for name in galsynth.client.Batch._fields:
            assert np.array_equal(getattr(found, name), getattr(batch, name)), name


def test_a_data_set_of_a_model_without_noise(client: galsynth.Client) -> None:
    assert client.dataset(2, model="gz1-64-dcgan")[0].images.shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["generate", "0-2,7", "--class", "merger"], "galaxies.fits"),
        (["interpolate", "42", "7:merger", "--frames", "4"], "film.gif"),
        (["mix", "--rows", "1,2:merger", "--columns", "mean", "--layers", "0,1"], "grid.png"),
        (["arithmetic", "42 - 0.5*7:merger+mean", "--show-terms"], "sum.zip"),
    ],
)
def test_a_command_writes_the_format_of_the_suffix(service: str, tmp_path: Path, arguments: list[str], name: str) -> None:
    done = command(service, tmp_path, *arguments, "-o", name, "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["request"]["format"] == Path(name).suffix[1:]
    path = tmp_path / name
    assert path.stat().st_size == job["result"]["bytes"]
    if name.endswith(".fits"):
        with fits.open(path) as hdus:
            assert hdus["LATENTS"].data["SEED"].tolist() == [0, 1, 2, 7]
            assert hdus["LATENTS"].data["CLASS"].tolist() == ["merger"] * 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "42"],
        ["generate", "0-2", "--model", "gz1-64-dcgan"],
        ["interpolate", "1", "2", "--frames", "4"],
        ["mix", "--rows", "1", "--columns", "2,3"],
        ["arithmetic", "-42 + 2*7", "--show-terms"],
    ],
)
def test_served_files_pass_the_tools_of_the_field(service: str, tmp_path: Path, arguments: list[str], fitsverify: str) -> None:
    assert command(service, tmp_path, *arguments, "-o", "x.fits").returncode == 0
    report = subprocess.run([fitsverify, "x.fits"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout
    with fits.open(tmp_path / "x.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)
    assert command(service, tmp_path, *arguments, "-o", "x.zip").returncode == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        catalogue = archive.extract("catalogue.vot", tmp_path)
    told = io.StringIO()
    assert votable.validate(catalogue, told, xmllint=False), told.getvalue()


def test_a_job_sent_by_one_command_is_fetched_by_another(service: str, tmp_path: Path) -> None:
    job = command(service, tmp_path, "generate", "42", "--no-wait").stdout.decode().strip()
    assert command(service, tmp_path, "jobs", "fetch", job, "-o", "galaxy.png").returncode == 0
    assert Image.open(tmp_path / "galaxy.png").size == (64, 64)
    assert job in command(service, tmp_path, "jobs", "list").stdout.decode()
    shown = json.loads(command(service, tmp_path, "jobs", "show", job, "--json").stdout)
    assert shown["id"] == job
    assert command(service, tmp_path, "jobs", "cancel", job).stdout.strip() == b"COMPLETED"
    assert command(service, tmp_path, "jobs", "delete", job).returncode == 0
    assert command(service, tmp_path, "jobs", "show", job).returncode == 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_leaves_no_job_running(
    service: str, client: galsynth.Client, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    known = {job.id for job in client.jobs(operation="interpolate")}
    seeds = [str(1000 + number), str(2000 + number)]  # of its own, as the same film again would be there at once
    arguments = ["interpolate", *seeds, "--frames", "2000", "--size", "256", "-o", "film.gif", "--url", service]
    with subprocess.Popen([sys.executable, "-m", "galsynth", *arguments], cwd=tmp_path) as process:
        while not (new := [job for job in client.jobs(operation="interpolate") if job.id not in known]):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(30) == status
    with contextlib.suppress(galsynth.client.Missing):  # deleted, where its id had not come yet
        assert new[0].refresh().phase.value == "ABORTED"
    assert list(tmp_path.iterdir()) == []


def test_standard_output_takes_a_result(service: str, tmp_path: Path) -> None:
    done = command(service, tmp_path, "generate", "42", "--format", "fits", "-o", "-")
    assert done.stdout.startswith(b"SIMPLE  =")
    assert done.stderr == b""
    told = command(service, tmp_path, "generate", "42", "--format", "fits", "-o", "-", "--json")
    assert told.stdout == done.stdout
    assert json.loads(told.stderr)["result"]["bytes"] == len(told.stdout)


def test_a_result_is_not_saved_under_the_suffix_of_another_format(service: str, tmp_path: Path) -> None:
    job = command(service, tmp_path, "generate", "0-1", "--format", "zip", "--no-wait").stdout.decode().strip()
    done = command(service, tmp_path, "jobs", "fetch", job, "-o", "z.png")
    assert (done.returncode, done.stderr) == (2, b"galsynth: the result is zip, and z.png is no name for it: use .zip\n")
    assert list(tmp_path.iterdir()) == []
    assert command(service, tmp_path, "jobs", "fetch", job, "-o", "z.zip").stderr == b"z.zip: 2 galaxies of sdss-gz1-64@2\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["arithmetic", "-42 + 2*7", "--show-terms"], "sum of 2 terms"),
        (["mix", "--rows", "1,2", "--columns", "3,4,5"], "2 × 3 mixes"),
        (["interpolate", "1", "2", "--frames", "5"], "film of 5 frames"),
    ],
)
def test_sources_are_not_counted_as_galaxies(service: str, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = command(service, tmp_path, *arguments, "-o", "x.zip")
    assert done.stderr.decode() == f"x.zip: {said} of sdss-gz1-64@2\n"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["generate", "42"], 2, "-o FILE"),
        (["generate", "-o", "x.png"], 2, "--count"),
        (["generate", "x", "-o", "x.png"], 2, "seed"),
        (["generate", "42", "-o", "x.gif"], 2, ".png, .fits, .zip, .npz"),
        (["generate", "42", "-o", "no-such-folder/x.png"], 2, "cannot be written"),
        (["arithmetic", "42 1", "-o", "x.png"], 2, "no sum"),
        (["generate", "42", "--class", "quasar", "-o", "x.png"], 2, "merger"),
        (["generate", "--count", "10001", "-o", "x.zip"], 2, "10000"),
        (["generate", "42", "--size", "128", "-o", "x.fits"], 2, "own pixels"),
        (["generate", "42", "--noise", "loud", "-o", "x.png"], 2, "none"),
        (
            ["mix", "--rows", "1", "--columns", "2", "--layers", "99", "-o", "x.png"],
            2,
            "layer 99 is outside 0..9 of model sdss-gz1-64",
        ),
        (["generate", "42", "--set", "truncation_cutoff=99", "-o", "x.png"], 2, "outside 0..10 of model sdss-gz1-64@2"),
        (["jobs", "list", "--phase", "ASLEEP"], 2, "QUEUED"),
        (["models", "show", "nothing", "--url", "http://127.0.0.1:8000"], 3, "nothing"),
        (["jobs", "show", "nothing"], 3, "no job"),
        (["generate", "42", "-o", "x.png", "--url", "http://127.0.0.1:1"], 4, "galsynth up"),
    ],
)
def test_exit_statuses(service: str, tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    done = command(service, tmp_path, *(service if each == ADDRESS else each for each in arguments))
    assert done.returncode == status, done.stderr
    assert told in done.stderr.decode()
    assert list(tmp_path.iterdir()) == []
