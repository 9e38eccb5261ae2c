"""Weights stored as float16 in an ONNX graph: half the bytes; the arithmetic stays float32.

Every large float32 constant becomes float16 with a Cast to float32 in front of its use. The runtime folds the casts when it loads
the graph, so speed and memory are as before; only the rounding of the weights remains.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LEAST_SIZE = 64
LARGEST = float(np.finfo(np.float16).max)
SUFFIX = ".float16"


def store_half(path: Path) -> int:
    """Rewrite the graph in ``path`` with float16 weights; returns how many constants changed.

    Constants of fewer than 64 numbers, and any beyond float16's range, stay as they are.
    """
    model = onnx.load(str(path))
    graph, casts = model.graph, []
    for entry in graph.initializer:
        values = numpy_helper.to_array(entry)
        if values.dtype != np.float32 or values.size < LEAST_SIZE or np.abs(values).max() > LARGEST:
            continue
        name = entry.name
        entry.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + SUFFIX))
        casts.append(onnx.helper.make_node("Cast", [entry.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return len(casts)
