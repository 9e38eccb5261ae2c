"""Losses against their formulas, and what makes each of them a loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from training.losses import LOSSES, between, clip_parameters, gradient_penalty, r1_penalty


def logits(n: int = 5) -> st.SearchStrategy[Tensor]:
    return hnp.arrays(np.float64, n, elements=st.floats(-20, 20)).map(torch.from_numpy)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def obvious(name: str, real: np.ndarray, fake: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Losses of G and D as the papers print them."""
    if name == "relativistic":
        return float(-np.log(sigmoid(fake - real)).mean()), float(-np.log(sigmoid(real - fake)).mean())
    if name.startswith("wgan"):
        drift = 0.001 * (real**2).mean() if name == "wgan-gp" else 0.0
        return float(-fake.mean()), float(fake.mean() - real.mean() + drift)
    own = -(y * np.log(sigmoid(real)) + (1 - y) * np.log(sigmoid(-real))).mean()
    return float(-np.log(sigmoid(fake)).mean()), float(own - np.log(sigmoid(-fake)).mean())


@pytest.mark.parametrize("name", LOSSES)
@given(logits(), logits(), st.integers(0, 2**32))
@settings(deadline=None)
def test_losses_are_those_of_the_papers(name: str, real: Tensor, fake: Tensor, seed: int) -> None:
    loss = LOSSES[name]
    targets = loss.targets(5, torch.Generator().manual_seed(seed))
    y = np.ones(5) if targets is None else targets.double().numpy()
    expected = obvious(name, real.numpy(), fake.numpy(), y)
    assert loss.generator(fake, real).item() == pytest.approx(expected[0], abs=1e-6)
    assert loss.discriminator(real, fake, targets).item() == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_both_sides_pull_in_opposite_directions(name: str) -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    loss = LOSSES[name]
    targets = loss.targets(4, torch.Generator().manual_seed(0))
    up, down = torch.autograd.grad(loss.discriminator(real, fake, targets), (real, fake))
    (back,) = torch.autograd.grad(loss.generator(fake, real), fake)
    assert (up < 0).all()  # D raises the logits of real images …
    assert (down > 0).all()  # … and lowers those of generated ones,
    assert (back < 0).all()  # which G raises


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_is_the_mean_of_its_halves(name: str) -> None:
    """Several processes average the gradients of their shares."""
    rng = torch.Generator().manual_seed(0)
    loss = LOSSES[name]
    real, fake = torch.randn(8, generator=rng), torch.randn(8, generator=rng)
    targets = loss.targets(8, rng)
    shares = [(real[s], fake[s], None if targets is None else targets[s]) for s in (slice(4), slice(4, 8))]
    halves = torch.stack([loss.discriminator(*share) for share in shares]).mean()
    torch.testing.assert_close(halves, loss.discriminator(real, fake, targets))


@pytest.mark.parametrize(("name", "low", "high"), [("bce-smooth", 0.7, 1.3), ("bce-0.9", 0.9, 0.9)])
def test_smoothed_labels_lie_where_the_paper_says_and_do_not_see_how_a_batch_is_split(name: str, low: float, high: float) -> None:
    rng, again = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    whole = LOSSES[name].targets(1000, rng)
    parts = [LOSSES[name].targets(n, again) for n in (300, 700)]
    assert whole is not None
    assert torch.equal(whole, torch.cat([p for p in parts if p is not None]))
    assert float(whole.min()) == pytest.approx(low, abs=0.01)
    assert float(whole.max()) == pytest.approx(high, abs=0.01)


def test_losses_that_need_more_say_so() -> None:
    with pytest.raises(ValueError, match="targets"):
        LOSSES["bce-smooth"].discriminator(torch.zeros(2), torch.zeros(2))
    with pytest.raises(ValueError, match="real images"):
        LOSSES["relativistic"].generator(torch.zeros(2))
    assert [name for name, loss in LOSSES.items() if loss.paired] == ["relativistic"]


def linear(slope: Tensor, images: Tensor) -> Tensor:
    return (images * slope).sum(dim=(1, 2, 3))


@given(st.floats(0.01, 3), st.integers(0, 2**32))
@settings(deadline=None)
def test_penalties_of_a_linear_critic_are_known(scale: float, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    slope = torch.randn(2, 3, 3, generator=rng, dtype=torch.float64) * scale
    real, fake = torch.randn(2, 4, 2, 3, 3, generator=rng, dtype=torch.float64).unbind()
    images = between(real, fake, torch.rand(4, generator=rng))
    norm = float(slope.norm())
    assert r1_penalty(linear(slope, images), images).item() == pytest.approx(norm**2)
    assert gradient_penalty(linear(slope, images), images).item() == pytest.approx((norm - 1) ** 2, abs=1e-5)


def test_gradient_penalty_draws_the_slope_to_one() -> None:
    slope = torch.full((1, 2, 2), 3.0, requires_grad=True)
    optimiser = torch.optim.SGD([slope], 0.05)
    for _ in range(100):
        images = torch.randn(4, 1, 2, 2, requires_grad=True)
        optimiser.zero_grad()
        gradient_penalty(linear(slope, images), images).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float(slope.detach().norm()) == pytest.approx(1.0, abs=0.01)


def test_images_between_lie_on_the_line() -> None:
    real, fake = torch.ones(3, 1, 2, 2), -torch.ones(3, 1, 2, 2)
    images = between(real, fake, torch.tensor([0.0, 0.25, 1.0]))
    assert images[:, 0, 0, 0].tolist() == [-1.0, -0.5, 1.0]
    assert images.is_leaf
    assert images.requires_grad


def test_clipping_keeps_every_parameter_within_the_limit() -> None:
    network = nn.Linear(8, 8)
    nn.init.normal_(network.weight)
    clip_parameters(network, 0.01)
    assert max(float(p.detach().abs().max()) for p in network.parameters()) <= 0.01
    assert LOSSES["wgan"].clip == 0.01
