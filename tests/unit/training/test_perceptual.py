"""Every floor comes with how far chance moves it, in the report's JSON and on its page."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import numpy as np
import pytest

from training.metrics.perceptual import perceptual
from training.report.page import _perceptual as table


def features(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, 6)) + shift).astype(np.float32)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return perceptual(features(120, 0, 0.8), features(200, 1), features(40, 2), 0, lambda what, done, total: None)


def test_precision_and_recall_of_every_floor_have_a_bootstrap_interval(found: dict[str, Any]) -> None:
    floor = found["floor"]
    parts = [floor, floor["same_size"], {name: found[name]["value"] for name in ("precision", "recall")}]
    parts[2] |= {f"{name}_interval": found[name]["interval"] for name in ("precision", "recall")}
    for part in parts:
        for name in ("precision", "recall"):
            low, high = part[f"{name}_interval"]
            assert 0 <= low < part[name] < high <= 1
            deviation = (part[name] * (1 - part[name]) / 100) ** 0.5  # of a share of 100 to 200 images
            assert 1.5 * deviation < high - low < 4.5 * deviation
    assert floor["same_size"]["precision_interval"][1] < floor["precision_interval"][0], "shifted images are told apart"


def test_the_page_shows_each_floor_with_its_range(found: dict[str, Any]) -> None:
    text = unescape(re.sub(r"<[^>]+>", " ", table(found)))
    floor = found["floor"]
    for part, words in ((floor, "real against real"), (floor["same_size"], "at the floor's sizes")):
        low, high = part["fid_range"]
        assert f"fid, {words} {part['fid']:.4g} ({low:.1f} … {high:.1f})" in re.sub(" +", " ", text)
        for name in ("precision", "recall"):
            low, high = part[f"{name}_interval"]
            assert f"{name}, {words} {part[name]:.4g} ({low:.3f} … {high:.3f})" in re.sub(" +", " ", text)
    assert "the range over 5 random halvings" in text
