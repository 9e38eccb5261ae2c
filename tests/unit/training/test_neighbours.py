"""Nearest images are those that brute force finds, and the gate tells copying from learning."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.archive import dihedral
from training.metrics import memorisation
from training.metrics.memorisation import Reference, gate
from training.metrics.neighbours import Nearest, centre, nearest_cropped_l1, nearest_mse


def images(n: int, seed: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 2, side, side)).astype(np.float32)


def brute(queries: np.ndarray, training: np.ndarray, power: int) -> np.ndarray:
    """Distances (N, M) with every training image moved by every symmetry, one pair at a time."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return min(float((np.abs(a - dihedral(b, k)) ** power).mean()) for k in range(8))

    return np.array([[distance(a, b) for b in training] for a in queries])


def check(found: Nearest, oracle: np.ndarray) -> None:
    order = np.argsort(oracle, axis=1)[:, : found.index.shape[1]]
    np.testing.assert_array_equal(found.index, order)
    np.testing.assert_allclose(found.distance, np.take_along_axis(oracle, order, 1), rtol=1e-4)


def test_nearest_by_mse_is_that_of_brute_force() -> None:
    queries, training = images(7, 0), images(9, 1)
    check(nearest_mse(queries, training, 4), brute(queries, training, 2))


def test_nearest_by_cropped_l1_is_that_of_brute_force() -> None:
    queries, training = images(5, 2), images(8, 3)
    check(nearest_cropped_l1(queries, training, 3), brute(centre(queries), centre(training), 1))


@pytest.mark.parametrize("k", range(8))
def test_a_moved_copy_is_found_with_its_symmetry(k: int) -> None:
    training = images(6, 4)
    found = nearest_mse(dihedral(training[3], k)[None].copy(), training, 1)
    assert found.index[0, 0] == 3
    assert found.distance[0, 0] < 1e-5
    np.testing.assert_array_equal(dihedral(training[3], int(found.symmetry[0, 0])), dihedral(training[3], k))


@pytest.mark.parametrize("side", [8, 10, 7, 24])
def test_the_crop_of_a_turned_image_is_the_turned_crop(side: int) -> None:
    image = images(1, 5, side)
    np.testing.assert_array_equal(centre(np.rot90(image, 1, (2, 3)).copy()), np.rot90(centre(image), 1, (2, 3)))


def distances(queries: np.ndarray, training: np.ndarray) -> np.ndarray:
    return nearest_mse(queries, training, memorisation.NEIGHBOURS).distance


def galaxies(n: int, seed: int) -> np.ndarray:
    """Blobs of random size, place, brightness and elongation, with noise: a distribution that a generator could learn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:12j, -1:1:12j]
    sizes, ratios, places, fluxes = (rng.uniform(*r, n) for r in ((0.2, 0.5), (0.4, 1), (-0.3, 0.3), (0.5, 1.5)))
    blobs = fluxes[:, None, None] * np.exp(-(((x - places[:, None, None]) / sizes[:, None, None]) ** 2))
    blobs = blobs * np.exp(-((y / (sizes * ratios)[:, None, None]) ** 2))
    return (blobs + 0.05 * rng.standard_normal((n, 12, 12)))[:, None].astype(np.float32)


TRAINING, HELD_OUT = galaxies(400, 0), galaxies(100, 1)
REFERENCE = Reference(distances(HELD_OUT, TRAINING), "held-out images")


def test_the_gate_passes_an_honest_generator() -> None:
    verdict = gate(distances(galaxies(300, 2), TRAINING), REFERENCE, 0)
    assert verdict["passed"], verdict["failures"]
    assert verdict["measures"]["distance"]["share_closer_than_the_closest_hundredth"] < 0.1


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_the_gate_catches_a_copying_generator(share: float) -> None:
    made = galaxies(300, 2)
    copies = round(share * len(made))
    chosen = TRAINING[np.random.default_rng(3).integers(len(TRAINING), size=copies)]
    made[:copies] = np.rot90(chosen, 1, (2, 3)) + 0.02 * np.random.default_rng(4).standard_normal(chosen.shape)
    verdict = gate(distances(made, TRAINING), REFERENCE, 0)
    assert not verdict["passed"]
    assert any(text.startswith("relative_distance") for text in verdict["failures"])


def test_the_verdict_is_the_same_each_time() -> None:
    fake = distances(galaxies(50, 2), TRAINING)
    assert gate(fake, REFERENCE, 7) == gate(fake, REFERENCE, 7)
