"""Distances of samples agree with SciPy's, and tell apart what differs and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from training.metrics.statistics import compare, compare_histograms, energy_distance, ks_and_wasserstein, told_apart


def sample(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n).round(2) + shift  # rounded: there are ties


@pytest.mark.parametrize(("n", "m"), [(50, 50), (31, 80), (1, 7)])
def test_ks_and_wasserstein_are_those_of_scipy(n: int, m: int) -> None:
    a, b = sample(n, 0), sample(m, 1, 0.3)
    ks, wasserstein = ks_and_wasserstein(a, b)
    assert ks == pytest.approx(scipy.stats.ks_2samp(a, b).statistic)
    assert wasserstein == pytest.approx(scipy.stats.wasserstein_distance(a, b))


def test_energy_distance_is_that_of_scipy() -> None:
    a, b = sample(40, 0), sample(60, 1, 0.5)
    found = energy_distance(a[:, None], b[:, None], 0)
    assert found is not None
    assert found["value"] == pytest.approx(scipy.stats.energy_distance(a, b) ** 2)
    assert found["interval"][0] <= found["value"] <= found["interval"][1]


def test_histograms_of_single_values_give_the_distances_of_the_values() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 20, 80), rng.integers(3, 20, 70)
    found = compare_histograms(np.eye(20)[a], np.eye(20)[b], 0)
    assert found["ks"] == pytest.approx(scipy.stats.ks_2samp(a, b).statistic)
    assert found["wasserstein"] == pytest.approx(scipy.stats.wasserstein_distance(a, b) / b.std())


def test_equal_distributions_are_not_told_apart_and_others_are() -> None:
    pairs = {f"same {i}": compare(sample(300, 100 + i), sample(300, 200 + i), 1.0, 0) for i in range(20)}
    pairs["other"] = compare(sample(300, 98, 0.5), sample(300, 99), 1.0, 0)
    apart = told_apart({name: found["p"] for name, found in pairs.items() if found})
    assert apart.pop("other")
    assert not any(apart.values())
    assert pairs["other"] is not None
    assert pairs["other"]["wasserstein"] == pytest.approx(0.5, abs=0.2)


def test_permutations_tell_apart_too() -> None:
    rng = np.random.default_rng(0)
    a, same, other = (rng.dirichlet(weights, 60) for weights in (np.ones(8), np.ones(8), np.arange(1, 9)))
    assert compare_histograms(a, other, 0)["p"] < 0.01 < compare_histograms(a, same, 0)["p"]
    joint = [energy_distance(a, one, 0) for one in (same, other)]
    assert joint[0] is not None
    assert joint[1] is not None
    assert joint[1]["p"] < 0.01 < joint[0]["p"]


def test_values_that_are_missing_are_left_out() -> None:
    a = np.concatenate([sample(30, 0), [np.nan] * 5])
    found = compare(a, sample(30, 1), 1.0, 0)
    assert found is not None
    assert found["n"] == [30, 30]
    assert compare(np.full(30, np.nan), sample(30, 1), 1.0, 0) is None


def test_holm_is_stricter_than_each_alone() -> None:
    assert told_apart({"a": 0.04, "b": 0.03, "c": 0.001}) == {"a": False, "b": False, "c": True}
