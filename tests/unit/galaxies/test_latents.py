from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from galaxies import latents
from tests.strategies import latents as latent_arrays
from tests.strategies import seeds

MODEST = settings(max_examples=50, deadline=None)
shares = st.floats(0, 1)


def test_seed_stream_never_changes() -> None:
    # Golden values: RandomState is frozen by NEP 19, and these are what StyleGAN's seeds give.
    assert latents.z_from_seed(0, 4) == pytest.approx([1.76405235, 0.40015721, 0.97873798, 2.2408932], abs=1e-6)
    assert latents.z_from_seed(42, 3) == pytest.approx([0.49671415, -0.1382643, 0.64768854], abs=1e-6)
    assert latents.z_from_seed(2**32 - 1, 2) == pytest.approx(np.random.RandomState(2**32 - 1).randn(2), abs=1e-6)
    assert latents.z_from_seed(42, 3).dtype == np.float32


@given(seeds(), st.integers(1, 20), st.integers(1, 20))
@MODEST
def test_a_longer_z_of_a_seed_starts_with_the_shorter(seed: int, short: int, more: int) -> None:
    assert np.array_equal(latents.z_from_seed(seed, short + more)[:short], latents.z_from_seed(seed, short))


@given(st.lists(seeds(), min_size=2, max_size=4), st.integers(1, 9))
@MODEST
def test_streams_do_not_depend_on_what_was_drawn_before(several: list[int], size: int) -> None:
    for seed in several:
        assert np.array_equal(latents.z_from_seed(seed, size), np.random.RandomState(seed).randn(size).astype(np.float32))
        expected = np.random.RandomState([seed, 2]).randn(size).astype(np.float32)
        assert np.array_equal(latents.noise_from_seed(seed, size), expected)


@given(seeds())
@MODEST
def test_seeds_leave_global_random_state_alone(seed: int) -> None:
    np.random.seed(7)
    expected = np.random.RandomState(7).randn(3)
    latents.z_from_seed(seed, 8)
    latents.class_from_seed(seed, [1, 2])
    assert np.array_equal(np.random.randn(3), expected)


@given(seeds(), st.lists(st.integers(0, 1000), min_size=1, max_size=6))
@MODEST
def test_class_of_a_seed_is_one_that_occurs(seed: int, counts: list[int]) -> None:
    assume(sum(counts) > 0)
    assert counts[latents.class_from_seed(seed, counts)] > 0


def test_classes_follow_their_proportions() -> None:
    drawn = [latents.class_from_seed(seed, [75, 0, 25]) for seed in range(2000)]
    assert np.bincount(drawn, minlength=3) / 2000 == pytest.approx([0.75, 0.0, 0.25], abs=0.04)


@given(latent_arrays((2, 3, 8)), shares)
@MODEST
def test_paths_are_exact_at_both_ends(pair: np.ndarray, t: float) -> None:
    for move in (latents.lerp, latents.slerp):
        assert np.array_equal(move(pair[0], pair[1], 0.0), pair[0])
        assert np.array_equal(move(pair[0], pair[1], 1.0), pair[1])
        assert move(pair[0], pair[1], t).dtype == np.float32
        assert np.isfinite(move(pair[0], pair[1], t)).all()


@given(seeds(), seeds(), shares)
@MODEST
def test_slerp_keeps_norm(seed_a: int, seed_b: int, t: float) -> None:
    a, b = (latents.z_from_seed(seed, 64) for seed in (seed_a, seed_b))
    b = b * (np.linalg.norm(a) / np.linalg.norm(b))
    assert np.linalg.norm(latents.slerp(a, b, t)) == pytest.approx(np.linalg.norm(a), rel=1e-5)


@given(seeds(), seeds(), st.floats(0.1, 10), shares)
@MODEST
def test_slerp_goes_linearly_from_length_to_length(seed_a: int, seed_b: int, factor: float, t: float) -> None:
    a, b = latents.z_from_seed(seed_a, 64), latents.z_from_seed(seed_b, 64) * np.float32(factor)
    expected = (1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b)
    assert np.linalg.norm(latents.slerp(a, b, t)) == pytest.approx(expected, rel=1e-5)


@given(seeds(), seeds(), shares)
@MODEST
def test_slerp_turns_at_constant_speed(seed_a: int, seed_b: int, t: float) -> None:
    assume(seed_a != seed_b)
    a, b = (latents.z_from_seed(seed, 64).astype(np.float64) for seed in (seed_a, seed_b))
    between = latents.slerp(a.astype(np.float32), b.astype(np.float32), t)

    def angle(u: np.ndarray, v: np.ndarray) -> float:
        return float(np.arccos(np.clip(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1, 1)))

    assert angle(a, between) == pytest.approx(t * angle(a, b), abs=1e-3)


