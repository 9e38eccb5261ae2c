"""Checkpoints: safetensors + JSON, written aside and renamed, so that a half-written one is never found.

``<run>/checkpoints/<images seen, 9 digits>/`` holds ``networks.safetensors`` (G, D), ``ema.safetensors`` (what is exported),
``optimisers.safetensors`` and ``state.json``. Older checkpoints keep only the EMA weights.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from galaxies.errors import BadInput, GalaxyError
from training.config import TrainConfig

FULL_CHECKPOINTS_KEPT = 2
STATE = {"images_seen": int, "seconds": int | float, "config": dict, "dataset": dict, "software": dict, "device": str}
"""What ``state.json`` of every checkpoint says."""


class UnwrittenError(GalaxyError):
    """A checkpoint could not be written, e.g. on a full disk; nothing of it is left."""


class DivergedError(GalaxyError):
    """A loss or a weight is not finite; every checkpoint that was saved is good."""


def diverged(run: Path, images_seen: int, what: str) -> DivergedError:
    """The error that ``what`` is not finite; it says whether there is a checkpoint to go back to."""
    remedy = "with a lower learning rate or another r1_gamma"
    way = f"the last checkpoint is good: resume {remedy}" if list_checkpoints(run) else f"no checkpoint was saved: begin {remedy}"
    return DivergedError(f"{what} after {images_seen / 1000:.1f} kimg; {way}")


def save(run: Path, images_seen: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> Path:
    """Write one checkpoint of ``tensors`` (file stem → name → tensor) and ``state``; thins out the older ones.

    Raises
    ------
    DivergedError : a tensor is not finite; nothing is written.
    UnwrittenError : the disk is full or cannot be written; the earlier checkpoints are untouched.
    """
    for stem, group in tensors.items():
        for name, tensor in group.items():
            if not tensor.isfinite().all():
                raise diverged(run, images_seen, f"{name} ({stem}) is not finite")
    folder = run / "checkpoints" / f"{images_seen:09d}"
    for left_over in folder.parent.glob(".[0-9]*"):  # of a process that was killed while it wrote
        shutil.rmtree(left_over, ignore_errors=True)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        aside.mkdir(parents=True)
        for stem, group in tensors.items():
            _write(aside / f"{stem}.safetensors", group)
        (aside / "state.json").write_text(json.dumps(state, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        before = "the earlier ones are good" if list_checkpoints(run) else "there is none before it"
        raise UnwrittenError(f"checkpoint {folder} cannot be written: {error}; {before}") from None
    for old in list_checkpoints(run)[:-FULL_CHECKPOINTS_KEPT]:
        for stem in ("networks", "optimisers"):
            (old / f"{stem}.safetensors").unlink(missing_ok=True)
    return folder


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, path)


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoint folders of ``run``, oldest first."""
    return sorted(p for p in (run / "checkpoints").glob("[0-9]*") if (p / "state.json").is_file())


def load(folder: Path, stem: str) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint.

    Raises
    ------
    BadInput : the file is missing or damaged.
    """
    return read_tensors(folder / f"{stem}.safetensors")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises
    ------
    BadInput : the file is missing or damaged.
    """
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own type for damage and OSError for absence
        raise BadInput(f"{path} cannot be read: {error}") from None


def load_networks(folder: Path) -> dict[str, dict[str, Tensor]]:
    """Weights of the networks in training ("generator", "discriminator") of a checkpoint; none where it is an old one.

    Raises
    ------
    BadInput : the file is damaged.
    """
    if not (folder / "networks.safetensors").is_file():
        return {}
    tensors = load(folder, "networks")
    found = {name: unflatten(name, tensors) for name in ("generator", "discriminator")}
    return {name: own for name, own in found.items() if own}


def read_state(folder: Path) -> dict[str, Any]:
    """``state.json`` of a checkpoint.

    Raises
    ------
    BadInput : it cannot be read, or lacks what every checkpoint says.
    """
    try:
        state = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"checkpoint {folder} cannot be read: {error}") from None
    found: dict[str, Any] = state if isinstance(state, dict) else {}
    absent = [key for key, kind in STATE.items() if not isinstance(found.get(key), kind)]
    if "dataset" not in absent and "digest" not in found["dataset"]:
        absent.append("dataset's digest")
    if absent:
        raise BadInput(f"checkpoint {folder} does not say its {', '.join(absent)}: state.json is damaged or of another program")
    return found


