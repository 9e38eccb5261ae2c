"""Scorers and baselines learn; the best validation score is kept; one phase leaves the trunk alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from training.data.archive import Archive
from training.score import wavelets
from training.score.ensemble import ScoreOptions, scorer, split
from training.score.fit import Phase, fit, predict
from training.score.networks import PlainCNN
from training.score.regression import Examples, Parts, examples


def parts(archive: Archive, count: int = 60) -> tuple[Examples, Examples]:
    return split(examples(Parts(archive, None, 32, held_out=False), count, 1, lambda done, total: None), 0, 1)


def error(network: nn.Module, found: Examples) -> float:
    return float(np.abs(predict(network, found.images, 16) - found.targets).mean())


def test_a_network_learns_the_scores_and_keeps_its_best_epoch(archive64: Archive) -> None:
    training, _ = parts(archive64)
    torch.manual_seed(0)
    network = PlainCNN(1, 32)
    before = error(network, training)
    ticks = list[int]()
    curve = fit(network, [Phase(network, 40, 1e-2)], (training, training), 16, 0, lambda: ticks.append(1))
    assert len(curve) == len(ticks) == 40
    assert error(network, training) == min(curve) < 0.6 * before


def test_new_layers_learn_alone_before_all_do(archive64: Archive) -> None:
    training, validation = parts(archive64, 30)
    torch.manual_seed(0)
    network = scorer(ScoreOptions(side=32))
    trunk = {name: value.clone() for name, value in network.trunk.state_dict().items()}
    head = network.head[-1].weight.clone()
    fit(network, [Phase(network.head, 3, 2e-3)], (training, validation), 16, 0, lambda: None)
    assert all(torch.equal(value, trunk[name]) for name, value in network.trunk.state_dict().items())
    assert not torch.equal(network.head[-1].weight, head)


def test_scores_stay_between_0_and_8() -> None:
    network = PlainCNN(1, 32)
    nn.init.constant_(network.dense.bias, 100.0)
    noise = np.random.default_rng(0).integers(0, 256, (5, 1, 32, 32)).astype(np.uint8)
    assert (predict(network, noise, 2) == 8).all()


def test_shares_of_energy_add_up_to_one_and_reach_ten_levels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 1, 64, 64)).astype(np.uint8)
    found = wavelets.shares(noise)
    assert found.shape == (2, 1 + 3 * 6)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert wavelets.shares(np.ones((1, 1, 1000, 1000), np.uint8)).shape == (1, 1 + 3 * 10)
    assert not wavelets.shares(np.zeros((1, 1, 64, 64), np.uint8)).any()


def test_blur_moves_energy_to_coarse_scales(archive64: Archive) -> None:
    found = examples(Parts(archive64, None, 64, held_out=False), 200, 1, lambda done, total: None)
    fine = wavelets.shares(found.images)[:, -3:].sum(axis=1)
    blurred = fine[(found.kinds == "blur") & (found.targets < 4)]
    assert blurred.mean() < 0.2 * fine[found.kinds == "intact"].mean()
