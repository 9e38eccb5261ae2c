"""``score``: five scorers over different splits and the three baselines of row E3, judged on objects that none of them saw.

In the folder: ``config.json``; ``members/<network>-<k>.safetensors`` with its validation errors in ``….json``, kept so that the
same command goes on after the last finished member; ``score.json`` and ``score.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from galaxies.errors import BadInput
from training import checkpoints
from training.architectures.wgan import Discriminator, WGANConfig
from training.aside import check_writable, write_bytes, write_text
from training.config import TrainConfig
from training.data.archive import Archive
from training.device import find_device
from training.score import table, wavelets
from training.score.fit import Phase, fit, predict
from training.score.folder import CONFIG, MEMBERS, TABLE, claim, load_member
from training.score.networks import HEAD_WIDTH, PlainCNN, Scorer
from training.score.regression import Examples, Parts, examples
from training.transfer import fit_bands

HEAD_RATE, JOINT_RATE, PLAIN_RATE = 2e-3, 3e-4, 1e-3
REPORT = "score.md"
VALIDATION = 10
"""One object in ten is kept for validation, other ones by every member."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ScoreOptions:
    """``count`` and ``held_out`` are numbers of examples; ``critic`` is a run of a WGAN at this side, for the trunk.

    ``head_width`` is that of the scorers' new layers.
    """

    side: int = 64
    count: int = 4000
    held_out: int = 1000
    members: int = 5
    head_epochs: int = 5
    joint_epochs: int = 15
    plain_epochs: int = 20
    batch: int = 32
    head_width: int = HEAD_WIDTH
    seed: int = 0
    device: str = "cpu"
    critic: Path | None = None


def score(galaxies: Archive, unknown: Archive | None, out: Path, options: ScoreOptions, tell: Tell) -> dict[str, Any]:
    """Train what is not yet in ``out`` and return (and write) the table of held-out errors.

    Raises
    ------
    BadInput : the side does not fit the archives or the critic, the critic is none of ours, the device is not there, or ``out``
        holds members of other options, a damaged file, or cannot be written. Nothing is written or computed then.
    """
    check_writable(out, [out / name for name in (CONFIG, TABLE, REPORT)])
    find_device(options.device)
    network = read_critic(options.critic, options.side)[0] if options.critic else sizes(options.side)
    parts = [Parts(galaxies, unknown, options.side, held_out) for held_out in (False, True)]
    claim(out, _plain(options), [archive.manifest["digest"] for archive in (galaxies, unknown) if archive])
    training, held_out_set = (
        examples(part, count, options.seed, lambda done, total, what=what: tell(what, done, total))  # type: ignore[misc]
        for part, count, what in zip(parts, (options.count, options.held_out), ("training set", "held-out set"), strict=True)
    )
    found = predictions(training, held_out_set, out, options, tell)
    report = table.report(found, held_out_set, options.seed) | {
        "options": _plain(options) | {"critic": options.critic.name if options.critic else None},
        "trunk": "of a trained critic" if options.critic else "not pretrained",
        "archive": galaxies.manifest["digest"],
        "unknown": unknown.manifest["digest"] if unknown else None,
        "dataset": {key: value for key, value in galaxies.manifest.items() if key not in ("format", "broken")},
        "network": {key: getattr(network, key) for key in ("critic_width", "blocks")},
        "examples": {"training": len(training), "held_out": len(held_out_set)},
    }
    write_text(out / TABLE, json.dumps(report, indent=1, allow_nan=False) + "\n")
    write_text(out / REPORT, table.markdown(report))
    return report


def predictions(
    training: Examples, held_out: Examples, out: Path, options: ScoreOptions, tell: Tell
) -> dict[str, NDArray[np.float32]]:
    """Held-out scores of every method, (members, N)."""
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in table.SINGLE}
    epochs = options.head_epochs + options.joint_epochs + options.plain_epochs
    total, done = options.members * epochs, 0

    def tick(count: int = 1) -> None:
        nonlocal done
        done += count
        tell("epochs", done, total)

    for k in range(options.members):
        fitted, kept = split(training, k, options.seed)
        found["mean"].append(np.full(len(held_out), fitted.targets.mean(), np.float32))
        found["wavelets"].append(wavelets.scores(fitted, held_out, options.seed + k))
        for name in ("plain", "scorer"):
            network = member(name, k, (fitted, kept), out, options, tick)
            found[name].append(predict(network, held_out.images, options.batch))
    return {name: np.stack(scores) for name, scores in found.items()}


