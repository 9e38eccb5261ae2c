"""Graphs that are not the torch model are refused, and so is a model that makes no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.parity import IMAGES, LIMITS, check, compared


def pair(n: int, difference: float, value: float = -0.5) -> tuple[np.ndarray, np.ndarray]:
    """Served and expected images that differ in one pixel, whose value should be ``value``."""
    expected = np.full((n, 1, 2, 2), -0.5, np.float32)
    expected[-1, 0, 1, 1] = value
    served = expected.copy()
    served[-1, 0, 1, 1] += difference
    return served, expected


def test_the_greatest_and_the_mean_difference_are_those_of_all_batches() -> None:
    found = compared([pair(1, 0.25), pair(3, -0.5)], IMAGES, "m@1")
    assert found["max_abs_difference"] == 0.5
    assert found["mean_abs_difference"] == pytest.approx((0.25 + 0.5) / 16)
    assert (found["max_share"], found["images"], found["batches"]) == (0.25, 4, [1, 3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("side", "whose"), [(0, "the exported graphs"), (1, "torch")])
def test_values_that_are_not_finite_are_no_difference_of_zero(value: float, side: int, whose: str) -> None:
    arrays = pair(7, 0.0)
    arrays[side][2, 0, 0, 0] = value
    with pytest.raises(BadInput, match=f"^m@1: 1 of 7 results of {whose} are not finite"):
        compared([pair(1, 0.0), arrays], IMAGES, "m@1")


@pytest.mark.parametrize("weights", LIMITS)
def test_a_difference_beyond_the_limit_is_refused_with_both_numbers(weights: str) -> None:
    limit = 2 * LIMITS[weights]
    check(compared([pair(2, 0.99 * limit)], IMAGES, "m@1") | {"weights": weights}, IMAGES, "m@1")
    with pytest.raises(BadInput, match=rf"up to {1.5 * limit:.2e}, .*; {LIMITS[weights]:.1%} is allowed for .* {weights}: "):
        check(compared([pair(2, 1.5 * limit)], IMAGES, "m@1") | {"weights": weights}, IMAGES, "m@1")


def test_a_value_far_beyond_the_range_may_differ_in_proportion_but_excuses_no_other() -> None:
    check(compared([pair(1, 0.09, 100.0)], IMAGES, "m@1"), IMAGES, "m@1")
    for pairs in ([pair(1, 0.11, 100.0)], [pair(1, 0.0, 100.0), pair(1, 0.01)]):
        with pytest.raises(BadInput, match="its graphs are not the model"):
            check(compared(pairs, IMAGES, "m@1"), IMAGES, "m@1")


def test_cards_of_older_versions_are_judged_by_their_greatest_difference() -> None:
    check({"max_abs_difference": 1.9e-3}, IMAGES, "m@1")
    with pytest.raises(BadInput, match=r"m@1: .* 0\.10% of the range -1 … 1 .*; 0\.1% is allowed"):
        check({"max_abs_difference": 2.1e-3}, IMAGES, "m@1")


@pytest.mark.parametrize(
    "found", [{}, {"max_abs_difference": None}, {"max_abs_difference": 0.0, "weights": "int4"}, {"max_abs_difference": "0"}]
)
def test_a_difference_that_is_not_known_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="does not say how far ONNX and torch differ"):
        check(found, IMAGES, "m@1")


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadInput, match="up to nan"):
        check({"max_abs_difference": float("nan")}, IMAGES, "m@1")
