"""Small ONNX models that run in microseconds, published into a store in milliseconds. No torch.

They follow `models.generator`: mapping z[, onehot] → w; synthesis ws, noise → images; generator z → images. Images depend on
every number of every input, and lie in -1 … 1.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from galaxies.cards import CardFile, ModelCard, ScorerCard
from models.publish import publish, publish_scorer
from models.versions import ScorerVersion, Version, describe
from tests.strategies import style_card, z_card

RESOLUTION = 16
_COST_WIDTH = 512


def publish_style(
    root: Path,
    name: str = "tiny-style",
    version: str = "1",
    *,
    cost: int = 0,
    pause: int = 0,
    seed: int = 0,
    usable: bool = True,
    finite: bool = True,
    **card: Any,
) -> Version:
    """A style model: 16 pixels, 4 layers, two classes (``classes=[]`` for none). ``cost``: about 0.5 MFLOP an image each.
    ``pause``: microseconds, about, that a batch takes more where its images are without noise, which they are in no warming up.
    ``usable``: see `publish_unusable`. ``finite``: not where every pixel is to be NaN.
    """
    base: dict[str, Any] = {
        "name": name,
        "version": version,
        "resolution": RESOLUTION,
        "num_ws": 4,
        "noise_size": 32,
        "layers": {"coarse": [0], "middle": [1, 2], "fine": [3]},
    }
    shape = style_card(**base | card)
    rng = np.random.RandomState(seed)
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder)
        (aside / "mapping.onnx").write_bytes(_mapping(shape, rng))
        (aside / "synthesis.onnx").write_bytes(_synthesis(shape, rng, cost, pause, finite) if usable else b"whole, and no graph")
        buffers = {"w_mean": _normal(rng, shape.w_dim or 0) * 0.1, "noise_const": _normal(rng, shape.noise_size)}
        save_file(buffers, aside / "buffers.safetensors")
        roles = {"mapping.onnx": "mapping", "synthesis.onnx": "synthesis", "buffers.safetensors": "buffers"}
        return _publish(aside, shape, roles, root)


def publish_z(
    root: Path, name: str = "tiny-z", version: str = "1", *, cost: int = 0, seed: int = 0, endless: bool = False, **card: Any
) -> Version:
    """A model without w, classes and noise: 16 pixels. ``endless``: see `publish_endless`."""
    shape = z_card(**{"name": name, "version": version, "resolution": RESOLUTION} | card)
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder)
        (aside / "generator.onnx").write_bytes(_generator(shape, np.random.RandomState(seed), cost, endless))
        return _publish(aside, shape, {"generator.onnx": "generator"}, root)


def publish_unusable(root: Path, name: str = "tiny-style", version: str = "1", **card: Any) -> Version:
    """A version whose files are those of its card, and whose synthesis ONNX Runtime cannot load."""
    return publish_style(root, name, version, usable=False, **card)


ENDLESS = 1000.0
"""A number in z that a model of `publish_endless` never comes to an end with."""


def publish_endless(root: Path, name: str = "endless") -> Version:
    """A model without w that is stuck in ONNX Runtime, as in a GPU's driver, where z holds `ENDLESS`; other galaxies it makes."""
    return publish_z(root, name, endless=True)


def publish_tiny_scorer(
    root: Path, like: ModelCard, name: str = "tiny-scorer", version: str = "1", *, members: int = 3, **card: Any
) -> ScorerVersion:
    """A scorer of 8 pixels for images of ``like``: every member weighs the pixels its own way, around 4."""
    side = 8
    graph = _Graph({"images": (1, side, side)}, np.random.RandomState(0))
    said = graph.add("Add", graph.linear(graph.add("Flatten", "images"), side**2, members), graph.constant(np.float32([4.0])))
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder)
        (aside / "scorer.onnx").write_bytes(graph.bytes(said, "scores", ["batch", members]))
        fields: dict[str, Any] = {
            "name": name,
            "version": version,
            "title": "Tiny",
            "description": "a scorer for tests",
            "created": "2026-01-01T00:00:00Z",
            "licence": "MIT",
            "files": {"scorer.onnx": describe(aside / "scorer.onnx", "scorer")},
            "training": {},
            "side": side,
            "bands": like.bands,
            "normalisation": like.normalisation,
            "display": like.display,
            "members": members,
            "meaning": "nothing",
        }
        (aside / "card.json").write_text(ScorerCard.model_validate(fields | card).model_dump_json())
        return publish_scorer(aside, root)


def _publish(folder: Path, card: ModelCard, roles: dict[str, str], root: Path) -> Version:
    files: dict[str, CardFile] = {name: describe(folder / name, role) for name, role in roles.items()}  # type: ignore[arg-type]
    card = card.model_copy(update={"files": files, "digest": ""})
    (folder / "card.json").write_text(card.model_dump_json())
    return publish(folder, root)


