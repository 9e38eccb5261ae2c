"""What "copy as curl or Python" gives is run as a reader would run it, against the same service."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from httpx import get
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.browser import Visit

ADDRESSES = {
    "galaxy.png": "/?view=galaxy&at=42~merger&psi=1&size=128",
    "mix.fits": "/?view=galaxy&at=mix(42:7~merger:3.4)&format=fits",
    "sum.fits": "/?view=sum&slots=42,7~merger,3&space=z&format=fits",
    "film.gif": "/?view=film&slots=42,0.5*7;0.5*3&frames=4",
    "mix.zip": "/?view=mix&slots=42&across=8,22&format=zip",
}
KEY = "not-looked-at"
"""A service without keys takes any; what matters is that the commands read theirs from the environment."""


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_copied_commands_make_the_same_file(visit: Visit, tmp_path: Path, name: str) -> None:
    keyed = name == "galaxy.png"
    if keyed:
        visit.page.add_init_script(f"sessionStorage.setItem('galsynth-key', '{KEY}')")
    visit.go(ADDRESSES[name])
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text(f"-o {name}")
    curl = visit.page.get_by_label("curl command").inner_text()
    visit.choose("Python")
    expect(visit.page.get_by_label("Python code")).to_contain_text("from galsynth import Client")
    python = visit.page.get_by_label("Python code").inner_text()
    assert ("GALSYNTH_API_KEY" in curl and "GALSYNTH_API_KEY" in python) == keyed
    found = []
    for command in (["bash", "-c", curl], [sys.executable, "-c", python]):
        folder = tmp_path / Path(command[0]).name
        folder.mkdir()
        for _ in range(2):  # again, where the file is already
            subprocess.run(command, cwd=folder, check=True, timeout=120, env=os.environ | {"GALSYNTH_API_KEY": KEY})
        assert [path.name for path in folder.iterdir()] == [name]
        found.append(pixels(folder / name))
    assert np.array_equal(*found)
    if keyed:
        there = get(f"{visit.base}/v1/galaxies/{visit.service.model}/42.png?class=merger&truncation=1&size=128").content
        (tmp_path / "there.png").write_bytes(there)
        assert np.array_equal(found[0], pixels(tmp_path / "there.png"))


def test_the_copied_command_saves_no_error_as_the_file(visit: Visit, tmp_path: Path) -> None:
    visit.go("/?view=film&slots=1,2&frames=4")
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text("-o film.gif")
    curl = visit.page.get_by_label("curl command").inner_text().replace('"frames":4', '"frames":1')
    done = subprocess.run(["bash", "-c", curl], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "422" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_copied_command_waits_for_a_busy_service(visit: Visit, tmp_path: Path) -> None:
    asked: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) == 1 else 422)
            self.send_header("retry-after", "1")
            self.end_headers()

    visit.go("/?view=galaxy&at=42")
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text("-o galaxy.png")
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        curl = visit.page.get_by_label("curl command").inner_text()
        curl = curl.replace(visit.base, f"http://127.0.0.1:{server.server_port}")
        done = subprocess.run(["bash", "-c", curl], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
        server.shutdown()
    assert asked == ["/v1/generate"] * 2
    assert "422" in done.stderr


def pixels(path: Path) -> np.ndarray:
    """All pixels of a valid file."""
    if path.suffix == ".fits":
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            return np.stack([hdu.data for hdu in hdus[1:] if isinstance(hdu, fits.ImageHDU)])
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = [name for name in archive.namelist() if name.endswith(".png")]
            return np.stack([np.asarray(Image.open(archive.open(name))) for name in names])
    with Image.open(path) as image:
        image.verify()
    return np.asarray(Image.open(path).convert("RGB"))
