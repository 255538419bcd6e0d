"""Are the weights in a candidate's ONNX file those of the trained model, as nearly as their form allows?

Behaviour tells that something differs; this tells where: the layer that was zeroed, quantized with another scale, or
taken from another checkpoint. Weights are found by their names, those of matrix products by the name of their node.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.items import CONFIG as RECOMMENDER

Floats: TypeAlias = npt.NDArray[np.float32]

ONNX_FILE = "model.onnx"
HEAD_FILE = "2_Dense/model.safetensors"
PRODUCTS = ("MatMul", "Gemm", "MatMulInteger")
_QUANTIZED, _SCALE, _ZERO = "_quantized", "_scale", "_zero_point"  # as ONNX Runtime names them
_HALF, _TABLE, _SCALES = "_16", "_8_table", "_8_scales"  # as compression.quantize does
ROUNDING_STEPS = 0.75  # of a quantized weight: half a step for rounding, a little for what is cut at the ends
ROUNDING_HALF = 2.0**-10  # of a 16-bit float, relative; bfloat16 keeps fewer digits
ROUNDING_BRAIN = 2.0**-7
ROUNDING_FLOAT = 1e-6
NUM_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """How many tensors were compared, and a sentence for those that differ, the worst first."""

    num_compared: int
    num_differing: int
    differences: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tensor:
    """Weights as the candidate computes with them; `step` is what rounding may move them by, at the most."""

    values: Floats
    step: Floats
    relative: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    name: str
    said: str
    badness: float


def compare_weights(trained: Path, candidate: Path) -> Weights | None:
    """Compare; None where the candidate is no ONNX file, or none of its weights has a name of the trained model."""
    if not (candidate / ONNX_FILE).is_file() or not list(trained.glob("*.safetensors")):
        return None
    given = _trained(trained)
    num_compared, found = 0, []
    for name, tensor in _candidate(candidate / ONNX_FILE, given):
        num_compared += 1
        said = _difference(name, given[name], tensor)
        if said is not None:
            found.append(said)
    if not num_compared:
        return None
    found.sort(key=lambda one: (-one.badness, one.name))
    return Weights(num_compared=num_compared, num_differing=len(found), differences=_sentences(found, num_compared))


def _sentences(found: list[_Found], num_compared: int) -> list[str]:
    if not found:
        return []
    named = "; ".join(one.said for one in found[:NUM_NAMED])
    more = f"; and {len(found) - NUM_NAMED} more" if len(found) > NUM_NAMED else ""
    return [f"the weights of {len(found)} of {num_compared} tensors are not those of the trained model: {named}{more}"]


def _difference(name: str, mine: Floats, theirs: _Tensor) -> _Found | None:
    if not np.isfinite(theirs.values).all():
        return _Found(name=name, said=f"{name} holds numbers that are not finite", badness=np.inf)
    apart = np.abs(mine - theirs.values)
    allowed = theirs.step + theirs.relative * np.abs(mine) + ROUNDING_FLOAT * float(np.abs(mine).max(initial=0.0))
    excess = float((apart - allowed).max(initial=-np.inf))
    if excess <= 0:
        return None
    if not theirs.values.any():
        return _Found(name=name, said=f"{name} is all zeros", badness=np.inf)
    scale = float(np.sqrt(np.mean(mine.astype(np.float64) ** 2))) or 1.0
    far, least = float(apart.max()), float(np.broadcast_to(allowed, apart.shape).flat[int(apart.argmax())])
    said = f"{name} is up to {far:.3g} off, where its form allows {least:.3g}"
    return _Found(name=name, said=said, badness=float(apart.mean()) / scale)


def _trained(folder: Path) -> dict[str, Floats]:
    """Weights by their name in the exported graph: the encoder below ``encoder``, the layer on top ``classifier``.

    A folder in transformers' own layout has the encoder below a name of its own, and what stands beside it is ``head``.
    """
    from safetensors.torch import load_file

    is_bare = not (folder / "config.json").is_file()  # a network of images or sounds, made from nothing
    given = {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}
    below = next((name.partition(".embeddings.")[0] + "." for name in given if ".embeddings." in name), "")
    found = {
        name if is_bare else f"encoder.{name.removeprefix(below)}" if name.startswith(below) else f"head.{name}": tensor
        for name, tensor in given.items()
    }
    if (folder / HEAD_FILE).is_file():
        head = load_file(folder / HEAD_FILE)
        found |= {f"classifier.{name.removeprefix('linear.')}": tensor for name, tensor in head.items()}
    given = {name: tensor.float().numpy() for name, tensor in found.items() if tensor.is_floating_point()}
    if (folder / RECOMMENDER).is_file():
        from modelmint.training.tasks.recommender import item_vectors

        given["vectors_di"] = item_vectors(folder)
    return given


def _candidate(path: Path, given: Mapping[str, Floats]) -> Iterator[tuple[str, _Tensor]]:
    """The weights of the file that have a counterpart of the same shape or of the transposed one."""
    import onnx

    graph = onnx.load(path).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    places, turned = _places(graph, stored)
    for stored_name, tensor in stored.items():
        name = places.get(stored_name) or _plain(stored_name)
        found = _read(stored_name, tensor, stored) if name in given else None
        if found is None:
            continue
        if stored_name in turned:
            found = _Tensor(values=found.values.T, step=found.step.T, relative=found.relative)
        if found.values.shape == given[name].shape:
            yield name, found


def _places(graph: Any, stored: Mapping[str, Any]) -> tuple[dict[str, str], set[str]]:
    """Stored name -> the parameter's name, of the second factor of each product, by the path of its node.

    And those that are stored transposed: all but those of a Gemm, which keeps its weight as PyTorch has it.
    """
    made = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("DequantizeLinear", "Cast")}
    places, turned = {}, set()
    for node in graph.node:
        if node.op_type not in PRODUCTS or len(node.input) < 2:
            continue
        weight = made.get(node.input[1], node.input[1])
        if weight not in stored:
            continue
        path = ".".join(node.name.strip("/").split("/")[:-1])
        places[weight] = f"{path}.weight" if path else _plain(weight)
        if node.op_type != "Gemm":
            turned.add(weight)
    return places, turned


def _plain(stored_name: str) -> str:
    """The parameter's name of a weight that is stored under it, or under that of the node that gathers from it."""
    if stored_name.endswith(_TABLE):
        return ".".join([*stored_name.strip("/").split("/")[:-1], "weight"])
    return stored_name.removesuffix(_QUANTIZED).removesuffix(_HALF)