def newest(path: Path) -> Path:
    """``path`` itself where it is a checkpoint, else the newest checkpoint of the run ``path``.

    Raises
    ------
    BadInput : it is neither.
    """
    if (path / "state.json").is_file():
        return path
    found = list_checkpoints(path)
    if not found:
        raise BadInput(f"{path} holds no checkpoint; train first")
    return found[-1]


def finished(run: Path, kimg: float) -> bool:
    """Whether ``run`` has seen ``kimg`` thousand images; one that was told to stop has not."""
    found = list_checkpoints(run)
    return bool(found) and bool(read_state(found[-1])["images_seen"] >= kimg * 1000)


def check_resumable(folder: Path, state: dict[str, Any], config: TrainConfig, digest: str) -> None:
    """Refuse to resume with another architecture, other sizes or another data set than ``digest``.

    Raises
    ------
    BadInput : the checkpoint in ``folder`` is of another network or data set.
    """
    before = TrainConfig.from_json(state["config"])
    if before.architecture != config.architecture:
        told = [f"architecture {before.architecture} (now {config.architecture})"]
    else:
        told = [words for words in changes(state, config, digest) if words.startswith("network.")]
    if told:
        raise BadInput(f"{folder} is of a run with {', '.join(told)}; it cannot go on with another network: use another folder")
    if state["dataset"]["digest"] != digest:
        raise BadInput(
            f"{folder} is of a run on the archive {state['dataset']['digest']}; it cannot go on with {digest}: "
            f"use another folder (--transfer {folder} starts from its weights)"
        )


def check_same_run(run: Path, config: TrainConfig, digest: str, *, but: Collection[str]) -> None:
    """Refuse to go on with, or to report on, a run of other settings than ``config`` or of another data set than ``digest``.

    Settings in ``but`` may differ. A run without a checkpoint is whatever is wanted.

    Raises
    ------
    BadInput : a setting or the data set differs.
    """
    found = list_checkpoints(run)
    if not found:
        return
    told = changes(read_state(found[-1]), config, digest, but=but)
    if told:
        raise BadInput(begun_otherwise(run, told), field="out")


def begun_otherwise(folder: Path, told: list[str]) -> str:
    """What is wrong with going on in ``folder``, where ``told`` are its `differences`."""
    return f"{folder} was begun with {', '.join(told)}: give the same again or choose another folder"


def changes(state: dict[str, Any], config: TrainConfig, digest: str, *, but: Collection[str] = ()) -> list[str]:
    """Words for each setting, not in ``but``, and data set that the checkpoint of ``state`` had otherwise."""
    before = _settings(TrainConfig.from_json(state["config"]), state["dataset"]["digest"])
    return differences(before, _settings(config, digest), but=but)


def differences(before: dict[str, Any], now: dict[str, Any], *, but: Collection[str] = ()) -> list[str]:
    """Words for each key, not in ``but``, that has one value in ``before`` and another one in ``now``."""
    return [
        f"{key} {before.get(key)} (now {now.get(key)})"
        for key in before | now
        if key not in but and before.get(key) != now.get(key)
    ]


def _settings(config: TrainConfig, digest: str) -> dict[str, Any]:
    own = config.to_json()
    network = {f"network.{key}": value for key, value in own.pop("network").items()}
    return {"data set": digest, **own, **network}


def load_into(network: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    """Give ``network`` the weights ``tensors`` of the checkpoint ``folder``.

    Raises
    ------
    BadInput : names or shapes are not those of the network.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadInput(f"checkpoint {folder} does not fit this network: {' '.join(str(error).split())}") from None


def flatten(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Prefix every name, so that several modules share one file."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def unflatten(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of `flatten`."""
    return {name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")}


def optimiser_tensors(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by parameter name."""
    state = optimiser.state
    return {
        f"{name}.{key}": torch.as_tensor(value)
        for name, parameter in network.named_parameters()
        for key, value in state.get(parameter, {}).items()
    }


def restore_optimiser(network: nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of `optimiser_tensors`."""
    for name, parameter in network.named_parameters():
        own = {key.rpartition(".")[2]: t for key, t in tensors.items() if key.rpartition(".")[0] == name}
        if own:
            optimiser.state[parameter] = own