class _Graph:
    """Builds one graph, node by node."""

    def __init__(self, inputs: dict[str, int | tuple[int, ...]], rng: np.random.RandomState) -> None:
        self.rng = rng
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *(size if isinstance(size, tuple) else (size,))])
            for name, size in inputs.items()
        ]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def linear(self, x: str, size_in: int, size_out: int) -> str:
        return self.add("MatMul", x, self.constant(_normal(self.rng, size_in, size_out) / np.float32(np.sqrt(size_in))))

    def delay(self, x: str, size: int, cost: int) -> str:
        """``x`` changed a little by ``cost`` matrix products of ``_COST_WIDTH``²."""
        if not cost:
            return x
        weight = self.constant(_normal(self.rng, _COST_WIDTH, _COST_WIDTH) / np.float32(np.sqrt(_COST_WIDTH)))
        y = self.linear(x, size, _COST_WIDTH)
        for _ in range(cost):
            y = self.add("Tanh", self.add("MatMul", y, weight))
        return self.add("Add", x, self.add("Mul", self.linear(y, _COST_WIDTH, size), self.constant(np.float32([1e-3]))))

    def wait_if(self, condition: str, turns: int, x: str) -> str:
        """``x`` as it is; where the ``condition`` holds, a loop of so many ``turns`` (about a microsecond each) comes first."""
        count = self.add("Mul", self.add("Cast", condition, to=TensorProto.INT64), self.constant(np.int64(turns)))
        values = {"turn": TensorProto.INT64, "on": TensorProto.BOOL, "a": TensorProto.FLOAT}
        body = helper.make_graph(
            [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Tanh", ["a"], ["b"])],
            "turn",
            [helper.make_tensor_value_info(name, kind, []) for name, kind in values.items()],
            [
                helper.make_tensor_value_info("still", TensorProto.BOOL, []),
                helper.make_tensor_value_info("b", TensorProto.FLOAT, []),
            ],
        )
        return self.add("Add", x, self.add("Loop", count, "", self.constant(np.float32(0)), body=body))

    def bytes(self, output: str, name: str, shape: list[Any]) -> bytes:
        self.nodes.append(helper.make_node("Identity", [output], [name]))
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, "tiny", self.inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        serialised: bytes = model.SerializeToString()
        return serialised


def _mapping(card: ModelCard, rng: np.random.RandomState) -> bytes:
    classes, w_dim = len(card.classes), card.w_dim or 0
    graph = _Graph({"z": card.z_dim} | ({"onehot": classes} if classes else {}), rng)
    x = graph.linear("z", card.z_dim, w_dim)
    if classes:
        x = graph.add("Add", x, graph.linear("onehot", classes, w_dim))
    return graph.bytes(graph.add("Tanh", x), "w", ["batch", w_dim])


def _synthesis(card: ModelCard, rng: np.random.RandomState, cost: int, pause: int, finite: bool) -> bytes:
    layers, w_dim = card.num_ws or 0, card.w_dim or 0
    graph = _Graph({"ws": (layers, w_dim), "noise": card.noise_size}, rng)
    x = graph.delay(graph.add("Flatten", "ws"), layers * w_dim, cost)
    pixels = graph.linear(x, layers * w_dim, len(card.bands) * card.resolution**2)
    grain = graph.linear("noise", card.noise_size, len(card.bands) * card.resolution**2)
    pixels = graph.add("Add", pixels, graph.add("Mul", grain, graph.constant(np.float32([0.2 if finite else np.nan]))))
    if pause:
        loudest = graph.add("ReduceMax", graph.add("Abs", "noise"), keepdims=0)
        pixels = graph.wait_if(graph.add("Equal", loudest, graph.constant(np.float32(0))), pause, pixels)
    return _images(graph, pixels, card)


def _generator(card: ModelCard, rng: np.random.RandomState, cost: int, endless: bool) -> bytes:
    graph = _Graph({"z": card.z_dim}, rng)
    x = graph.delay("z", card.z_dim, cost)
    if endless:
        high = graph.add("Greater", graph.add("ReduceMax", x, keepdims=0), graph.constant(np.float32(ENDLESS / 10)))
        x = graph.wait_if(high, 2**62, x)
    return _images(graph, graph.linear(x, card.z_dim, len(card.bands) * card.resolution**2), card)


def _images(graph: _Graph, pixels: str, card: ModelCard) -> bytes:
    shape = graph.constant(np.asarray([-1, len(card.bands), card.resolution, card.resolution], dtype=np.int64))
    images = graph.add("Reshape", graph.add("Tanh", pixels), shape)
    return graph.bytes(images, "images", ["batch", len(card.bands), card.resolution, card.resolution])


def _normal(rng: np.random.RandomState, *shape: int) -> np.ndarray:
    values: np.ndarray = rng.randn(*shape).astype(np.float32)
    return values