def split(training: Examples, k: int, seed: int) -> tuple[Examples, Examples]:
    """The examples that member ``k`` learns from and those that choose its best epoch, without an object in common."""
    objects = np.random.default_rng([seed, 2]).permutation(np.unique(training.objects))
    kept = np.isin(training.objects, objects[k % VALIDATION :: VALIDATION])
    return training.at(np.flatnonzero(~kept)), training.at(np.flatnonzero(kept))


def member(
    name: str, k: int, parts: tuple[Examples, Examples], out: Path, options: ScoreOptions, tick: Callable[..., None]
) -> nn.Module:
    """Member ``k`` of the networks ``name``: from its file where it is finished, else trained and kept there.

    Raises
    ------
    BadInput : its file is damaged.
    """
    path = out / MEMBERS / f"{name}-{k}.safetensors"
    torch.manual_seed(options.seed * 1000 + k)
    network, phases = BUILD[name](options)
    network.to(options.device)
    if path.is_file():
        load_member(network, path)
        tick(sum(phase.epochs for phase in phases))
        return network.eval()
    curve = fit(network, phases, parts, options.batch, options.seed * 1000 + k, tick)
    write_text(path.with_suffix(".json"), json.dumps({"validation_mae": curve}) + "\n")
    write_bytes(path, save({key: value.cpu().contiguous() for key, value in network.state_dict().items()}))
    return network


def sizes(side: int) -> WGANConfig:
    """The trunk for images of ``side`` pixels: as printed from 128 px on, with fewer mixed blocks where they do not fit.

    Raises
    ------
    BadInput : the side is too small, or 8 does not divide it.
    """
    blocks = next((blocks for blocks in (3, 2, 1) if side >= 2 * 4**blocks), 1)
    try:
        return WGANConfig(resolution=side, bands=1, blocks=blocks)
    except ValueError as error:
        raise BadInput(f"side: {error}", field="side") from None


def scorer(options: ScoreOptions) -> Scorer:
    """A fresh scorer, on the trunk of the critic that the options name."""
    if options.critic is None:
        return Scorer(sizes(options.side), options.head_width)
    config, weights = read_critic(options.critic, options.side)
    made = Scorer(replace(sizes(options.side), critic_width=config.critic_width, blocks=config.blocks), options.head_width)
    first = "first.0.weight"
    weights[first] = fit_bands(weights[first], 1, 1, reads=True, equalised=False)
    checkpoints.load_into(made.trunk, weights, options.critic)
    return made


def read_critic(source: Path, side: int) -> tuple[WGANConfig, dict[str, torch.Tensor]]:
    """Sizes and trunk of the newest critic of a run.

    Raises
    ------
    BadInput : it has no checkpoint, is no WGAN, is damaged, or judges another side than ``side``.
    """
    folder = checkpoints.newest(source)
    config = TrainConfig.from_json(checkpoints.read_state(folder)["config"]).network
    if not isinstance(config, WGANConfig):
        raise BadInput(f"critic {source}: a run of the WGAN (preset eth-e1) is needed", field="critic")
    if config.resolution != side:
        raise BadInput(f"critic {source} judges {config.resolution} px: --side {config.resolution} is needed", field="side")
    critic = Discriminator(config)
    checkpoints.load_into(critic, checkpoints.unflatten("discriminator", checkpoints.load(folder, "networks")), folder)
    return config, critic.trunk.state_dict()


def _scorer(options: ScoreOptions) -> tuple[nn.Module, list[Phase]]:
    made = scorer(options)
    return made, [Phase(made.head, options.head_epochs, HEAD_RATE), Phase(made, options.joint_epochs, JOINT_RATE)]


def _plain_cnn(options: ScoreOptions) -> tuple[nn.Module, list[Phase]]:
    made = PlainCNN(1, options.side)
    return made, [Phase(made, options.plain_epochs, PLAIN_RATE)]


BUILD: dict[str, Callable[[ScoreOptions], tuple[nn.Module, list[Phase]]]] = {"scorer": _scorer, "plain": _plain_cnn}


def _plain(options: ScoreOptions) -> dict[str, Any]:
    return asdict(options) | {"critic": str(options.critic) if options.critic else None}
