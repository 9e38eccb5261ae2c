"""Adaptive strength: it rises and falls as the paper says, and goes on exactly where it stopped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.errors import BadInput
from training.augment import Controller

signs = st.lists(st.floats(-1, 1), min_size=1, max_size=60)


def test_strength_moves_once_an_interval_by_images_over_speed() -> None:
    controller = Controller(interval=4, speed_kimg=1.0)
    assert [controller.update(0.9, 10) for _ in range(8)] == pytest.approx([0, 0, 0, 0.04, 0.04, 0.04, 0.04, 0.08])
    assert controller.r_t == pytest.approx(0.9)
    assert [controller.update(0.5, 10) for _ in range(4)][-1] == pytest.approx(0.04)


def test_strength_crosses_the_whole_range_in_speed_kimg() -> None:
    controller = Controller(speed_kimg=100, cap=1.0)
    for _ in range(100_000 // 50):
        controller.update(1.0, 50)
    assert controller.p == pytest.approx(1.0)


def test_interval_is_judged_by_its_mean() -> None:
    controller = Controller(target=0.6, interval=2)
    controller.update(1.0, 10)
    assert controller.update(0.1, 10) == 0.0
    assert controller.r_t == pytest.approx(0.55)


@given(signs, st.floats(0.1, 1))
@settings(deadline=None)
def test_strength_stays_between_nothing_and_the_cap(values: list[float], cap: float) -> None:
    controller = Controller(speed_kimg=0.05, cap=cap)
    assert all(0 <= controller.update(value, 16) <= cap for value in values)


@given(signs, signs)
@settings(deadline=None)
def test_state_goes_through_json_and_on_exactly(before: list[float], after: list[float]) -> None:
    whole = Controller(speed_kimg=0.5)
    for value in before:
        whole.update(value, 16)
    resumed = Controller(**json.loads(json.dumps(whole.state())))
    assert [whole.update(value, 16) for value in after] == [resumed.update(value, 16) for value in after]
    assert whole == resumed


def test_held_out_logits_steer_r_v() -> None:
    controller = Controller(target=0.5, interval=1, speed_kimg=1.0, heuristic="r_v")
    assert controller.update(-1.0, 10, (2.0, 1.9, -2.0)) == 0.0
    assert controller.r_v == pytest.approx(0.1 / 4.0)
    assert controller.update(-1.0, 10, (2.0, -1.5, -2.0)) == pytest.approx(0.01)
    assert controller.r_v == pytest.approx(3.5 / 4.0)


def test_r_v_without_spread_is_no_overfitting() -> None:
    controller = Controller(interval=1, heuristic="r_v")
    controller.update(0.0, 10, (1.0, 1.0, 1.0))
    assert controller.r_v == 0.0


def test_r_v_is_measured_while_r_t_steers() -> None:
    controller = Controller(interval=1)
    controller.update(0.7, 10, (1.0, 0.0, -1.0))
    assert (controller.r_t, controller.r_v) == (0.7, 0.5)


def test_bad_settings_name_the_field() -> None:
    for bad in ({"heuristic": "r_x"}, {"interval": 0}, {"speed_kimg": 0.0}, {"cap": 1.5}):
        with pytest.raises(BadInput, match=next(iter(bad))):
            Controller(**bad)
    with pytest.raises(BadInput, match="held out"):
        Controller(heuristic="r_v").update(0.0, 1)
