"""The regression set: real galaxies with known targets, seeded, and no object on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.data.archive import Archive
from training.score.ensemble import split
from training.score.regression import DEGRADE, KINDS, Examples, Parts, examples, grey


def made(archive: Archive, count: int = 40, *, seed: int = 1, held_out: bool = False, side: int = 32) -> Examples:
    return examples(Parts(archive, None, side, held_out), count, seed, lambda done, total: None)


def test_targets_are_known_and_within_0_and_8(archive64: Archive) -> None:
    found = made(archive64)
    assert found.images.shape == (40, 1, 32, 32)
    assert set(found.kinds) == set(KINDS)
    assert (found.targets[found.kinds == "intact"] == 8).all()
    assert (found.targets[found.kinds == "unknown"] == 0).all()
    between = found.targets[np.isin(found.kinds, list(DEGRADE))]
    assert between.min() >= 0
    assert between.max() <= 8
    assert between.std() > 1


def test_intact_examples_are_the_galaxies_themselves(archive64: Archive) -> None:
    found = made(archive64)
    (first, *_) = np.flatnonzero(found.kinds == "intact")
    expected = grey(archive64, int(found.objects[first]), 32)
    np.testing.assert_allclose(found.images[first, 0], expected, atol=0.5)


def test_an_example_follows_from_seed_part_and_number_alone(archive64: Archive) -> None:
    few, many = made(archive64, 10), made(archive64, 20)
    np.testing.assert_array_equal(few.images, many.images[:10])
    assert (made(archive64, 10, seed=2).images != few.images).any()


def test_no_object_is_on_both_sides(archive64: Archive) -> None:
    training, held_out = made(archive64, 100), made(archive64, held_out=True)
    assert not set(training.objects) & set(held_out.objects)
    assert set(held_out.objects) <= set(archive64.held_out_indices())
    chosen = []
    for k in range(5):
        fitted, kept = split(training, k, seed=0)
        assert len(fitted) + len(kept) == 100
        assert not set(fitted.objects) & set(kept.objects)
        chosen.append(set(kept.objects))
    assert all(not a & b for i, a in enumerate(chosen) for b in chosen[:i])


@pytest.mark.parametrize("kind", DEGRADE)
def test_a_degradation_grows_with_its_amount(archive64: Archive, kind: str) -> None:
    image = grey(archive64, 0, 64)
    changes = [
        float(np.abs(DEGRADE[kind](image, amount, np.random.default_rng(5)) - image).mean()) for amount in (0.0, 0.25, 1.0)
    ]
    assert changes[0] == 0
    assert 0 < changes[1] < changes[2]


def test_shuffling_keeps_every_pixel(archive64: Archive) -> None:
    image = grey(archive64, 0, 64)
    shuffled = DEGRADE["shuffle"](image, 0.5, np.random.default_rng(5))
    np.testing.assert_array_equal(np.sort(shuffled, axis=None), np.sort(image, axis=None))


def test_frames_of_nothing_known_have_the_score_0(archive64: Archive) -> None:
    frames = replace(archive64, images=np.full_like(archive64.images, 77))
    found = examples(Parts(archive64, frames, 32, held_out=False), 50, 1, lambda done, total: None)
    shown = (found.images == 77).all(axis=(1, 2, 3))
    assert 0 < shown.sum() < 10
    assert (found.targets[shown] == 0).all()
    assert (found.objects[shown] < 0).all()


@pytest.mark.parametrize("side", [20, 72])
def test_sides_that_do_not_fit_are_refused(archive64: Archive, side: int) -> None:
    with pytest.raises(BadInput, match=f"side {side}: a multiple of 8 up to"):
        made(archive64, side=side)


def test_an_archive_without_held_out_objects_is_refused(archive64: Archive) -> None:
    whole = replace(archive64, held_out=np.zeros_like(archive64.held_out))
    with pytest.raises(BadInput, match="has no held-out objects"):
        made(whole, held_out=True)
