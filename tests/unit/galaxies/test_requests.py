"""What a request may say, and what becomes of it for a model."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from galaxies.cards import ModelCard
from galaxies.errors import BadInput, GalaxyError, Unsupported
from galaxies.jobs import Job
from galaxies.requests import MEDIA_TYPES, OPERATIONS, REQUEST, image_count, to_wire
from galaxies.resolve import AnyRequest, Limits, check, pixel_count, resolve
from tests.strategies import flux_card, seeds, style_card, z_card

LATENT = {"seed": 1}
EACH = {"seed": 1, "each": True}
BODIES: dict[str, dict[str, Any]] = {
    "generate": {"seeds": [1, 2]},
    "interpolate": {"from": LATENT, "to": {"seed": 2}, "frames": 5},
    "mix": {"rows": [LATENT], "columns": [{"seed": 2}], "layers": [0]},
    "arithmetic": {"terms": [{"latent": LATENT, "weight": 1}]},
}


def parse(operation: str, **fields: Any) -> AnyRequest:
    body = {**BODIES[operation], **fields} if operation in BODIES else fields
    return OPERATIONS[operation].model_validate({k: v for k, v in body.items() if v is not None})  # type: ignore[index]


def resolved(request: AnyRequest, card: ModelCard) -> AnyRequest:
    counter = itertools.count(100)
    return resolve(request, card, request.formats[0], lambda: next(counter))


@pytest.mark.parametrize("operation", BODIES)
def test_a_resolved_request_sent_again_is_itself(operation: str) -> None:
    card = style_card()
    once = resolved(parse(operation), card)
    again = OPERATIONS[operation].model_validate(json.loads(json.dumps(to_wire(once))))  # type: ignore[index]
    assert resolved(again, card) == once
    assert REQUEST.validate_python(to_wire(once)) == once


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("generate", {"class_": "merger"}),
        ("generate", {"count": 2}),
        ("generate", {"seeds": []}),
        ("generate", {"seeds": [True]}),
        ("generate", {"seeds": [1.0]}),
        ("generate", {"seeds": [-1]}),
        ("generate", {"seeds": [2**32]}),
        ("generate", {"size": 15}),
        ("generate", {"size": 2049}),
        ("generate", {"truncation": float("nan")}),
        ("generate", {"truncation": 2.1}),
        ("generate", {"truncation": True}),
        ("generate", {"format": "gif"}),
        ("generate", {"noise": "fresh"}),
        ("generate", {"stretch": {"kind": "asinh", "a": "0.1"}}),
        ("generate", {"stretch": {"kind": "linear", "minimum": 2.0, "maximum": 1.0}}),
        ("generate", {"seeds": None, "latents": [{"seed": 1, "mean": True}]}),
        ("generate", {"seeds": None, "latents": [{"mean": 1}]}),
        ("generate", {"seeds": None, "latents": [{"z": [float("inf")]}]}),
        ("generate", {"seeds": None, "latents": [{"w": [0.0], "class": "merger"}]}),
        ("generate", {"class": ["merger"]}),
        ("interpolate", {"frames": 2001}),
        ("interpolate", {"frames": 1}),
        ("interpolate", {"to": None}),
        ("interpolate", {"path": [LATENT, LATENT]}),
        ("interpolate", {"from_": LATENT}),
        ("mix", {"rows": []}),
        ("mix", {"layers": "finest"}),
        ("arithmetic", {"terms": []}),
        ("arithmetic", {"terms": [{"latent": LATENT, "weight": 1}] * 65}),
        ("arithmetic", {"terms": [{"latent": LATENT, "weight": "1"}]}),
    ],
)
def test_what_is_out_of_shape_is_refused(operation: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse(operation, **fields)


@given(seed=seeds())
def test_the_class_of_a_seed_is_always_the_same_and_echoed(seed: int) -> None:
    card = style_card()
    one = resolved(parse("generate", seeds=[seed]), card)
    two = resolved(parse("generate", seeds=[seed, seed]), card)
    assert to_wire(one)["class"] == to_wire(two)["class"]
    assert to_wire(one)["class"] in card.class_names()


def test_a_count_becomes_seeds() -> None:
    request = resolved(parse("generate", seeds=None, count=3), style_card())
    assert to_wire(request)["seeds"] == [100, 101, 102]
    assert "count" not in to_wire(request)


def test_defaults_come_from_the_card() -> None:
    wire = to_wire(resolved(parse("generate"), style_card(truncation=0.5)))
    card = style_card()
    assert (wire["truncation"], wire["size"], wire["noise"], wire["resample"]) == (0.5, card.resolution, "const", "lanczos")
    assert wire["model"] == card.reference
    assert to_wire(resolved(parse("interpolate", frames=None), card))["frames"] == 200
    assert to_wire(resolved(parse("interpolate"), card))["space"] == "w"
    assert to_wire(resolved(parse("interpolate"), z_card()))["space"] == "z"


CASES: list[tuple[str, dict[str, Any], ModelCard, type[GalaxyError], str]] = [
    ("mix", {}, z_card(), Unsupported, "/model"),
    ("mix", {"layers": [63]}, style_card(), BadInput, "/layers/0"),
    ("generate", {"class": "quasar"}, style_card(), BadInput, "/class"),
    ("generate", {"class": "merger"}, z_card(), Unsupported, "/class"),
    ("generate", {"seeds": None, "latents": [{"z": [0.0]}]}, style_card(), BadInput, "/latents/0/z"),
    ("generate", {"seeds": None, "latents": [{"w": [0.0]}]}, style_card(), BadInput, "/latents/0/w"),
    ("generate", {"seeds": None, "latents": [{"w": [[0.0]]}]}, style_card(), BadInput, "/latents/0/w"),
    ("generate", {"seeds": None, "latents": [{"w": [0.0]}]}, z_card(), Unsupported, "/latents/0/w"),
    ("generate", {"noise": "none"}, z_card(), Unsupported, "/noise"),
    (
        "generate",
        {"seeds": None, "latents": [{"mean": True}], "noise": {"seed": 1, "each": True}},
        style_card(),
        BadInput,
        "/latents/0",
    ),
    ("interpolate", {"noise": EACH}, style_card(), BadInput, "/noise/each"),
    ("generate", {"truncation_cutoff": 64}, style_card(), BadInput, "/truncation_cutoff"),
    ("generate", {"truncation_cutoff": 1}, z_card(), Unsupported, "/truncation_cutoff"),
    ("generate", {"stretch": {"kind": "asinh"}}, style_card(), Unsupported, "/stretch/kind"),
    ("generate", {"stretch": {"kind": "identity"}}, flux_card(), Unsupported, "/stretch/kind"),
    ("generate", {"seeds": None, "count": 101}, style_card(), BadInput, "/count"),
    ("interpolate", {"space": "w"}, z_card(), Unsupported, "/space"),
    ("interpolate", {"space": "z", "to": {"mean": True}}, style_card(), BadInput, "/to/mean"),
    ("interpolate", {"frames": 100, "size": 2048}, style_card(), BadInput, "/size"),
    ("arithmetic", {"terms": [{"latent": LATENT}] * 20, "show_terms": True, "size": 1024}, style_card(), BadInput, "/size"),
]
LIMITS = Limits(images=100, pixels=100_000_000, sheet_pixels=10_000_000)


@pytest.mark.parametrize(("operation", "fields", "card", "kind", "field"), CASES)
def test_what_a_model_cannot_do_is_refused_with_a_pointer(
    operation: str, fields: dict[str, Any], card: ModelCard, kind: type[GalaxyError], field: str
) -> None:
    with pytest.raises(kind) as caught:
        check(parse(operation, **fields), card, LIMITS)
    assert caught.value.field == field


def test_pixels_that_are_made_count_however_small_they_are_shown() -> None:
    card = style_card(resolution=1024)
    with pytest.raises(BadInput, match="1024 × 1024"):
        check(parse("generate", seeds=None, count=100, size=16, format="fits"), card, LIMITS)


@pytest.mark.parametrize("format_", ["fits", "npz"])
def test_pixels_that_are_not_shown_do_not_count(format_: str) -> None:
    request, card = parse("generate", seeds=None, count=100, size=2048, format=format_), style_card()
    check(request, card, LIMITS)
    assert pixel_count(request, card) == 100 * card.resolution**2
    with pytest.raises(BadInput, match="ask for fewer images") as caught:
        check(request, card, replace(LIMITS, pixels=100))
    assert caught.value.field == "/count"


def test_a_sheet_has_no_more_columns_than_galaxies() -> None:
    check(parse("generate", columns=200, size=1024), style_card(), LIMITS)


@pytest.mark.parametrize("fields", [{"w": [""] * 8192}, {"w": [[""] * 8192] * 64}, {"w": [""] * 10**5}, {"z": [None] * 8192}])
def test_wrong_numbers_of_a_latent_are_one_error_not_one_each(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        parse("generate", seeds=None, latents=[fields])
    assert caught.value.error_count() <= 2


def test_of_wrong_latents_the_first_speaks() -> None:
    with pytest.raises(ValidationError) as caught:
        parse("generate", seeds=None, latents=[{f"f{i}": 0 for i in range(100)}] * 1000)
    assert caught.value.error_count() <= 100


def test_wrong_names_of_classes_are_one_error_not_one_each() -> None:
    with pytest.raises(ValidationError) as caught:
        parse("generate", **{"class": [0] * 10**5})
    assert caught.value.error_count() <= 2


def test_a_sheet_is_limited_and_a_zip_is_not() -> None:
    fields = {"terms": [{"latent": LATENT}] * 20, "show_terms": True, "size": 1024}
    check(parse("arithmetic", **fields, format="zip"), style_card(), LIMITS)


@pytest.mark.parametrize(
    ("operation", "fields", "count"),
    [
        ("generate", {}, 2),
        ("interpolate", {}, 5),
        ("mix", {}, 3),
        ("mix", {"headers": False}, 1),
        ("arithmetic", {}, 1),
        ("arithmetic", {"show_terms": True}, 2),
    ],
)
def test_image_count(operation: str, fields: dict[str, Any], count: int) -> None:
    assert image_count(parse(operation, **fields)) == count


def test_every_format_has_a_media_type() -> None:
    assert {f for model in OPERATIONS.values() for f in model.formats} == set(MEDIA_TYPES)


def test_a_result_is_named_by_everything_that_decides_it() -> None:
    card = style_card()

    def key(digest: str = "sha256:1", **fields: Any) -> str:
        job = {
            "id": "1",
            "operation": "generate",
            "request": to_wire(resolved(parse("generate", **fields), card)),
            "model": {"name": card.name, "version": card.version, "digest": digest},
            "created": "2026-01-01T00:00:00Z",
            "expires": "2026-01-02T00:00:00Z",
            "total": 2,
        }
        return Job.model_validate(job).result_key

    keys = [key(), key("sha256:2"), key(seeds=[1, 3]), key(size=32), key(format="fits"), key(noise="none"), key(truncation=1.0)]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


@pytest.mark.parametrize(
    "change",
    [
        {"w_dim": None},
        {"layers": {"coarse": [64]}},
        {"normalisation": {"kind": "linear", "low": [0.0], "high": [1.0]}},
        {"classes": [{"name": "merger", "count": 0}]},
        {"w_dim": None, "num_ws": None, "layers": {}},
    ],
)
def test_a_card_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    document = {**style_card().model_dump(mode="json"), **change}
    with pytest.raises(ValidationError):
        ModelCard.model_validate(document)
