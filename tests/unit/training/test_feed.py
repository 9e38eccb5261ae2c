"""Batches are a function of seed and step, on the device as on the host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.conftest import tiny_config
from training import augment
from training.architectures import build
from training.data.archive import read
from training.feed import Feed, _Resident
from training.losses import LOSSES

CPU = torch.device("cpu")


def test_data_in_the_device_s_memory_are_the_archive_s(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    resident = _Resident(archive, CPU)
    indices, symmetry = np.arange(24) % len(archive.images), np.arange(24) % 8
    pixels, labels = archive.batch(indices, symmetry)
    images, numbers = resident.batch(indices, symmetry)
    np.testing.assert_array_equal(images.numpy(), pixels)
    np.testing.assert_array_equal(numbers.numpy(), labels)


@pytest.mark.parametrize("softening", [0.0, 0.03])
def test_processes_share_one_batch(softening: float, archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    config = replace(tiny_config("stylegan2"), batch=8, loss="bce-smooth", pl_weight=1.0)
    config = replace(config, network=replace(config.network, softening=softening))
    generator, _ = build(config.network)
    pipeline = augment.build("galaxy", 3)
    whole = Feed(config, archive, 0, CPU).batch(4, generator, pipeline, LOSSES[config.loss])
    halves = [
        Feed(replace(config, processes=2), archive, r, CPU).batch(4, generator, pipeline, LOSSES[config.loss]) for r in (0, 1)
    ]
    for name in ("real", "onehot", "real_draw", "fake_draw", "targets", "alpha", "directions"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(half, name) for half in halves])), name
    assert all(torch.equal(whole.draw[key], torch.cat([half.draw[key] for half in halves])) for key in whole.draw)


def test_levels_that_are_stretched_are_spread_out_evenly_and_stay_their_own(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    plain = replace(tiny_config("stylegan2"), batch=8)
    spread = replace(plain, network=replace(plain.network, softening=0.03))
    feeds = [Feed(config, archive, 0, CPU) for config in (plain, spread)]
    generator, _ = build(plain.network)
    batches = [feed.batch(4, generator, augment.build("none", 3), LOSSES["logistic"]).real for feed in feeds]
    held_out = [found[0] for feed in feeds if (found := feed.held_out(4))]
    for levels, images in (batches, held_out):
        within = (images - levels) * 255 / 2
        assert within.abs().max() <= 0.501
        assert within.std() == pytest.approx(12**-0.5, rel=0.05)


def test_held_out_batches_hold_no_training_image(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    feed = Feed(replace(tiny_config("stylegan2"), dihedral=False), archive, 0, CPU)
    found = feed.held_out(3)
    assert found is not None
    shown = archive.batch(feed.training, np.zeros(len(feed.training), np.int64))[0]
    for image in found[0].numpy():
        assert not (shown == image).all(axis=(1, 2, 3)).any()


def test_mirror_alone_never_turns(archives: dict[int, Path]) -> None:
    archive = read(archives[16])
    config = replace(tiny_config("stylegan2"), dihedral=False, mirror=True)
    generator, _ = build(config.network)
    batch = Feed(config, archive, 0, CPU).batch(0, generator, augment.build("none", 3), LOSSES["logistic"])
    upright = archive.batch(np.arange(len(archive.images)), np.zeros(len(archive.images), np.int64))[0]
    allowed = np.concatenate([upright, upright[..., ::-1]])
    for image in batch.real.numpy():
        assert (allowed == image).all(axis=(1, 2, 3)).any()
