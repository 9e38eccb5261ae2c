from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.product import image_names, image_seeds
from galaxies.requests import REQUEST, image_count, to_wire
from tests.strategies import (
    arithmetic_body,
    generate_body,
    interpolate_body,
    mix_body,
    resolved,
    seeds,
    style_card,
    z_card,
)

MODEST = settings(max_examples=40, deadline=None)

weights = st.floats(-10, 10, allow_nan=False)
bodies = st.one_of(
    st.builds(generate_body, st.lists(seeds(), min_size=1, max_size=6), st.sampled_from(["png", "fits", "npz"])),
    st.builds(interpolate_body, st.integers(2, 30), st.sampled_from(["gif", "mp4"]), loop=st.booleans()),
    st.builds(mix_body, st.integers(1, 4), st.integers(1, 4), headers=st.booleans()),
    st.builds(arithmetic_body, st.lists(weights, min_size=1, max_size=5), show_terms=st.booleans()),
)


@given(bodies)
@MODEST
def test_every_image_has_a_name_and_a_seed_entry(body: dict[str, Any]) -> None:
    request = resolved(style_card(), body)
    names = image_names(request)
    assert len(names) == len(set(names)) == len(image_seeds(request)) == image_count(request)


@given(bodies)
@MODEST
def test_names_are_safe_file_names_in_order(body: dict[str, Any]) -> None:
    names = image_names(resolved(style_card(), body))
    assert all(name.isascii() and "/" not in name and not name.startswith(".") for name in names)


@given(bodies)
@MODEST
def test_resolved_request_sent_again_is_the_same(body: dict[str, Any]) -> None:
    request = resolved(style_card(), body)
    again = resolved(style_card(), to_wire(request))
    assert again == request
    assert to_wire(REQUEST.validate_python(to_wire(request))) == to_wire(request)


def test_mix_names_sources_before_cells() -> None:
    request = resolved(style_card(), mix_body(1, 2))
    assert image_names(request) == ["row-00", "column-00", "column-01", "cell-00-00", "cell-00-01"]
    assert [seed for seed, _ in image_seeds(request)] == [100, 200, 201, None, None]


@pytest.mark.parametrize(("loop", "last"), [(False, 2), (True, None)])
def test_only_the_ends_of_a_film_have_seeds(loop: bool, last: int | None) -> None:
    found = image_seeds(resolved(z_card(), interpolate_body(4, loop=loop)))
    assert found == [(1, None), (None, None), (None, None), (last, None)]


def test_generated_galaxies_have_their_seed_in_the_name() -> None:
    assert image_names(resolved(z_card(), generate_body([7, 8]))) == ["00000-seed-7", "00001-seed-8"]