@pytest.mark.parametrize("other", [-1.0, 2.0, 0.0])
def test_slerp_is_linear_where_no_great_circle_is_defined(other: float) -> None:
    a = latents.z_from_seed(1, 8)
    assert latents.slerp(a, np.float32(other) * a, 0.25) == pytest.approx(a * (0.75 + 0.25 * other), abs=1e-6)


@given(latent_arrays((4, 6)), st.integers(2, 40), st.booleans(), st.booleans())
@MODEST
def test_path_starts_and_ends_exactly(points: np.ndarray, frames: int, spherical: bool, loop: bool) -> None:
    film = latents.path(list(points), frames, spherical=spherical, loop=loop)
    assert film.shape == (frames, 6)
    assert film.dtype == np.float32
    assert np.array_equal(film[0], points[0])
    if not loop:
        assert np.array_equal(film[-1], points[-1])


@given(st.integers(1, 8), st.integers(2, 5))
@MODEST
def test_path_passes_every_point_exactly(steps: int, stops: int) -> None:
    points = [latents.z_from_seed(seed, 5) for seed in range(stops)]
    film = latents.path(points, steps * (stops - 1) + 1, spherical=True)
    assert np.array_equal(film[::steps], np.stack(points))


@given(st.integers(2, 6), st.integers(2, 30))
@MODEST
def test_loop_has_no_jump(stops: int, frames: int) -> None:
    points = [np.array([np.cos(a), np.sin(a)], dtype=np.float32) for a in np.linspace(0, 2 * np.pi, stops, endpoint=False)]
    repeated = np.concatenate([latents.path(points, frames, loop=True)] * 2)
    steps = np.linalg.norm(np.diff(repeated, axis=0), axis=1)
    perimeter = stops * np.linalg.norm(points[1] - points[0])
    assert steps.max() <= perimeter / frames + 1e-5


@given(latent_arrays((3, 5, 4)), latent_arrays((4,)), st.integers(0, 5))
@MODEST
def test_truncate_by_one_changes_nothing(w: np.ndarray, mean: np.ndarray, cutoff: int) -> None:
    assert np.array_equal(latents.truncate(w, mean, 1.0, cutoff), w)


@given(latent_arrays((3, 5, 4)), latent_arrays((4,)), st.floats(-2, 2), st.integers(0, 5))
@MODEST
def test_truncate_touches_only_the_first_layers(w: np.ndarray, mean: np.ndarray, psi: float, cutoff: int) -> None:
    before = w.copy()
    out = latents.truncate(w, mean, psi, cutoff)
    assert np.array_equal(out[:, cutoff:], w[:, cutoff:])
    wide = mean + psi * (w[:, :cutoff].astype(np.float64) - mean)
    assert np.allclose(out[:, :cutoff], wide, atol=1e-3)
    assert np.array_equal(w, before)


@given(latent_arrays((3, 5, 4)), latent_arrays((4,)))
@MODEST
def test_truncate_by_zero_gives_the_mean(w: np.ndarray, mean: np.ndarray) -> None:
    assert np.array_equal(latents.truncate(w, mean, 0.0), np.broadcast_to(mean, w.shape))


@given(latent_arrays((2, 6, 4)), st.sets(st.integers(0, 5)))
@MODEST
def test_mix_takes_the_listed_layers(pair: np.ndarray, layers: set[int]) -> None:
    mixed = latents.mix(pair[0], pair[1], sorted(layers))
    for layer in range(6):
        assert np.array_equal(mixed[layer], pair[1 if layer in layers else 0][layer])


@given(latent_arrays((3, 8)), st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(-3, 3))
@MODEST
def test_combine_is_linear(terms: np.ndarray, weights: list[float], factor: float) -> None:
    whole = latents.combine(list(terms), [factor * weight for weight in weights])
    assert np.allclose(whole, factor * latents.combine(list(terms), weights), atol=1e-3)
    parts = sum(latents.combine([term], [weight]) for term, weight in zip(terms, weights, strict=True))
    assert np.allclose(latents.combine(list(terms), weights), parts, atol=1e-3)


@given(latent_arrays((2, 8)))
@MODEST
def test_combine_takes_away_what_it_added(pair: np.ndarray) -> None:
    a, b = pair
    assert np.allclose(latents.combine([a, b, b], [1, 1, -1]), a, rtol=1e-6, atol=1e-12)


def test_noise_of_a_seed_is_not_its_latent() -> None:
    assert not np.isin(latents.noise_from_seed(42, 1000), latents.z_from_seed(42, 1000)).any()
