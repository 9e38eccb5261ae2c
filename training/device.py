"""The device that a command is asked to compute on."""

from __future__ import annotations

import torch

from galaxies.errors import BadInput


def find_device(name: str) -> torch.device:
    """The device called ``name``, cpu or cuda.

    Raises
    ------
    BadInput : there is none of this name here.
    """
    there = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    if name not in there:
        raise BadInput(f"device {name!r}: PyTorch can use {' or '.join(there)} on this machine", field="device")
    return torch.device(name)
