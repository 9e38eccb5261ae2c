"""Bad bodies → pointers that are in the body (or name what is missing), and details that name the value and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.body import parse_object
from app.errors import Problem
from app.submission import parse_request
from galaxies.cards import Operation

LATENT = {"seed": 1}
CASES: list[tuple[Operation, dict[str, Any], str, str]] = [
    ("generate", {"seeds": [1, -1]}, "/seeds/1", "-1 is below 0"),
    ("generate", {"seeds": [2**32]}, "/seeds/0", "4294967296 is above 4294967295"),
    ("generate", {"seeds": []}, "/seeds", "at least 1"),
    ("generate", {"seeds": ["a"]}, "/seeds/0", '"a" is not an integer'),
    ("generate", {"seeds": [1], "sizes": 3}, "/sizes", "allowed are model, truncation"),
    ("generate", {"count": 0}, "/count", "0 is below 1"),
    ("generate", {}, "", "exactly one of seeds, count, latents is needed; got none"),
    ("generate", {"seeds": [1], "noise": "loud"}, "/noise", "'const' or 'none'"),
    ("generate", {"seeds": [1], "noise": {"seed": -4}}, "/noise/seed", "-4 is below 0"),
    ("generate", {"seeds": [1], "format": "gif"}, "/format", '"gif" is not one of'),
    ("generate", {"seeds": [1], "stretch": {"kind": "cubic"}}, "/stretch", "'cubic' is not one of"),
    ("generate", {"seeds": [1], "stretch": {"kind": "asinh", "b": 1}}, "/stretch/b", "allowed are minimum, maximum, kind, a"),
    ("generate", {"seeds": [1], "stretch": {"kind": "asinh", "a": 2}}, "/stretch/a", "2 is above 1"),
    ("generate", {"latents": [{"w": [1, "a"]}]}, "/latents/0/w/1", '"a" is not a number'),
    ("generate", {"latents": [{"w": [[1], [1, None]]}]}, "/latents/0/w/1/1", "null is not a number"),
    ("generate", {"latents": [{"w": "a"}]}, "/latents/0/w", '"a" is not a list'),
    ("generate", {"latents": [{"w": [0.1, 99999.0]}]}, "/latents/0/w/1", "99999.0 is above 10000.0, the most that is allowed"),
    ("generate", {"latents": [{"w": [0.5] * 9000}]}, "/latents/0/w", "has 9000 items; at most 8192 are allowed"),
    ("generate", {"latents": [{"w": [[0.1]] * 65}]}, "/latents/0/w", "has 65 items; at most 64 are allowed"),
    ("generate", {"latents": [{"w": [[]]}]}, "/latents/0/w/0", "has 0 items; at least 1 are needed"),
    ("generate", {"latents": [{"w": [[0.1], 0.1]}]}, "/latents/0/w/1", "0.1 is not a list"),
    ("generate", {"latents": [{"z": []}]}, "/latents/0/z", "at least 1"),
    ("generate", {"count": 1, "class": "a" * 201}, "/class", "at most 200 characters are allowed"),
    ("generate", {"count": 1, "class": ["a"] * 10_001}, "/class", "has 10001 items; at most 10000 are allowed"),
    ("generate", {"count": 1, "class": 7}, "/class", "7 is not a string"),
    ("generate", {"latents": [{"seed": 1, "mean": True}]}, "/latents/0", "got seed, mean"),
    ("generate", {"latents": [{"seed": 1, "klass": "a"}]}, "/latents/0/klass", "allowed are seed, z, w, mean, class"),
    ("generate", {"latents": [7]}, "/latents/0", "7 is not an object"),
    ("interpolate", {"from": LATENT, "to": LATENT, "frames": 2001}, "/frames", "2001 is above 2000"),
    ("interpolate", {"from": LATENT}, "", "either from and to, or path"),
    ("mix", {"rows": [LATENT], "columns": [LATENT], "layers": "rough"}, "/layers", "'coarse', 'middle' or 'fine'"),
    ("mix", {"rows": [LATENT], "columns": [LATENT]}, "/layers", "needed"),
    ("mix", {"rows": [LATENT], "columns": [LATENT], "layers": [0, -1]}, "/layers/1", "-1 is below 0"),
    ("arithmetic", {"terms": [{"weight": 1}]}, "/terms/0/latent", "needed"),
    ("arithmetic", {"terms": [{"latent": LATENT, "weight": 1e9}]}, "/terms/0/weight", "1000000000.0 is above 1000"),
    ("arithmetic", {"terms": [{"latent": LATENT, "weigth": 1}]}, "/terms/0/weigth", "allowed are latent, weight"),
    ("arithmetic", {"operation": "mix", "terms": [{"latent": LATENT}]}, "/operation", "send arithmetic"),
]


@pytest.mark.parametrize(("operation", "body", "pointer", "words"), CASES)
def test_a_wrong_value_gets_one_pointer_and_a_clear_detail(
    operation: Operation, body: dict[str, Any], pointer: str, words: str
) -> None:
    with pytest.raises(Problem) as caught:
        parse_request(operation, body)
    assert caught.value.status == 422
    (error,) = caught.value.errors
    assert error["pointer"] == pointer
    assert words in error["detail"]


def test_every_wrong_value_is_told_up_to_a_bound() -> None:
    with pytest.raises(Problem) as caught:
        parse_request("generate", {"seeds": ["a"] * 5000, "size": 1})
    assert len(caught.value.errors) == 20
    assert len(str(caught.value.document("/v1/generate"))) < 5000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"a": ' + b"[" * 100_000 + b"}", "deeply"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
    ],
)
def test_what_is_not_plain_json_is_400(body: bytes, words: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_object(body)
    assert caught.value.status == 400
    assert words in caught.value.detail


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null"])
def test_json_that_is_no_object_is_422(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_object(body)
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "")


def test_an_object_of_too_many_fields_is_refused_before_each_becomes_an_error() -> None:
    with pytest.raises(Problem, match="101 fields, of which the first is 'f0'") as caught:
        parse_object(json.dumps({"terms": [{f"f{i}": 0 for i in range(101)}]}).encode())
    assert caught.value.status == 422
    assert len(parse_object(json.dumps({f"f{i}": 0 for i in range(100)}).encode())) == 100


@pytest.mark.parametrize("body", [b'{"seeds": [1], "seeds": [2]}', b'{"terms": [{"a": 0, "seeds": 1, "seeds": 1}]}'])
def test_a_name_given_twice_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(Problem, match='the field "seeds" more than once') as caught:
        parse_object(body)
    assert caught.value.status == 422


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: ('{"a": ' + text + "}").encode(errors="replace")))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    try:
        status = 200 if isinstance(parse_object(body), dict) else 500
    except Problem as problem:
        status = problem.status
    assert status in (200, 400, 422)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["seed", "w", "kind", "latent", "x/~"]), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["seeds", "count", "latents", "class", "noise", "stretch", "terms", "rows", "layers", "from", "path"])


@given(st.sampled_from(["generate", "interpolate", "mix", "arithmetic"]), st.dictionaries(FIELDS, JSON, max_size=4))
def test_pointers_lead_into_the_body(operation: Operation, body: dict[str, Any]) -> None:
    try:
        parse_request(operation, body)
    except Problem as problem:
        for error in problem.errors:
            value: Any = body
            *steps, last = [""] if not error["pointer"] else error["pointer"].split("/")[1:]
            for step in steps:
                step = step.replace("~1", "/").replace("~0", "~")
                value = value[int(step)] if isinstance(value, list) else value[step]
            assert error["detail"]
            assert last == "" or isinstance(value, dict | list)
