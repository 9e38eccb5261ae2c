"""Checkpoints: safetensors + JSON, written aside and renamed, so that a half-written one is never found.

``<run>/checkpoints/<images seen, 9 digits>/`` holds ``networks.safetensors`` (G, D), ``ema.safetensors`` (what is exported),
``optimisers.safetensors`` and ``state.json``. Older checkpoints keep only the EMA weights.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from galaxies.errors import BadInput

FULL_CHECKPOINTS_KEPT = 2


def save(run: Path, images_seen: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> Path:
    """Write one checkpoint of ``tensors`` (file stem → name → tensor) and ``state``; thins out the older ones."""
    folder = run / "checkpoints" / f"{images_seen:09d}"
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for stem, group in tensors.items():
        save_file({k: v.detach().cpu().clone().contiguous() for k, v in group.items()}, aside / f"{stem}.safetensors")
    (aside / "state.json").write_text(json.dumps(state, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    for old in list_checkpoints(run)[:-FULL_CHECKPOINTS_KEPT]:
        for stem in ("networks", "optimisers"):
            (old / f"{stem}.safetensors").unlink(missing_ok=True)
    return folder


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoint folders of ``run``, oldest first."""
    return sorted(p for p in (run / "checkpoints").glob("[0-9]*") if (p / "state.json").is_file())


def load(folder: Path, stem: str) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint.

    Raises
    ------
    BadInput : the file is missing or damaged.
    """
    path = folder / f"{stem}.safetensors"
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own type for damage and OSError for absence
        raise BadInput(f"checkpoint {path} cannot be read: {error}") from None


def read_state(folder: Path) -> dict[str, Any]:
    """``state.json`` of a checkpoint."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"checkpoint {folder} cannot be read: {error}") from None
    return state


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
