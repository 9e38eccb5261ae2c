"""Accept and Prefer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Problem
from app.negotiation import choose_format, preferences, quality
from galaxies.requests import Format, Generate, Interpolate


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "gif"),
        ("*/*", "gif"),
        ("", "gif"),
        ("image/webp", "webp"),
        ("video/*, image/*;q=0.1", "mp4"),
        ("image/*;q=0.5, image/png;q=0.9", "png"),
        ("image/gif;q=0, image/*", "webp"),
        ("text/html, image/webp, */*;q=0.8", "webp"),
        ("APPLICATION/FITS ; Q=0.5", "fits"),
        ("application/json", "gif"),
    ],
)
def test_the_wanted_format_is_chosen(accept: str | None, expected: Format) -> None:
    assert choose_format(accept, Interpolate.formats) == expected


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "image/jpeg, video/mp4", "nonsense", "image/png;q=high"])
def test_an_accept_that_excludes_everything_is_406_and_lists_what_there_is(accept: str) -> None:
    with pytest.raises(Problem) as caught:
        choose_format(accept, Generate.formats)
    assert caught.value.status == 406
    assert "image/png" in caught.value.detail


@given(st.text(max_size=60))
def test_any_accept_gives_a_quality(accept: str) -> None:
    assert 0 <= quality(accept, "image/png") <= 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["wait=10"], 10),
        (["Wait = 10"], 10),
        (['wait="7"'], 7),
        (["respond-async, wait=5; foo=bar"], 5),
        (["respond-async", "wait=5"], 5),
        (["wait=5, wait=9"], 5),
        (["wait=0"], 0),
        (["wait=3600"], 60),
        (["wait=-1"], None),
        (["wait"], None),
        (["wait=soon"], None),
        (["wait=1.5"], None),
        (["handling=lenient"], None),
        ([",,=;"], None),
    ],
)
def test_prefer_wait_is_clamped_and_nonsense_is_ignored(headers: list[str], expected: float | None) -> None:
    assert preferences(headers, 60).wait == expected
