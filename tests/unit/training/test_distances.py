"""FID and KID agree with their formulas and with what they mean."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from training.metrics.distances import _Given, frechet_distance, kernel_distance


def gaussian(n: int, shift: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, 8)) + shift).astype(np.float32)


def test_fid_agrees_with_the_formula() -> None:
    a, b = gaussian(500, 0.0, 0), gaussian(400, 0.5, 1) * np.linspace(0.5, 2, 8, dtype=np.float32)
    mean_a, mean_b = a.mean(0), b.mean(0)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    oracle = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(oracle, rel=1e-3)


@pytest.mark.parametrize(("n", "m"), [(40, 30), (40, 300), (300, 200)])
def test_fid_is_that_of_torchmetrics(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((k, 64)).astype(np.float32) * rng.uniform(0.5, 2, 64).astype(np.float32) for k in (n, m))
    metric = FrechetInceptionDistance(feature=_Given(64))
    metric.update(torch.from_numpy(b), real=True)
    metric.update(torch.from_numpy(a), real=False)
    assert frechet_distance(a, b) == pytest.approx(float(metric.compute()), rel=1e-4)


def test_fid_of_a_set_with_itself_is_zero() -> None:
    a = gaussian(300, 0.0, 0)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-4)


def test_kid_is_unbiased_and_repeatable() -> None:
    same, deviation = kernel_distance(gaussian(2000, 0.0, 0), gaussian(2000, 0.0, 1))
    other, _ = kernel_distance(gaussian(2000, 0.5, 2), gaussian(2000, 0.0, 1))
    assert abs(same) < 3 * deviation
    assert other > 10 * abs(same)
    assert kernel_distance(gaussian(200, 0.5, 2), gaussian(200, 0.0, 1)) == kernel_distance(
        gaussian(200, 0.5, 2), gaussian(200, 0.0, 1)
    )


@pytest.mark.filterwarnings("error")
def test_kid_warns_of_nothing() -> None:
    kernel_distance(gaussian(20, 0.5, 2), gaussian(20, 0.0, 1))
