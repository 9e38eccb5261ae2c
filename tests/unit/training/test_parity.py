"""Graphs that are not the torch model are refused, and so is a model that makes no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from galaxies.errors import BadInput
from training.parity import IMAGES, LIMITS, check, compared


def pair(n: int, difference: float) -> tuple[np.ndarray, np.ndarray]:
    expected = np.full((n, 1, 2, 2), -0.5, np.float32)
    served = expected.copy()
    served[-1, 0, 1, 1] += difference
    return served, expected


def test_the_greatest_and_the_mean_difference_are_those_of_all_batches() -> None:
    found = compared([pair(1, 0.25), pair(3, -0.5)], "m@1")
    assert found["max_abs_difference"] == 0.5
    assert found["mean_abs_difference"] == pytest.approx((0.25 + 0.5) / 16)
    assert (found["largest_value"], found["images"], found["batches"]) == (0.5, 4, [1, 3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("side", "whose"), [(0, "the exported graphs"), (1, "torch")])
def test_values_that_are_not_finite_are_no_difference_of_zero(value: float, side: int, whose: str) -> None:
    arrays = pair(7, 0.0)
    arrays[side][2, 0, 0, 0] = value
    with pytest.raises(BadInput, match=f"^m@1: 1 of 7 results of {whose} are not finite"):
        compared([pair(1, 0.0), arrays], "m@1")


@pytest.mark.parametrize("weights", LIMITS)
def test_a_difference_beyond_the_limit_is_refused_with_both_numbers(weights: str) -> None:
    limit = 2 * LIMITS[weights]
    check({"max_abs_difference": 0.99 * limit, "weights": weights}, IMAGES, "m@1")
    with pytest.raises(BadInput, match=rf"m@1: .* up to {1.5 * limit:.2e}; {limit:.2e} is allowed .* stored as {weights}: "):
        check({"max_abs_difference": 1.5 * limit, "weights": weights}, IMAGES, "m@1")


def test_values_far_beyond_the_range_may_differ_in_proportion() -> None:
    check({"max_abs_difference": 0.09, "largest_value": 100.0}, IMAGES, "m@1")
    with pytest.raises(BadInput, match=r"1\.00e-01 is allowed"):
        check({"max_abs_difference": 0.11, "largest_value": 100.0}, IMAGES, "m@1")


@pytest.mark.parametrize(
    "found", [{}, {"max_abs_difference": None}, {"max_abs_difference": 0.0, "weights": "int4"}, {"max_abs_difference": "0"}]
)
def test_a_difference_that_is_not_known_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="does not say how far ONNX and torch differ"):
        check(found, IMAGES, "m@1")


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadInput, match="up to nan"):
        check({"max_abs_difference": float("nan")}, IMAGES, "m@1")
