"""Keyword arguments → the bodies of the contract."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from galaxies.requests import OPERATIONS
from galsynth.client.errors import Refused, WrongFormat
from galsynth.client.options import body_of, format_of, formats
from galsynth.client.wanted import Wanted


def test_words_of_python_lose_their_underscore_and_none_is_left_out() -> None:
    assert body_of({"seeds": range(3), "class_": "merger", "size": None}) == {"seeds": [0, 1, 2], "class": "merger"}


def test_every_way_to_write_a_request_is_one_of_the_contract() -> None:
    w = np.ones(4, dtype=np.float32)
    bodies = {
        "generate": body_of(
            {"latents": [42, {"seed": np.int64(1), "class": "merger"}, {"z": w}], "noise": {"seed": 1, "each": True}}
        ),
        "interpolate": body_of({"from_": 1, "to": {"w": w}, "frames": 4}),
        "mix": body_of({"rows": [1, 2], "columns": np.arange(3), "layers": [0, 1]}),
        "arithmetic": body_of({"terms": [(1, 42), (-0.5, {"mean": True}), {"latent": 3, "weight": 2}]}),
    }
    for operation, body in bodies.items():
        OPERATIONS[operation].model_validate(body)  # type: ignore[index]
    assert bodies["generate"]["latents"][2] == {"z": [1.0] * 4}
    assert bodies["arithmetic"]["terms"][1] == {"weight": -0.5, "latent": {"mean": True}}
    assert body_of({"seeds": [1], "columns": 4})["columns"] == 4


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_suffix_is_a_format(operation: str) -> None:
    for name in formats(operation):
        assert format_of(operation, f"galaxy.{name.upper()}") == name
    assert format_of(operation, "galaxy.fit") == "fits"
    for name in ("galaxy", "galaxy.tiff"):
        with pytest.raises(WrongFormat, match="makes"):
            format_of(operation, name)


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"seeds": [1], "truncation": math.nan}, "/truncation"),
        ({"latents": [{"seed": 1}, {"z": [0.0, math.inf]}]}, "/latents/1/z/1"),
        ({"latents": [{"w": np.array([[0.0, -np.inf]], np.float32)}]}, "/latents/0/w/0/1"),
    ],
)
def test_a_number_that_json_has_no_word_for_is_refused_before_it_is_sent(options: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refused, match=f"{pointer}: .* is not a finite number") as caught:
        Wanted.of("generate", body_of(options))
    assert caught.value.field == pointer
