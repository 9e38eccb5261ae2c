"""GIF, WebP and MP4."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.sax.saxutils import unescape

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from galaxies.encode import encode
from galaxies.encode.frames import evenly, pictures, ticks
from galaxies.encode.provenance import provenance
from galaxies.product import Product
from tests.strategies import CREATED, flux_card, interpolate_body, product, style_card, z_card

MODEST = settings(max_examples=25, deadline=None)
ONE_BAND = {"bands": [{"name": "r"}], "normalisation": {"kind": "linear", "low": [0.0], "high": [255.0]}}


def shown_frames(path: Path) -> tuple[list[np.ndarray], list[int]]:
    frames, durations = [], []
    with Image.open(path) as film:
        for k in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(k)
            frames.append(np.asarray(film.convert("RGB")))
            durations.append(film.info["duration"])
    return frames, durations


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9)))


def film_of(format_: str, frames: int = 12, **more: object) -> Product:
    return product(style_card(resolution=32), interpolate_body(frames, format_, **more))


@given(st.integers(2, 40), st.integers(1, 50), st.booleans())
@MODEST
def test_gif_keeps_frame_count_and_length(tmp_path_factory: pytest.TempPathFactory, frames: int, fps: int, still: bool) -> None:
    made = film_of("gif", frames, fps=fps)
    if still:
        made.images[:] = made.images[0]
    path = tmp_path_factory.mktemp("gif") / "film.gif"
    encode(made, path, CREATED)
    shown, durations = shown_frames(path)
    assert len(shown) == frames
    assert sum(durations) == pytest.approx(1000 * frames / fps, abs=5)
    assert max(durations) - min(durations) <= 10
    assert min(durations) >= 20


@given(st.integers(2, 300), st.integers(1, 50), st.sampled_from([100, 1000]))
@MODEST
def test_rounding_of_durations_does_not_add_up(frames: int, fps: int, per_second: int) -> None:
    made = product(z_card(resolution=4), interpolate_body(frames, fps=fps))
    ends = np.cumsum(ticks(made, per_second))
    assert np.abs(ends - per_second * np.arange(1, frames + 1) / fps).max() <= 0.5


@pytest.mark.parametrize("card", [style_card(), flux_card(), z_card(**ONE_BAND)])
def test_gif_frames_look_like_the_galaxies(card: object, tmp_path: Path) -> None:
    made = product(card, interpolate_body(20))  # type: ignore[arg-type]
    encode(made, tmp_path / "film.gif", CREATED)
    shown, _ = shown_frames(tmp_path / "film.gif")
    for ours, wanted in zip(shown, pictures(made), strict=True):
        colour = wanted if wanted.ndim == 3 else np.stack([wanted] * 3, axis=-1)
        assert psnr(ours, colour) > 30


def test_gif_repeats_and_carries_its_request(tmp_path: Path) -> None:
    made = film_of("gif")
    encode(made, tmp_path / "film.gif", CREATED)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.info["loop"] == 0
        assert json.loads(film.info["comment"]) == provenance(made)


def test_gif_pixels_survive_every_palette_entry(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (6, 3, 32, 32)).astype(np.float32)
    images[3] = images[2]
    made = product(style_card(resolution=32), interpolate_body(6), images)
    encode(made, tmp_path / "film.gif", CREATED)
    shown, _ = shown_frames(tmp_path / "film.gif")
    assert np.array_equal(shown[2], shown[3])
    assert all(psnr(a, b) > 18 for a, b in zip(shown, pictures(made), strict=True))


def test_webp_keeps_frames_length_and_request(tmp_path: Path) -> None:
    made = film_of("webp", fps=30)
    encode(made, tmp_path / "film.webp", CREATED)
    total = 0
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames == 12  # type: ignore[attr-defined]
        for k, wanted in enumerate(pictures(made)):
            film.seek(k)
            film.load()
            total += film.info["duration"]
            assert psnr(np.asarray(film.convert("RGB")), wanted) > 30
        packet = re.search("<galaxy:provenance>(.*)</galaxy:provenance>", film.info["xmp"].decode())
    assert total == 400
    assert packet is not None
    assert json.loads(unescape(packet[1])) == provenance(made)


@given(st.integers(2, 40), st.integers(1, 50), st.integers(16, 40), st.sampled_from([0.0, 0.004]))
@MODEST
def test_webp_joins_no_frames_however_slow_the_film(
    tmp_path_factory: pytest.TempPathFactory, frames: int, fps: int, size: int, step: float
) -> None:
    made = film_of("webp", frames, fps=fps, size=size)
    made.images[:] = made.images[0] + step * np.arange(frames, dtype=np.float32)[:, None, None, None]
    path = tmp_path_factory.mktemp("webp") / "film.webp"
    encode(made, path, CREATED)
    shown, durations = shown_frames(path)
    assert [frame.shape for frame in shown] == [(size, size, 3)] * frames
    assert durations == ticks(made, 1000)


@pytest.mark.parametrize(("size", "side"), [(32, 32), (33, 34)])
def test_mp4_keeps_frames_rate_and_request(size: int, side: int, tmp_path: Path) -> None:
    made = film_of("mp4", fps=12, size=size)
    encoded = encode(made, tmp_path / "film.mp4", CREATED)
    assert (encoded.width, encoded.height) == (side, side)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.average_rate == 12
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert json.loads(container.metadata["comment"]) == provenance(made)
    assert len(frames) == 12
    for ours, wanted in zip(frames, pictures(made), strict=True):
        assert psnr(ours[:size, :size], wanted) > 28


def test_a_film_takes_no_threads_of_its_own(tmp_path: Path) -> None:
    """Many films are made at a time, and a container bounds its threads."""
    process, seen = psutil.Process(), list[int]()
    encode(film_of("mp4", 40, size=256), tmp_path / "film.mp4", CREATED, lambda _: seen.append(process.num_threads()))
    assert set(seen) == {seen[0]}


@given(st.integers(1, 3000), st.integers(2, 20))
@MODEST
def test_evenly_has_both_ends_and_no_repeats(count: int, most: int) -> None:
    chosen = evenly(count, most)
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert chosen == sorted(chosen)
