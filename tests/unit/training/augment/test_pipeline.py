"""What holds for every augmentation preset, for any number of bands and any seed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from galaxies.errors import BadInput
from training.augment import ADA_PRESETS, PRESETS, Augmentation, build
from training.augment.geometry import Geometric, Mirror, Rotation
from training.augment.pipeline import Pipeline
from training.augment.pixels import Noise, OctaveFilter

presets = st.sampled_from(sorted(PRESETS))
bands = st.sampled_from([1, 2, 3, 5])
seeds = st.integers(0, 2**32)
strengths = st.floats(0.01, 1.0)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int, count: int, side: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(n, count, side, side, generator=rng(seed)) * 2 - 1


@given(presets, bands, seeds)
@settings(deadline=None)
def test_strength_zero_is_the_identity(name: str, count: int, seed: int) -> None:
    given_ = images(3, count)
    assert torch.equal(build(name, count, mirror=True)(given_, 0.0, rng(seed)), given_)


@given(presets, bands, seeds, strengths)
@settings(max_examples=20, deadline=None)
def test_shape_and_type_stay_and_values_are_finite(name: str, count: int, seed: int, p: float) -> None:
    out = build(name, count, mirror=True)(images(4, count), torch.tensor(p), rng(seed))
    assert out.shape == (4, count, 16, 16)
    assert out.dtype == torch.float32
    assert out.isfinite().all()


@given(presets, bands, seeds, strengths, st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_splitting_a_batch_changes_nothing(name: str, count: int, seed: int, p: float, cut: int) -> None:
    augmentation, whole, one = build(name, count, mirror=True), images(6, count), rng(seed)
    together = augmentation(whole, p, rng(seed))
    apart = torch.cat([augmentation(whole[:cut], p, one), augmentation(whole[cut:], p, one)])
    torch.testing.assert_close(apart, together, atol=1e-5, rtol=1e-5)
    draw = augmentation.draw(6, rng(seed))
    sliced = torch.cat([augmentation.apply(whole[:cut], draw[:cut], p), augmentation.apply(whole[cut:], draw[cut:], p)])
    torch.testing.assert_close(sliced, together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_an_image_that_is_not_chosen_comes_back_bit_for_bit(name: str) -> None:
    augmentation = build(name, 3)
    given_, draw = images(2, 3), augmentation.draw(2, rng(0))
    draw[1] = 1 - 1e-9  # never below p
    out = augmentation.apply(given_, draw, 0.9)
    assert torch.equal(out[1], given_[1])


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"none", "published"}))  # published-full has all of published
def test_gradients_flow_once_and_twice(name: str) -> None:
    """R1 of augmented real images differentiates a gradient with respect to the images."""
    augmentation = build(name, 2, mirror=True)
    given_ = images(2, 2, 6).double().requires_grad_()
    draw = augmentation.draw(2, rng(1))
    assert torch.autograd.gradcheck(lambda x: augmentation.apply(x, draw, 0.9), given_, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: augmentation.apply(x, draw, 0.9).square(), given_, fast_mode=True)


def only(transform: Any, kind: str, count: int = 3) -> Augmentation:
    stages: dict[str, Any] = {kind: (transform,)}
    return Augmentation("one", Pipeline(**stages), count)


ALL = {
    f"{name} {kind} {type(transform).__name__}": (kind, transform)
    for name in ("published-full", "galaxy", "diffaugment")
    for kind in ("geometry", "colour", "pixels")
    for transform in getattr(PRESETS[name], kind)
}
STAYS = {"Mirror": 1 / 2, "QuarterTurns": 1 / 4, "LumaFlip": 1 / 2}
"""How often a chosen image is left as it is, where that can happen."""


@pytest.mark.parametrize("case", ALL)
def test_each_transform_is_applied_to_the_share_p(case: str) -> None:
    kind, transform = ALL[case]
    p, n = 0.3, 800
    given_ = images(n, 3, 32)
    changed = (only(transform, kind)(given_, p, rng(5)) != given_).flatten(1).any(dim=1).double().mean()
    rate = transform.rate(p) if isinstance(transform, Rotation) else p
    rate = 1 - (1 - p) ** 4 if isinstance(transform, OctaveFilter) else rate
    rate *= 1 - STAYS.get(type(transform).__name__, 0.0)
    spread = 4 * (rate * (1 - rate) / n) ** 0.5
    assert rate * 0.93 - spread < changed < rate + spread  # a whole-pixel shift by nothing, a hole of no new colour


def test_either_rotation_happens_with_p() -> None:
    rate = Rotation().rate(0.36)
    assert 1 - (1 - rate) ** 2 == pytest.approx(0.36)


@given(seeds, bands)
@settings(max_examples=20, deadline=None)
def test_galaxy_keeps_colours_but_for_a_tenth(seed: int, count: int) -> None:
    """Each band of a flat image moves by its own gain only; geometry and cut-out to the sky cannot change it."""
    flux = torch.rand(4, count, 1, 1, generator=rng(seed)) + 0.1
    out = build("galaxy", count)((flux - 1).expand(-1, -1, 16, 16), 1.0, rng(seed)) + 1
    ratio = out / flux
    assert (ratio > 0.9 - 1e-5).all()
    assert (ratio < 1.1 + 1e-5).all()
    assert (ratio.flatten(2).amax(2) - ratio.flatten(2).amin(2)).max() < 1e-5


def test_galaxy_has_no_colour_transform_but_gain() -> None:
    assert [type(t).__name__ for t in PRESETS["galaxy"].colour] == ["BandGain"]


@pytest.mark.parametrize("transform", PRESETS["published"].geometry)
def test_geometry_keeps_flat_images_flat(transform: Geometric) -> None:
    """Borders are mirrored, not black: nothing that was not in the image comes in."""
    flat = torch.full((16, 2, 16, 16), 0.7)
    torch.testing.assert_close(only(transform, "geometry", 2)(flat, 1.0, rng(2)), flat)


@pytest.mark.parametrize("name", ["QuarterTurns", "Mirror"])
def test_turns_and_flips_move_pixels_exactly(name: str) -> None:
    transform = next(t for t in PRESETS["published"].geometry if type(t).__name__ == name)
    given_ = images(16, 2)
    out = only(transform, "geometry", 2)(given_, 1.0, rng(2))
    torch.testing.assert_close(out.flatten(2).sort().values, given_.flatten(2).sort().values, atol=0, rtol=0)


def test_mirroring_is_left_to_the_data_pipeline_unless_asked_for() -> None:
    for name in PRESETS:
        assert not any(isinstance(t, Mirror) for t in build(name, 3).pipeline.geometry)
    assert any(isinstance(t, Mirror) for t in build("galaxy", 3, mirror=True).pipeline.geometry)


def test_only_the_thesis_presets_change_real_images_alone() -> None:
    assert {name for name, p in PRESETS.items() if p.reals_only} == {"concepcion", "concepcion-reflect"}
    assert set(PRESETS) >= ADA_PRESETS


def test_concepcion_leaves_black_corners_and_its_sibling_does_not() -> None:
    white, draw = torch.ones(1, 1, 32, 32), torch.tensor([[0.0, 1.5 / 8]], dtype=torch.float64)  # 45°
    black = build("concepcion", 1).apply(white, draw, 1.0)
    assert black[0, 0, 0, 0] == -1
    assert black[0, 0, 16, 16] == 1
    torch.testing.assert_close(build("concepcion-reflect", 1).apply(white, draw, 1.0), white)


def test_noise_of_an_image_depends_on_nothing_but_its_row() -> None:
    augmentation = only(Noise(), "pixels")
    draw = augmentation.draw(5, rng(0))
    whole = augmentation.apply(images(5, 3), draw, 1.0)
    assert torch.equal(augmentation.apply(images(5, 3)[3:4], draw[3:4], 1.0), whole[3:4])


@pytest.mark.parametrize(("name", "count", "message"), [("ada", 3, "there are none, galaxy"), ("galaxy", 0, "1 or more")])
def test_unknown_presets_and_no_bands_are_refused(name: str, count: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        build(name, count)
