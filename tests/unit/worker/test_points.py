from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.latents import noise_from_seed, truncate, z_from_seed
from galaxies.product import image_names
from tests.strategies import (
    arithmetic_body,
    generate_body,
    interpolate_body,
    mix_body,
    resolved,
    style_card,
    z_card,
)
from worker.points import Points, noise_of, points_of, truncated

STYLE, ZONLY = style_card(), z_card()
W_MEAN = np.random.RandomState(7).randn(8).astype(np.float32)
_WEIGHT = np.random.RandomState(8).randn(18, 8).astype(np.float32)


def mapping(z: np.ndarray, onehot: np.ndarray | None) -> np.ndarray:
    """A mapping network that uses z and class."""
    assert onehot is not None
    assert len(onehot) == len(z)
    out: np.ndarray = np.tanh(np.concatenate([z, onehot], axis=1) @ _WEIGHT)
    return out


def points(body: dict[str, Any]) -> Points:
    return points_of(resolved(STYLE, body), STYLE, mapping, W_MEAN)


def w_of(seed: int, class_: str) -> np.ndarray:
    onehot = np.eye(2, dtype=np.float32)[[STYLE.class_names().index(class_)]]
    return mapping(z_from_seed(seed, 16)[None], onehot)[0]


@pytest.mark.parametrize(
    "body",
    [
        generate_body([1, 2, 3]),
        interpolate_body(7),
        interpolate_body(7, space="z", loop=True),
        mix_body(2, 3),
        mix_body(2, 3, headers=False),
        arithmetic_body([1.0, -1.0, 1.0]),
        arithmetic_body([1.0, -1.0], space="z", show_terms=True),
    ],
)
def test_one_point_for_each_image_name(body: dict[str, Any]) -> None:
    found = points(body)
    assert found.w is not None
    assert found.w.shape == (len(image_names(resolved(STYLE, body))), 10, 8)
    assert len(found) == len(found.w)


def test_seed_and_class_decide_w() -> None:
    found = points(generate_body([5], **{"class": "merger"}))
    assert found.w is not None
    assert found.z is not None
    assert np.array_equal(found.w[0], np.repeat(w_of(5, "merger")[None], 10, axis=0))
    assert np.array_equal(found.z[0], z_from_seed(5, 16))


@given(st.sampled_from(["w", "z"]), st.sampled_from(["linear", "spherical"]), st.integers(2, 40))
@settings(max_examples=30, deadline=None)
def test_a_path_begins_and_ends_exactly_at_its_galaxies(space: str, curve: str, frames: int) -> None:
    ends = {"from": {"seed": 1, "class": "spiral"}, "to": {"seed": 2, "class": "merger"}}
    body = {"operation": "interpolate", "frames": frames, "format": "gif", "space": space, "curve": curve, **ends}
    found = points(body)
    first, last = points(generate_body([1], **{"class": "spiral"})), points(generate_body([2], **{"class": "merger"}))
    assert found.w is not None
    assert first.w is not None
    assert last.w is not None
    assert np.array_equal(found.w[0], first.w[0])
    assert np.array_equal(found.w[-1], last.w[0])


def test_class_weights_are_interpolated_beside_z() -> None:
    seen = []

    def spy(z: np.ndarray, onehot: np.ndarray | None) -> np.ndarray:
        seen.append(onehot)
        return mapping(z, onehot)

    body = interpolate_body(3, space="z") | {"from": {"seed": 1, "class": "spiral"}, "to": {"seed": 1, "class": "merger"}}
    points_of(resolved(STYLE, body), STYLE, spy, W_MEAN)
    (weights,) = seen
    assert weights is not None
    assert np.array_equal(weights, np.float32([[1, 0], [0.5, 0.5], [0, 1]]))


def test_arithmetic_of_a_thing_minus_itself_plus_another_is_the_other() -> None:
    latent, other = {"seed": 3, "class": "spiral"}, {"seed": 4, "class": "spiral"}
    terms = [{"latent": latent}, {"latent": latent, "weight": -1}, {"latent": other}]
    for space in ("w", "z"):
        found = points({"operation": "arithmetic", "terms": terms, "space": space, "format": "png"})
        assert found.w is not None
        np.testing.assert_allclose(found.w[0], np.repeat(w_of(4, "spiral")[None], 10, axis=0), atol=1e-6)


def test_mix_takes_listed_layers_from_the_column() -> None:
    body = {"operation": "mix", "rows": [{"seed": 1}], "columns": [{"seed": 2}], "layers": "fine", "format": "png"}
    found = points(body)
    assert found.w is not None
    row, column, cell = found.w
    assert np.array_equal(cell[:7], row[:7])
    assert np.array_equal(cell[7:], column[7:])


def test_given_w_goes_through_untouched_and_the_mean_is_the_mean() -> None:
    one = np.arange(8, dtype=np.float64) / 10
    full = np.arange(80, dtype=np.float64).reshape(10, 8) / 100
    found = points(
        {"operation": "generate", "latents": [{"w": one.tolist()}, {"w": full.tolist()}, {"mean": True}], "format": "png"}
    )
    assert found.w is not None
    assert found.z is None
    assert np.array_equal(found.w[0], np.repeat(one[None].astype(np.float32), 10, axis=0))
    assert np.array_equal(found.w[1], full.astype(np.float32))
    assert np.array_equal(found.w[2], np.repeat(W_MEAN[None], 10, axis=0))


def test_truncation_comes_after_the_edit_and_a_batch_at_a_time() -> None:
    request = resolved(STYLE, interpolate_body(9, truncation=0.5, truncation_cutoff=4))
    found = points_of(request, STYLE, mapping, W_MEAN)
    assert found.w is not None
    whole = truncate(found.w, W_MEAN, 0.5, 4)
    parts = [truncated(found, request, W_MEAN, start, min(start + 4, 9)) for start in range(0, 9, 4)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(whole[:, 4:], found.w[:, 4:])


def test_without_w_z_is_scaled() -> None:
    request = resolved(
        ZONLY, {"operation": "generate", "latents": [{"seed": 1}, {"mean": True}], "truncation": 0.5, "format": "png"}
    )
    found = points_of(request, ZONLY, mapping, None)
    assert found.w is None
    scaled = truncated(found, request, None, 0, 2)
    assert np.array_equal(scaled[0], z_from_seed(1, 16) * np.float32(0.5))
    assert not scaled[1].any()


def test_noise() -> None:
    const = np.ones(32, np.float32)

    def noise(value: Any) -> np.ndarray:
        return noise_of(resolved(STYLE, generate_body([1], noise=value)), STYLE, const)(0, 1)[0]

    assert np.array_equal(noise("const"), const)
    assert not noise("none").any()
    assert np.array_equal(noise({"seed": 3}), noise_from_seed(3, 32))


def test_each_galaxy_has_noise_of_its_own_wherever_it_stands() -> None:
    const = np.ones(32, np.float32)
    body = {"noise": {"seed": 3, "each": True}}
    first = noise_of(resolved(STYLE, generate_body([1, 2, 3], **body)), STYLE, const)(0, 3)
    second = noise_of(resolved(STYLE, generate_body([3, 1], **body)), STYLE, const)(0, 2)
    assert len({row.tobytes() for row in first}) == 3
    assert np.array_equal(second[0], first[2])
    assert np.array_equal(second[1], first[0])


def test_many_galaxies_share_memory_over_the_layers() -> None:
    found = points(generate_body(list(range(100))))
    assert found.w is not None
    assert found.w.strides[1] == 0
