"""Precision, recall and the Inception Score agree with their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.metrics import coverage as module
from training.metrics.coverage import coverage
from training.metrics.inception_score import inception_score, load_last_layer


def points(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, 5)) + shift).astype(np.float32)


def brute(points: np.ndarray, centres: np.ndarray, k: int) -> np.ndarray:
    radii = [np.sort(np.linalg.norm(centres - centre, axis=1))[k] for centre in centres]
    return np.array([any(np.linalg.norm(p - c) <= r for c, r in zip(centres, radii, strict=True)) for p in points])


def test_coverage_is_that_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)
    fake, real = points(40, 0, 0.7), points(30, 1)
    found = coverage(fake, real)
    np.testing.assert_array_equal(found.realistic, brute(fake, real, 3))
    np.testing.assert_array_equal(found.covered, brute(real, fake, 3))
    assert found.precision == found.realistic.mean()
    assert 0 < found.recall < 1


def test_a_generator_of_one_image_is_precise_and_covers_nothing() -> None:
    real = points(200, 0)
    found = coverage(np.repeat(real[:1], 50, axis=0), real)
    assert found.precision == 1
    assert found.recall <= 1 / 200


def test_inception_score_follows_its_formula() -> None:
    features, weight = points(60, 0), np.random.default_rng(1).standard_normal((7, 5)).astype(np.float32)
    p = np.exp(features.astype(float) @ weight.T.astype(float))
    p /= p.sum(axis=1, keepdims=True)
    parts = [part * np.log(part / part.mean(axis=0)) for part in np.array_split(p, 10)]
    scores = [np.exp(part.sum(axis=1).mean()) for part in parts]
    assert inception_score(features, weight) == pytest.approx((np.mean(scores), np.std(scores)))


def test_inception_score_of_sure_and_even_classes_is_their_number() -> None:
    features = np.tile(np.eye(4, dtype=np.float32), (50, 1))
    assert inception_score(features, 50 * np.eye(4, dtype=np.float32))[0] == pytest.approx(4)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(BadInput, match="is not a file"):
        load_last_layer(path)
    path.write_bytes(b"others")
    with pytest.raises(BadInput, match="begins with 6726825d"):
        load_last_layer(path)
