"""The torch weights of a published StyleGAN2, read back from its ONNX graphs.

A published model holds graphs, not checkpoints. The exporter folds gains into some constants and names others after the graph's
nodes, so weights are found by the order of the layers, and the result counts only if it makes the pixels that the graphs make.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import load_file
from torch import nn

from galaxies.errors import BadInput
from models.generator import OnnxGenerator
from models.versions import Version, read_exported
from training.architectures import Generator, build, stylegan2
from training.architectures.layers import EqualLinear
from training.config import TrainConfig

FOLDABLE = ("Cast", "Mul", "Reshape", "Transpose", "Unsqueeze")
TOLERANCE = 5e-4
"""A sixteenth of one of 256 levels: graphs with float16 weights hold sums of their squares rounded apart."""
IMAGES = 8

Constants = dict[str, NDArray[np.float32]]
Modulated = stylegan2.ModulatedConv | stylegan2.ToBands


def recover(folder: Path) -> Generator:
    """The EMA generator of the published model in ``folder``.

    Raises
    ------
    BadModel : the folder holds no model.
    BadInput : it is no StyleGAN2 of this project, its graphs are not as this program exports them, or the weights
        found make other pixels than the graphs.
    """
    version = read_exported(folder)
    card = version.card
    if card.architecture != "stylegan2" or "config" not in card.training:
        raise BadInput(f"{folder} holds a {card.architecture}; weights can be recovered from a published stylegan2 only")
    generator, _ = build(TrainConfig.from_json(card.training["config"]).network)
    assert isinstance(generator, stylegan2.Generator)
    try:
        _fill_mapping(generator, onnx.load(str(folder / "mapping.onnx")))
        _fill_synthesis(generator.synthesis, onnx.load(str(folder / "synthesis.onnx")))
        buffers = load_file(folder / "buffers.safetensors")
        generator.synthesis.noise_const.copy_(torch.from_numpy(buffers["noise_const"]))
    except (KeyError, ValueError, IndexError, RuntimeError, OSError) as error:
        raise BadInput(f"{folder}: its graphs are not laid out as this program exports them ({error})") from None
    difference = _difference(generator.eval(), version)
    if not difference <= TOLERANCE:
        raise BadInput(
            f"{folder}: the recovered weights make pixels that differ by {difference:.1e} from the graphs'; at most "
            f"{TOLERANCE:.0e} is allowed, so they are not used"
        )
    return generator


def _fill_mapping(generator: stylegan2.Generator, model: onnx.ModelProto) -> None:
    known, mapping = _constants(model), generator.mapping
    embed = [] if mapping.embed is None else [mapping.embed]
    for node, layer in zip(_nodes(model, "Gemm"), [*embed, *mapping.layers], strict=True):
        _set_linear(layer, node, known)


def _fill_synthesis(synthesis: stylegan2.Synthesis, model: onnx.ModelProto) -> None:
    known, layers = _constants(model), _in_graph_order(synthesis)
    convolutions = [node for node in _nodes(model, "Conv", "ConvTranspose") if _attribute(node, "group", 1) == 1]
    for affine, convolution, layer in zip(_nodes(model, "Gemm"), convolutions, layers, strict=True):
        _set_linear(layer.affine, affine, known)
        weight = known[convolution.input[1]]
        if convolution.op_type == "ConvTranspose":
            weight = weight.transpose(1, 0, 2, 3)
        if isinstance(layer, stylegan2.ModulatedConv):
            _set(layer.weight, weight / layer.gain)
        else:
            _set(layer.weight, weight)
            _set(layer.bias, known[convolution.input[2]])
    biases = [known[node.input[1]] for node in _nodes(model, "Add") if node.input[1] in known and known[node.input[1]].ndim == 3]
    styled = [layer for layer in layers if isinstance(layer, stylegan2.ModulatedConv)]
    for number, (styled_layer, bias) in enumerate(zip(styled, biases, strict=True)):
        _set(styled_layer.bias, bias.reshape(-1))
        _set(styled_layer.noise_strength, known[f"convs.{number}.noise_strength"])
    _set(synthesis.const, known[_nodes(model, "Expand")[0].input[0]][0])


def _in_graph_order(synthesis: stylegan2.Synthesis) -> list[Modulated]:
    convolutions = iter(synthesis.convs)
    order: list[nn.Module] = []
    for block, to_bands in enumerate(synthesis.to_bands):
        order += [next(convolutions) for _ in range(1 if block == 0 else 2)]
        order.append(to_bands)
    return [layer for layer in order if isinstance(layer, Modulated)]


def _set_linear(layer: nn.Module, node: onnx.NodeProto, known: Constants) -> None:
    assert isinstance(layer, EqualLinear)
    weight = known[node.input[1]]
    weight = weight if _attribute(node, "transB", 0) else weight.T
    _set(layer.weight, weight / layer.weight_gain)
    _set(layer.bias, known[node.input[2]] / layer.bias_gain)


@torch.no_grad()
def _set(parameter: nn.Parameter, value: NDArray[np.float32]) -> None:
    if tuple(parameter.shape) != value.shape:
        raise ValueError(f"a constant has shape {value.shape}, the layer {tuple(parameter.shape)}")
    parameter.copy_(torch.tensor(value))


def _nodes(model: onnx.ModelProto, *kinds: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in kinds]


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)


def _constants(model: onnx.ModelProto) -> Constants:
    """Every value that follows from the stored ones alone, by name."""
    known = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in FOLDABLE and all(name in known for name in node.input):
            known[node.output[0]] = _evaluate(model, node, known)
    return known


def _evaluate(model: onnx.ModelProto, node: onnx.NodeProto, known: Constants) -> NDArray[np.float32]:
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(known[name].dtype), known[name].shape)
        for name in node.input
    ]
    outputs = [onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    one = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    values: Any = ReferenceEvaluator(one).run(None, {name: known[name] for name in node.input})
    result: NDArray[np.float32] = values[0]
    return result


@torch.no_grad()
def _difference(generator: stylegan2.Generator, version: Version) -> float:
    """Greatest difference of pixels (range -1 … 1) between ``generator`` and the graphs."""
    config, served = generator.config, OnnxGenerator(version)
    draw = generator.draw(IMAGES, torch.Generator().manual_seed(0))
    onehot = torch.eye(config.classes)[torch.arange(IMAGES) % config.classes] if config.classes else None
    w = served.map(draw["z"].numpy(), None if onehot is None else onehot.numpy())
    expected = served.synthesize(np.repeat(w[:, None], config.num_ws, axis=1), draw["noise"].numpy())
    return float(np.abs(generator.sample(draw["z"], onehot, draw["noise"]).numpy() - expected).max())
