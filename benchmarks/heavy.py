"""A model whose images take about 30 ms: the bundled one several times in one graph, with slightly other styles, averaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
from onnx import TensorProto, compose, helper

from models.publish import publish
from models.store import ModelStore
from models.versions import Version, describe

COPIES = 12
NAME = "heavy-64"


def publish_heavy(root: Path, aside: Path) -> Version:
    """Publish the model into the store ``root``; ``aside`` is an empty folder to build it in."""
    version = ModelStore().get()
    card = version.card
    for role in ("mapping", "buffers"):
        shutil.copy(version.path(role), aside)
    onnx.save(_repeated(onnx.load(version.path("synthesis"))), aside / "synthesis.onnx")
    roles = {
        version.path("mapping").name: "mapping",
        version.path("buffers").name: "buffers",
        "synthesis.onnx": "synthesis",
    }
    files = {name: describe(aside / name, role) for name, role in roles.items()}
    heavy = card.model_copy(update={"name": NAME, "title": "Slow images, for benchmarks", "files": files, "digest": ""})
    (aside / "card.json").write_text(heavy.model_dump_json())
    return publish(aside, root)


def _repeated(model: onnx.ModelProto) -> onnx.ModelProto:
    """``COPIES`` of the graph side by side; each gets a little more style, so that none can be taken for another."""
    inputs = {value.name: value for value in model.graph.input}
    nodes, weights, images = [], [], []
    for copy in range(COPIES):
        part = compose.add_prefix(model, f"c{copy}/").graph
        scale = helper.make_tensor(f"scale{copy}", TensorProto.FLOAT, [], [1.0 + 0.001 * copy])
        nodes += [
            helper.make_node("Mul", ["ws", scale.name], [f"c{copy}/ws"]),
            helper.make_node("Identity", ["noise"], [f"c{copy}/noise"]),
            *part.node,
        ]
        weights += [scale, *part.initializer]
        images.append(f"c{copy}/images")
    nodes.append(helper.make_node("Mean", images, ["images"]))
    graph = helper.make_graph(nodes, "heavy", list(inputs.values()), list(model.graph.output), weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
