"""Latents and sums as people type them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxies.errors import BadInput
from galaxies.requests import MAX_SEED, Latent
from galsynth.cli import latents

SEEDS = st.integers(0, MAX_SEED)
CLASSES = st.one_of(st.none(), st.sampled_from(["merger", "edge_on", "spiral_cw"]))


@given(st.lists(SEEDS, min_size=1, max_size=20))
def test_seeds_with_commas(seeds: list[int]) -> None:
    assert latents.seeds(",".join(map(str, seeds))) == seeds


@given(st.integers(0, MAX_SEED - 500), st.integers(0, 500))
def test_a_range_has_both_ends(first: int, more: int) -> None:
    assert latents.seeds(f"{first}-{first + more}") == list(range(first, first + more + 1))


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "1,,2", str(MAX_SEED + 1), "0-4000000000", "1.5"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        latents.seeds(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (str(MAX_SEED + 1), f"seed {MAX_SEED + 1} is too large: {MAX_SEED} is the last"),
        ("99999999999", f"seed 99999999999 is too large: {MAX_SEED} is the last"),
        ("7,3-1", "seeds 3-1 fall; a range rises, such as 0-9"),
    ],
)
def test_a_seed_out_of_range_is_told_the_range(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        latents.seeds(text)
    assert str(caught.value) == message


def test_latents_may_be_ranges_of_seeds() -> None:
    assert latents.latents("1-3, 7:merger,mean") == [
        *({"seed": seed} for seed in (1, 2, 3)),
        {"seed": 7, "class": "merger"},
        {"mean": True},
    ]


def test_layers_are_numbers_or_the_name_of_a_group() -> None:
    assert latents.layers("0,2-4") == [0, 2, 3, 4]
    assert latents.layers("fine") == "fine"
    with pytest.raises(BadInput, match="no layer"):
        latents.layers("0,x")


@given(SEEDS, CLASSES)
@settings(deadline=None)
def test_a_latent_is_one_of_the_contract(seed: int, class_: str | None) -> None:
    found = latents.latent(f"{seed}:{class_}" if class_ else str(seed))
    assert Latent.model_validate(found) == Latent.model_validate({"seed": seed, "class": class_})
    assert latents.latent(json.dumps(found)) == found
    assert latents.latents(json.dumps([found, found])) == [found, found]


@given(
    st.lists(
        st.tuples(st.sampled_from("+-"), st.floats(0, 1000).map(lambda x: round(x, 3)), SEEDS, CLASSES), min_size=1, max_size=9
    )
)
def test_a_sum_comes_back_term_by_term(terms: list[tuple[str, float, int, str | None]]) -> None:
    text = " ".join(f"{sign} {weight:.3f}*{seed}{':' + class_ if class_ else ''}" for sign, weight, seed, class_ in terms)
    found = latents.terms(text)
    assert [term["weight"] for term in found] == [weight if sign == "+" else -weight for sign, weight, _, _ in terms]
    assert [term["latent"]["seed"] for term in found] == [seed for _, _, seed, _ in terms]
    assert [term["latent"].get("class") for term in found] == [class_ for _, _, _, class_ in terms]


def test_sums_as_people_write_them() -> None:
    plain = latents.terms("42 - 1234+0.5*321:merger + mean")
    assert [term["weight"] for term in plain] == [1, -1, 0.5, 1]
    assert plain[3]["latent"] == {"mean": True}


@pytest.mark.parametrize("text", ["", "  ", "42 1234", "42 +", "42 - x", "* 3", "42 ** 3"])
def test_what_is_no_sum_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="such as"):
        latents.terms(text)
