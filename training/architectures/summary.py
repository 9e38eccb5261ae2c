"""How many numbers each layer of a network holds, and what shape it makes; no weight is allocated and nothing is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from training.architectures import base, build

WHOLE_KIMG = 1e9
"""By then every progressive network is whole."""


class Layer(NamedTuple):
    """One row: the module's name, the shape of its output without the batch axis, and its parameters."""

    name: str
    output_shape: list[int]
    parameters: int


def parameters(module: nn.Module, *, recurse: bool = True) -> int:
    """Numbers that training sets: parameters, and the running mean and variance of batch normalisation.

    This is how Keras counts, whose totals the ETH report prints (four numbers a channel of batch normalisation).
    """
    own = sum(p.numel() for p in module.parameters(recurse=recurse))
    norms = [m for m in (module.modules() if recurse else [module]) if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    return own + sum(2 * norm.num_features for norm in norms)


def layers(network: nn.Module, run: Callable[[], Any]) -> list[Layer]:
    """The rows of ``network`` in the order in which ``run`` calls its modules; their parameters add up to the whole.

    A module with ``one_row = True`` is one row with everything inside it. Layers that a whole progressive network does not use
    come last, without a shape.
    """
    rows: list[Layer] = []
    parts = [(name, module, parameters(module, recurse=whole)) for name, module, whole in _parts(network, "")]
    hooks = [module.register_forward_hook(_recorder(rows, name, count)) for name, module, count in parts]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    called = {row.name for row in rows}
    return rows + [Layer(name, [], count) for name, _, count in parts if name not in called]


def _parts(module: nn.Module, name: str) -> list[tuple[str, nn.Module, bool]]:
    whole = bool(getattr(module, "one_row", False))
    own = [(name or type(module).__name__, module, whole)] if parameters(module, recurse=whole) else []
    if whole:
        return own
    return own + [part for key, child in module.named_children() for part in _parts(child, f"{name}.{key}".lstrip("."))]


def _recorder(rows: list[Layer], name: str, count: int) -> Callable[[nn.Module, Any, Any], None]:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        image = output if isinstance(output, Tensor) else output[0]
        if name not in [row.name for row in rows]:
            rows.append(Layer(name, list(image.shape[1:]), count))

    return record


def networks(config: base.NetworkConfig) -> dict[str, list[Layer]]:
    """The rows of every network of an architecture."""
    with torch.device("meta"):
        generator, discriminator = build(config)
        real = torch.zeros(2, config.bands, config.resolution, config.resolution)
        onehot = torch.zeros(2, config.classes) if config.classes else None
    generator.eval()
    generator.advance(WHOLE_KIMG)
    draw = {key: value.to("meta") for key, value in generator.draw(2, torch.Generator()).items()}
    made = {
        "generator": layers(generator, lambda: generator.training_images(draw | generator.given(real), onehot, torch.float32))
    }
    if discriminator is not None:
        judge = discriminator.eval()
        judge.advance(WHOLE_KIMG)
        made["discriminator"] = layers(judge, lambda: judge(real, onehot))
    return made
