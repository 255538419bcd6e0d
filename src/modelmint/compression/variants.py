"""The variants that can be made, each as a folder that the serving engine opens."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Model

VariantName = Literal["onnx-fp32", "onnx-int8", "onnx-int8-mixed"]
COPIED = ("tokenizer.json", "config.json")
MAX_BATCH: dict[VariantName, int] = {"onnx-fp32": 32, "onnx-int8": 1, "onnx-int8-mixed": 1}
"""Texts in one forward pass: with dynamic int8 a text's answer would depend on its neighbours."""
_SAID = ("task", "labels", "max_tokens", "base")
_SAID_IF_THERE = ("inputs", "answers")


def make_variants(names: Sequence[VariantName], model: Model, ctx: StageContext) -> Iterator[tuple[VariantName, Path]]:
    """Export the model once, then make each variant in turn: its name and its folder in the scratch folder.

    A folder holds model.onnx, tokenizer.json, config.json and modelmint.json; equal models give equal files.
    """
    from modelmint.compression.export import export_onnx

    ctx.say(0, 0, "exporting to ONNX")
    source, exported = model.files.folder(), ctx.scratch / "exported.onnx"
    export_onnx(source, exported)
    for name in names:
        ctx.check()
        ctx.say(0, 0, f"making {name}")
        folder = ctx.scratch / name
        folder.mkdir()
        _make(name, exported, folder / "model.onnx")
        for file in COPIED:
            shutil.copyfile(source / file, folder / file)
        about = _about(model) | {"variant": name, "max_batch": MAX_BATCH[name]}
        (folder / "modelmint.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
        yield name, folder


def lay_down(name: VariantName, folder: Path, model: Model, ctx: StageContext) -> Model:
    """The variant as an artifact."""
    kept = _about(model) | {"languages": model.facts["languages"]}
    return ctx.desk.model(
        name, folder, facts={**kept, "engine": "onnx", "variant": name}, licences=model.manifest.get("licences", ())
    )


def _about(model: Model) -> JSON:
    there = [key for key in _SAID_IF_THERE if key in model.facts]
    return {key: model.facts[key] for key in (*_SAID, *there)}


def _make(name: VariantName, exported: Path, output: Path) -> None:
    from modelmint.compression.quantize import quantize_int8

    if name == "onnx-fp32":
        shutil.copyfile(exported, output)
    else:
        quantize_int8(exported, output, spare_narrowing=name == "onnx-int8-mixed")
