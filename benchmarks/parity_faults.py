"""Faults that have been seen in releases, each planted in the folder of a good candidate.

A fault says which words the refusal must hold to name it. `benchmarks/parity.py` plants them in a real model, the tests
in a tiny one.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Edit = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """`plant` changes the folder; `named` is a regular expression that one of the reasons must hold."""

    name: str
    plant: Callable[[Path], None]
    named: str
    form: str = "onnx-fp32"


def faults(stale: Path, revision: Path) -> list[Fault]:
    """Every fault.

    Args:
        stale: a candidate's folder of the same training at an earlier checkpoint.
        revision: of another training of the same base, for the same labels.
    """
    return [
        Fault(name="no special tokens", plant=_tokenizer("post_processor", lambda _: None), named="template of special tokens"),
        Fault(name="template of another family", plant=_tokenizer("post_processor", _swapped), named="template of special tokens"),
        Fault(name="tokenizer case flipped", plant=_tokenizer("normalizer", _case), named="how it normalises.*(?i:lowercase)"),
        Fault(name="normaliser dropped", plant=_tokenizer("normalizer", lambda _: None), named="how it normalises"),
        Fault(name="words cut at spaces alone", plant=_tokenizer("pre_tokenizer", lambda _: {"type": "WhitespaceSplit"}), named="how it cuts texts"),
        Fault(name="unknown for a part of the letters", plant=_tokenizer("model", _forgetful), named="vocabulary: .* are missing"),
        Fault(name="token ids shifted", plant=_tokenizer("model", _shifted), named="vocabulary: .* have other ids"),
        Fault(name="two labels swapped", plant=_about("labels", lambda found: [found[1], found[0], *found[2:]]), named="order of the labels of modelmint"),
        Fault(name="label order reversed", plant=_about("labels", lambda found: found[::-1]), named="order of the labels of modelmint"),
        Fault(name="labels of config.json reversed", plant=_config("id2label", _reversed), named="order of the labels of config"),
        Fault(name="a label renamed", plant=_about("labels", lambda found: [f"{found[0]}_", *found[1:]]), named="labels of modelmint.json differ"),
        Fault(name="length truncated", plant=_about("max_tokens", lambda found: max(4, int(found) // 4)), named="max_tokens"),
        Fault(name="answers at another temperature", plant=_about("answers", lambda _: {"by": "softmax", "temperature": 2}), named="answers of modelmint.json"),
        Fault(name="wrong pad id", plant=_config("pad_token_id", lambda found: (found or 0) + 1), named="pad_token_id"),
        Fault(name="padded at the left", plant=_graph(_pad_left), named="alone and in company"),
        Fault(name="attention mask ignored", plant=_graph(_no_mask), named="alone and in company"),
        Fault(name="a layer zeroed", plant=_weight("query", np.zeros_like), named="query.weight is all zeros"),
        Fault(name="fp16 overflow", plant=_weight("dense", _overflow), named="dense.weight holds numbers that are not finite"),
        Fault(name="wrong scale in one layer", plant=_weight("_scale", lambda scale: scale * 1.5), named=r"weights of 1 of .*\.weight is up to", form="onnx-int8"),
        Fault(name="a zero point moved", plant=_weight("_zero_point", lambda zero: zero + 3), named="weights of 1 of", form="onnx-int8"),
        Fault(name="stale weights", plant=_copied(stale), named="weights of .* tensors are not those"),
        Fault(name="another revision's head", plant=_head(revision), named="classifier.weight is up to"),
        Fault(name="logits sharpened", plant=_weight("classifier.weight", lambda weight: weight * 1.1), named="classifier.weight is up to"),
        Fault(name="positions off by one", plant=_weight("position_embeddings.weight", lambda weight: np.roll(weight, 1, axis=0)), named="position_embeddings.weight is up to"),
        Fault(name="an empty model file", plant=lambda folder: (folder / "model.onnx").write_bytes(b"") and None, named="could not be loaded|the model file cannot be read"),
    ]  # fmt: skip


def _json(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / name
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")

    return plant


def _at(name: str, key: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def put(value: dict[str, Any]) -> None:
        value[key] = change(value.get(key))

    return _json(name, put)


def _tokenizer(part: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return _at("tokenizer.json", part, change)


def _about(key: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return _at("modelmint.json", key, change)


def _config(key: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return _at("config.json", key, change)


def _swapped(processor: Any) -> Any:
    """The id of the first special token in the place of the last one's, and the other way round."""
    if "special_tokens" not in processor:
        return {**processor, "cls": processor["sep"], "sep": processor["cls"]}
    special = processor["special_tokens"]
    names = list(special)
    first, last = special[names[0]], special[names[-1]]
    swapped = {names[0]: {**first, "ids": last["ids"]}, names[-1]: {**last, "ids": first["ids"]}}
    return {**processor, "special_tokens": {**special, **swapped}}