def _read(name: str, tensor: Any, stored: Mapping[str, Any]) -> _Tensor | None:
    from onnx import TensorProto, numpy_helper

    values = numpy_helper.to_array(tensor)
    none = np.zeros((1,) * values.ndim, np.float32)
    if tensor.data_type == TensorProto.FLOAT:
        return _Tensor(values=values, step=none, relative=0.0)
    if tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
        rough = ROUNDING_HALF if tensor.data_type == TensorProto.FLOAT16 else ROUNDING_BRAIN
        return _Tensor(values=values.astype(np.float32), step=none, relative=rough)
    scale_name = (
        f"{name.removesuffix(_TABLE)}{_SCALES}" if name.endswith(_TABLE) else f"{name.removesuffix(_QUANTIZED)}{_SCALE}"
    )
    if scale_name not in stored or values.dtype not in (np.int8, np.uint8):
        return None
    zero_name = f"{name.removesuffix(_QUANTIZED)}{_ZERO}"
    scale = _along(numpy_helper.to_array(stored[scale_name]).astype(np.float32), values.shape)
    zero = (
        _along(numpy_helper.to_array(stored[zero_name]).astype(np.float32), values.shape)
        if zero_name in stored
        else none
    )
    return _Tensor(
        values=(values.astype(np.float32) - zero) * scale, step=np.float32(ROUNDING_STEPS) * np.abs(scale), relative=0.0
    )


def _along(part: Floats, shape: tuple[int, ...]) -> Floats:
    """A scale a tensor, a column, or a row, so that it can be multiplied with the weights."""
    if part.size == 1:
        return part.reshape((1,) * len(shape))
    if part.shape == (shape[0], *(1,) * (len(shape) - 1)):  # a scale a row says so, also where the weights are square
        return part
    if len(shape) == 2 and part.size == shape[1]:
        return part.reshape(1, -1)
    return part.reshape((-1, *(1,) * (len(shape) - 1)))
