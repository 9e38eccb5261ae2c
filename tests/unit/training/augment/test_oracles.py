"""Each transform against a slow, obvious version, or against what it must do to an image that is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.augment.colour import BandGain, Brightness, Colour, Contrast, Hue, LumaFlip, Saturation
from training.augment.geometry import Drift, Geometric, Mirror, QuarterTurns, Rotation, Scale, Shift, Stretch
from training.augment.pixels import BANK, EXPECTED_POWER, CutOut, DiffColour, DiffShift, Noise, OctaveFilter, sky_level
from training.augment.resample import HALF_BAND, mirror_pad, move, warp, warp_into
from training.augment.uniforms import choice, normal

SIDE = 32
u01 = st.floats(0.05, 0.95)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def blob(matrix: Tensor) -> Tensor:
    """A smooth off-centre ellipse at every point that ``matrix`` (3, 3) takes a pixel centre to, (1, 1, SIDE, SIDE)."""
    centres = (torch.arange(SIDE, dtype=torch.float64) * 2 + 1) / SIDE - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    points = matrix @ torch.stack([x.flatten(), y.flatten(), torch.ones(SIDE * SIDE, dtype=torch.float64)])
    light = torch.exp(-((points[0] - 0.2) ** 2) / 0.09 - ((points[1] + 0.15) ** 2) / 0.05 - (points[0] * points[1]) * 2)
    return light.reshape(1, 1, SIDE, SIDE)


@given(st.sampled_from([Mirror(), QuarterTurns(), Shift(), Scale(), Rotation(), Stretch(0.1), Drift(0.05)]), u01, u01)
@settings(max_examples=40, deadline=None)
def test_resampling_shows_the_analytic_image(transform: Geometric, a: float, b: float) -> None:
    u = row(a, b)[:, : transform.uniforms]
    matrix = transform.matrices(u, SIDE)
    source = blob(torch.eye(3, dtype=torch.float64))
    expected = blob(matrix[0])
    inside = (slice(None), slice(None), slice(12, -12), slice(12, -12))  # where no point comes from beyond the border
    actual = move(source, matrix) if transform.exact else warp(source, matrix)
    assert (actual - expected)[inside].abs().max() < (1e-12 if transform.exact else 0.01)


@pytest.mark.parametrize(
    ("transform", "u", "point", "source"),
    [
        (Mirror(), row(0.9), (0.5, 0.25), (-0.5, 0.25)),
        (Shift(0.25), row(1.0, 0.5), (0.0, 0.0), (0.5, 0.0)),
        (Scale(1.0), row(0.8413447), (0.5, 0.5), (0.25, 0.25)),  # one σ: zoomed in by 2, so the source point lies nearer
        (Stretch(1.0), row(0.8413447), (0.5, 0.25), (0.25, 0.5)),
        (Drift(0.1), row(0.8413447, 0.5), (0.0, 0.0), (0.2, 0.0)),
        (Rotation(), row(0.75), (1.0, 0.0), (0.0, 1.0)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple | Tensor) else "",
)
def test_matrices_have_the_published_parameters(
    transform: Geometric, u: Tensor, point: tuple[float, float], source: tuple[float, float]
) -> None:
    found = transform.matrices(u, SIDE)[0] @ torch.tensor([*point, 1.0], dtype=torch.float64)
    torch.testing.assert_close(found[:2], torch.tensor(source, dtype=torch.float64), atol=1e-6, rtol=0)


def test_quarter_turns_are_those_of_rot90() -> None:
    image = torch.rand(1, 2, SIDE, SIDE)
    turned = [move(image, QuarterTurns().matrices(row((k + 0.5) / 4), SIDE)) for k in range(4)]
    for k in range(4):
        assert torch.equal(turned[k], torch.rot90(image, k, (2, 3)))


def test_beyond_the_border_lies_the_mirror_image() -> None:
    image = torch.rand(1, 1, 8, 8)
    shifted = move(image, Shift(0.25).matrices(row(1.0, 0.5), 8))  # two pixels to the left
    assert torch.equal(shifted[..., :6], image[..., 2:])
    assert torch.equal(shifted[..., 6:], image[..., [7, 6]])


@pytest.mark.parametrize("margin", [1, 5, 8, 21])
def test_mirror_padding_is_numpys_symmetric_padding(margin: int) -> None:
    image = torch.rand(2, 3, 8, 8)
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="symmetric")
    assert np.array_equal(mirror_pad(image, margin).numpy(), expected)


def test_shrinking_does_not_alias() -> None:
    """A pattern too fine for the smaller image becomes flat instead of turning into a coarse one."""
    stripes = torch.cos(torch.arange(64.0) * math.pi * 0.7).expand(1, 1, 64, 64).double()
    half = torch.diag(torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64))[None]
    assert warp_into(stripes, half, 0.0)[..., 20:44, 20:44].std() > 0.2  # what plain interpolation makes of it
    assert warp(stripes, half)[..., 20:44, 20:44].std() < 0.05


def test_low_pass_filter_is_symmetric_and_keeps_flat_images_flat() -> None:
    np.testing.assert_allclose(HALF_BAND, HALF_BAND[::-1])
    assert sum(HALF_BAND[::2]) == pytest.approx(0.5)


COLOUR = st.sampled_from([Brightness(), Contrast(), LumaFlip(), Hue(), Saturation(), BandGain()])


def slow_colour(transform: Colour, u: list[float], pixel: np.ndarray) -> np.ndarray:
    """One pixel (C,) by the words of the paper."""
    mean, count = pixel.mean(), len(pixel)
    z = float(normal(torch.tensor(u[0], dtype=torch.float64)))
    if isinstance(transform, Brightness):
        return np.asarray(pixel + z * 0.2)
    if isinstance(transform, Contrast):
        return np.asarray(pixel * 2 ** (z * 0.5))
    if isinstance(transform, LumaFlip):
        return np.asarray(pixel - 2 * mean if u[0] >= 0.5 else pixel)
    if isinstance(transform, Saturation):
        return np.asarray(mean + (pixel - mean) * 2**z)
    if isinstance(transform, BandGain):
        return np.array([(pixel[i] + 1) * (1 + 0.1 * (2 * u[i] - 1)) - 1 for i in range(count)])
    raise AssertionError(transform)


@given(COLOUR.filter(lambda t: not isinstance(t, Hue)), st.integers(1, 6), st.data())
@settings(deadline=None)
def test_colour_maps_are_those_of_the_paper(transform: Colour, count: int, data: st.DataObject) -> None:
    k = transform.uniforms(count)
    u = data.draw(st.lists(u01, min_size=k, max_size=k))
    pixel = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=count, max_size=count)))
    matrix, offset = transform.maps(row(*u), count)
    actual = (matrix[0] @ torch.from_numpy(pixel) + offset[0]).numpy()
    np.testing.assert_allclose(actual, slow_colour(transform, u, pixel), atol=1e-9)


@given(st.integers(1, 6), st.data())
@settings(deadline=None)
def test_hue_keeps_luma_and_length_and_is_a_rotation(count: int, data: st.DataObject) -> None:
    k = Hue().uniforms(count)
    u = data.draw(st.lists(u01, min_size=k, max_size=k, unique=True))
    matrix = Hue().maps(row(*u), count)[0][0]
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(count, dtype=torch.float64), atol=1e-6, rtol=0)
    assert torch.linalg.det(matrix) == pytest.approx(1.0)
    ones = torch.ones(count, dtype=torch.float64)
    torch.testing.assert_close(matrix @ ones, ones, atol=1e-6, rtol=0)
    if count == 3:  # the trace of a rotation about an axis tells its angle
        assert float(matrix.trace()) == pytest.approx(1 + 2 * math.cos((2 * u[0] - 1) * math.pi), abs=1e-6)
    if count < 3:
        assert torch.equal(matrix, torch.eye(count, dtype=torch.float64))


def test_filter_bank_sums_to_nothing_done_and_separates_octaves() -> None:
    delta = torch.zeros(43, dtype=torch.float64)
    delta[21] = 1
    torch.testing.assert_close(BANK.sum(dim=0), delta, atol=1e-12, rtol=0)
    response = torch.fft.rfft(BANK, 1024).abs()
    for octave, (low, high) in enumerate([(0, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1)]):
        middle = round((low + high) / 2 * 512)
        assert int(response[:, middle].argmax()) == octave


@given(st.lists(u01, min_size=8, max_size=8))
@settings(max_examples=20, deadline=None)
def test_octave_filter_is_a_convolution_with_the_weighted_bank(u: list[float]) -> None:
    transform, image = OctaveFilter(), torch.rand(1, 2, 12, 12, dtype=torch.float64)
    gains = transform.gains(row(*u), 0.6)[0]
    kernel = (gains @ BANK).numpy()
    padded = np.pad(image.numpy(), ((0, 0), (0, 0), (21, 21), (21, 21)), mode="symmetric")
    rows = np.apply_along_axis(np.convolve, 3, padded, kernel, "valid")
    expected = np.apply_along_axis(np.convolve, 2, rows, kernel, "valid")
    np.testing.assert_allclose(transform.apply(image, row(*u), 0.6).numpy(), expected, atol=1e-10)


def test_one_raised_octave_keeps_the_expected_power() -> None:
    gains = OctaveFilter().gains(row(0.9, 0.1, 0.9, 0.9, *[0.5, 0.9, 0.5, 0.5]), 0.5)[0]
    assert float(gains.square() @ torch.tensor(EXPECTED_POWER, dtype=torch.float64)) == pytest.approx(1.0)
    assert int(gains.argmax()) == 1


def test_noise_has_the_drawn_standard_deviation_and_no_mean() -> None:
    image = torch.zeros(1, 3, 64, 64)
    out = Noise(0.1).apply(image, row(0.0, 0.8413447, 0.3), 1.0)
    assert float(out.std()) == pytest.approx(0.1, rel=0.03)
    assert abs(float(out.mean())) < 0.005


@given(u01, u01, st.booleans())
@settings(deadline=None)
def test_cut_out_fills_a_square(a: float, b: float, sky: bool) -> None:
    image = torch.rand(1, 2, 16, 16)
    out = CutOut(0.5, sky=sky).apply(image, row(0.0, a, b), 1.0)
    for y in range(16):
        for x in range(16):
            inside = abs((x + 0.5) / 16 - a) < 0.25 and abs((y + 0.5) / 16 - b) < 0.25
            wanted = (sky_level(image)[0, :, 0, 0] if sky else torch.zeros(2)) if inside else image[0, :, y, x]
            torch.testing.assert_close(out[0, :, y, x], wanted)


def test_sky_is_the_mean_of_the_border() -> None:
    image = torch.rand(1, 1, 5, 5)
    border = [image[0, 0, y, x] for y in range(5) for x in range(5) if y in (0, 4) or x in (0, 4)]
    torch.testing.assert_close(sky_level(image)[0, 0, 0, 0], torch.stack(border).mean())


@given(u01, u01, u01)
@settings(deadline=None)
def test_diffaugment_colour_is_three_published_steps(a: float, b: float, c: float) -> None:
    image = torch.rand(1, 3, 6, 6, dtype=torch.float64)
    x = image.numpy() + (a - 0.5)
    mean = x.mean(axis=1, keepdims=True)
    x = (x - mean) * (b * 2) + mean
    x = (x - x.mean()) * (c + 0.5) + x.mean()
    np.testing.assert_allclose(DiffColour().apply(image, row(0.0, a, b, c), 1.0).numpy(), x, atol=1e-12)


@given(st.floats(0, 0.999), st.floats(0, 0.999))
@settings(deadline=None)
def test_diffaugment_shift_moves_whole_pixels_and_lets_zeros_in(a: float, b: float) -> None:
    image = torch.rand(1, 2, 16, 16) + 1
    out = DiffShift().apply(image, row(0.0, a, b), 1.0)
    options = [
        torch.roll(torch.nn.functional.pad(image, (2, 2, 2, 2)), (-dy, -dx), (2, 3))[..., 2:-2, 2:-2]
        for dy in range(-2, 3)
        for dx in range(-2, 3)
    ]
    assert sum(torch.equal(out, option) for option in options) == 1


def test_normal_values_have_the_right_quantiles() -> None:
    u = torch.tensor([0.0, 0.0227501, 0.5, 0.8413447], dtype=torch.float64)
    assert normal(u)[1:].tolist() == pytest.approx([-2, 0, 1], abs=1e-5)
    assert normal(u)[0].isfinite()


def test_choices_are_equally_likely() -> None:
    counts = torch.bincount(choice(torch.rand(40_000, generator=torch.Generator().manual_seed(0)), 4))
    assert counts.tolist() == pytest.approx([10_000] * 4, rel=0.04)