def _case(normalizer: Any) -> Any:
    if isinstance(normalizer, dict) and "lowercase" in normalizer:
        return {**normalizer, "lowercase": not normalizer["lowercase"]}
    return None if normalizer else {"type": "Lowercase"}


def _forgetful(model: Any) -> Any:
    """Words with an i or an o, or letters beyond the Latin ones, are not known any more."""
    lost = {
        word for word in model["vocab"] if not word.startswith("[") and ({"i", "o"} & set(word) or not word.isascii())
    }
    return {**model, "vocab": {f"[lost{at}]" if word in lost else word: at for word, at in model["vocab"].items()}}


def _shifted(model: Any) -> Any:
    words = [word for word in model["vocab"] if not word.startswith("[")]
    return {
        **model,
        "vocab": {**model["vocab"], words[0]: model["vocab"][words[1]], words[1]: model["vocab"][words[0]]},
    }


def _reversed(id2label: dict[str, str]) -> dict[str, str]:
    return dict(zip(id2label, reversed(list(id2label.values())), strict=True))


def _copied(other: Path) -> Callable[[Path], None]:
    return lambda folder: Path(shutil.copyfile(other / "model.onnx", folder / "model.onnx")) and None


def _graph(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        import onnx

        model = onnx.load(folder / "model.onnx")
        change(model.graph)
        onnx.save(model, folder / "model.onnx")

    return plant


def _weight(named: str, change: Edit) -> Callable[[Path], None]:
    """Change the first tensor of that name, or of a product whose node has it in its path."""

    def put(graph: Any) -> None:
        from onnx import numpy_helper

        by_node = {
            one for node in graph.node if f"/{named}/" in node.name and "MatMul" in node.op_type for one in node.input
        }
        for tensor in graph.initializer:
            if tensor.name in by_node or tensor.name.endswith(named):
                values = numpy_helper.to_array(tensor)
                if named == "_scale" and values.size < 2:
                    continue
                tensor.CopyFrom(
                    numpy_helper.from_array(np.ascontiguousarray(change(values)).astype(values.dtype), tensor.name)
                )
                return
        raise ValueError(f"no weight is named {named}")

    return _graph(put)


def _overflow(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(over="ignore"):
        return (weight * 1e7).astype(np.float16).astype(np.float32)


def _head(other: Path) -> Callable[[Path], None]:
    def put(graph: Any) -> None:
        import onnx

        theirs = {tensor.name: tensor for tensor in onnx.load(other / "model.onnx").graph.initializer}
        for tensor in graph.initializer:
            if tensor.name.startswith("classifier."):
                tensor.CopyFrom(theirs[tensor.name])

    return _graph(put)


def _no_mask(graph: Any) -> None:
    """Every token counts, those of the padding too."""
    from onnx import TensorProto, helper, numpy_helper

    _renamed(graph, "attention_mask", "mask_of_ones")
    one = numpy_helper.from_array(np.ones(1, np.int64), "one_of_mask")
    graph.initializer.append(one)
    shape = helper.make_node("Shape", ["attention_mask"], ["shape_of_mask"])
    ones = helper.make_node("Expand", [one.name, "shape_of_mask"], ["mask_of_ones"])
    assert one.data_type == TensorProto.INT64
    for node in (ones, shape):
        graph.node.insert(0, node)


def _pad_left(graph: Any) -> None:
    """The tokens of a padded row are moved to its end, while its mask still says the beginning."""
    from onnx import helper, numpy_helper

    _renamed(graph, "input_ids", "ids_at_the_end")
    for name, value in (("pl_0", 0), ("pl_1", 1)):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.int64), name))
    for name, values in (("pl_axis", [1]), ("pl_second", [1])):
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
    make = helper.make_node
    nodes = [
        make("ReduceSum", ["attention_mask", "pl_axis"], ["pl_num"], keepdims=1),
        make("Shape", ["input_ids"], ["pl_shape"]),
        make("Gather", ["pl_shape", "pl_1"], ["pl_length"], axis=0),
        make("Range", ["pl_0", "pl_length", "pl_1"], ["pl_places"]),
        make("Add", ["pl_places", "pl_num"], ["pl_moved"]),
        make("Mod", ["pl_moved", "pl_length"], ["pl_from"]),
        make("GatherElements", ["input_ids", "pl_from"], ["ids_at_the_end"], axis=1),
    ]
    for node in reversed(nodes):
        graph.node.insert(0, node)


def _renamed(graph: Any, name: str, other: str) -> None:
    for node in graph.node:
        for at, given in enumerate(node.input):
            if given == name:
                node.input[at] = other
