"""Quantize an ONNX file: weights in 8 bits, activations scaled at each call.

Equal files give equal bytes on one type of machine.
"""

import platform
import tempfile
from pathlib import Path
from typing import Any

from modelmint.compression.export import quiet, write_clean

QUANTIZED = ("MatMul", "Gather")


def quantize_int8(source: Path, output: Path, *, spare_narrowing: bool = False) -> None:
    """Write the int8 form of an fp32 ONNX file.

    A scale a column keeps the weights near.

    Args:
        spare_narrowing: leave layers in fp32 that take in more numbers than they give out, which are the second of each
            feed-forward pair: what they take in has outliers, for which 8 bits are few.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=output.parent) as scratch, quiet():
        raw, model = Path(scratch) / "raw.onnx", onnx.load(source)
        quantize_dynamic(
            model,
            raw,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            reduce_range=_saturates(),
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_narrowing(model) if spare_narrowing else [],
        )
        write_clean(raw, output)


def _saturates() -> bool:
    """On x86 without VNNI the sum of two products of 8 bits overflows 16; there weights use 7 bits, a little coarser."""
    import torch

    cpu: Any = torch.cpu
    return platform.machine() in ("x86_64", "AMD64") and not cpu._is_vnni_supported()


def _narrowing(model: Any) -> list[str]:
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    weighted = [(node.name, shapes.get(node.input[1], ())) for node in model.graph.node if node.op_type == "MatMul"]
    return [name for name, shape in weighted if len(shape) == 2 and shape[0] > shape[1]]
