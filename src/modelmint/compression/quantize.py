"""Quantize an ONNX file: weights in 8 bits, activations scaled at each call or once; or weights in 16 bits.

Equal files give equal bytes on one type of machine.
"""

import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.compression.export import quiet, write_clean
from modelmint.core.errors import StageError

QUANTIZED = ("MatMul", "Gather")
LARGE = 1_024  # numbers; smaller ones are not worth a node that widens them

Feeds = Mapping[str, Any]
"""The inputs of one forward pass, arrays by name."""


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
        if not _weighted(model) and not any(node.op_type == "Gather" for node in model.graph.node):
            raise StageError(
                "onnx-int8: must have products with a matrix of weights; this network has convolutions alone",
                parameter="try",
                remedy="Try onnx-int8-static, in which convolutions have 8 bits.",
            )
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


def quantize_static(source: Path, output: Path, feeds: Sequence[Feeds], *, spare_narrowing: bool = False) -> None:
    """Write the int8 form whose activations are scaled by what real rows gave (QDQ), and not at each call.

    So a text's answer does not depend on what else is in its batch. What a layer takes in has 8 bits, its weights too, a
    scale a column; what it gives out stays in fp32 but for convolutions, and so do products of two activations. Embeddings have 8 bits and a
    scale a row.

    Args:
        feeds: inputs made of training rows.
        spare_narrowing: as in `quantize_int8`.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as calibrated

    with tempfile.TemporaryDirectory(dir=output.parent) as scratch, quiet():
        raw, small, model = Path(scratch) / "raw.onnx", Path(scratch) / "small.onnx", onnx.load(source)
        spared = _narrowing(model) if spare_narrowing else []
        if weighted := [
            *(name for name, _ in _weighted(model) if name not in spared),
            *_convolutions(model),
        ]:  # an empty list would mean all of them
            calibrated(
                source,
                raw,
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["MatMul", "Conv"],
                nodes_to_quantize=weighted,
                per_channel=True,
                reduce_range=_saturates(),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
            )
            model = onnx.load(raw)
        _shrink_embeddings(model.graph)
        onnx.save(model, small)
        write_clean(small, output)


def halve(source: Path, output: Path) -> None:
    """Write the same model with its weights in 16 bits, which are widened when it is opened: half the file, as fast.

    Raises:
        StageError: a weight is too large for 16 bits.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        model = onnx.load(source)
        graph, wide = model.graph, []
        for weight in list(graph.initializer):
            if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < LARGE:
                continue
            numbers = numpy_helper.to_array(weight)
            if np.abs(numbers).max(initial=0.0) > np.finfo(np.float16).max:
                raise StageError(f"onnx-fp16: weights must be below 65,504; {weight.name} has larger ones")
            narrow = numpy_helper.from_array(numbers.astype(np.float16), f"{weight.name}_16")
            wide.append(helper.make_node("Cast", [narrow.name], [weight.name], to=TensorProto.FLOAT))
            graph.initializer.remove(weight)
            graph.initializer.append(narrow)
        _put_first(graph, wide)
        raw = Path(scratch) / "raw.onnx"
        onnx.save(model, raw)
        write_clean(raw, output)


class _Reader:
    """What the calibration of ONNX Runtime asks for its inputs."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds: Iterator[Feeds] = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self._feeds, None)


def _shrink_embeddings(graph: Any) -> None:
    """Put a scale a row and 8 bits in the place of large tables that rows are gathered from."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {weight.name: weight for weight in graph.initializer}
    for node in list(graph.node):
        by_row = node.op_type == "Gather" and not any(one.name == "axis" and one.i for one in node.attribute)
        table = weights.get(node.input[0]) if by_row else None
        if table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2 or np.prod(table.dims) < LARGE:
            continue
        numbers = numpy_helper.to_array(table)
        scales = np.maximum(np.abs(numbers).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
        narrow = np.clip(np.rint(numbers / scales), -127, 127).astype(np.int8)
        base = f"{node.output[0]}_8"
        graph.initializer.append(numpy_helper.from_array(narrow, f"{base}_table"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{base}_scales"))
        made = [
            helper.make_node("Gather", [f"{base}_table", node.input[1]], [f"{base}_row"], axis=0),
            helper.make_node("Gather", [f"{base}_scales", node.input[1]], [f"{base}_scale"], axis=0),
            helper.make_node("Cast", [f"{base}_row"], [f"{base}_wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{base}_wide", f"{base}_scale"], [node.output[0]]),
        ]
        at = list(graph.node).index(node)
        graph.node.remove(node)
        for place, one in enumerate(made):
            graph.node.insert(at + place, one)
        if not any(table.name in one.input for one in graph.node):
            graph.initializer.remove(table)


def _put_first(graph: Any, nodes: Sequence[Any]) -> None:
    for at, node in enumerate(nodes):
        graph.node.insert(at, node)


def _saturates() -> bool:
    """On x86 without VNNI the sum of two products of 8 bits overflows 16; there weights use 7 bits, a little coarser."""
    import torch

    cpu: Any = torch.cpu
    return platform.machine() in ("x86_64", "AMD64") and not cpu._is_vnni_supported()


def _convolutions(model: Any) -> list[str]:
    """Those over planes, of images and sounds; those over the words of a text stay in fp32."""
    planes = {weight.name for weight in model.graph.initializer if len(weight.dims) == 4}
    return [node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in planes]


def _narrowing(model: Any) -> list[str]:
    return [name for name, shape in _weighted(model) if shape[0] > shape[1]]


def _weighted(model: Any) -> list[tuple[str, tuple[int, int]]]:
    """The products with a matrix of weights, each with its shape."""
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    found = [(node.name, shapes.get(node.input[1], ())) for node in model.graph.node if node.op_type == "MatMul"]
    return [(name, shape) for name, shape in found if len(shape) == 2]
