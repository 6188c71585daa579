"""Small ONNX models in the place of YuNet and SFace: what is blue or green is a face, alike by its colour."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

#: As OpenCV has them.
COLOURS = ("blue", "green", "red")


def detector(folder: Path) -> str:
    """YuNet's inputs and outputs. A cell is a face by what it has of blue or green more than of red."""
    nodes, outputs = [], []
    points = [0.2, 0.2, 0.8, 0.2, 0.5, 0.5, 0.3, 0.8, 0.7, 0.8]
    constants = [
        *(helper.make_tensor(f"{name}_at", TensorProto.INT64, [1], [at]) for at, name in enumerate(COLOURS)),
        helper.make_tensor("per_64", TensorProto.FLOAT, [1], [1 / 64]),
        helper.make_tensor("in_rows", TensorProto.INT64, [3], [1, -1, 1]),
        helper.make_tensor("no_box", TensorProto.FLOAT, [1, 1, 4], [0.0] * 4),
        helper.make_tensor("points", TensorProto.FLOAT, [1, 1, 10], points),
    ]
    nodes += [helper.make_node("Gather", ["input", f"{name}_at"], [name], axis=1) for name in COLOURS]
    nodes += [
        helper.make_node("Max", ["blue", "green"], ["cold"]),
        helper.make_node("Sub", ["cold", "red"], ["more"]),
    ]
    for stride in (8, 16, 32):
        sides = [stride, stride]
        nodes += [
            helper.make_node("AveragePool", ["more"], [f"mean_{stride}"], kernel_shape=sides, strides=sides),
            helper.make_node("Mul", [f"mean_{stride}", "per_64"], [f"share_{stride}"]),
            helper.make_node("Reshape", [f"share_{stride}", "in_rows"], [f"cls_{stride}"]),
            helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]),
            helper.make_node("Sub", [f"cls_{stride}", f"cls_{stride}"], [f"nothing_{stride}"]),
            helper.make_node("Add", [f"nothing_{stride}", "no_box"], [f"bbox_{stride}"]),
            helper.make_node("Add", [f"nothing_{stride}", "points"], [f"kps_{stride}"]),
        ]
        for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            shape = [1, None, size]
            outputs.append(helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, shape))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
    return _saved(folder / "detector.onnx", helper.make_graph(nodes, "detector", [given], outputs, constants))


def embedder(folder: Path) -> str:
    """The mean colour of a face as its vector."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vector"]),
    ]
    given = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3])
    return _saved(folder / "embedder.onnx", helper.make_graph(nodes, "embedder", [given], [vector]))


def _saved(path: Path, graph: onnx.GraphProto) -> str:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)
