"""Export a trained model to ONNX: one file, dynamic batch and length, equal bytes for equal weights."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelmint.core.types import JSON

INPUTS = ("input_ids", "attention_mask")
TYPES = "token_type_ids"
PIXELS = "pixels"
CELLS = "cells"
ITEMS = "item_ids"
OUTPUT = "logits"
OPSET = 17


def export_onnx(folder: Path, output: Path) -> None:
    """Write the model in `folder` as an fp32 ONNX file, of which any number of rows can be asked at once.

    Of texts: `INPUTS` (batch, length) to `OUTPUT` (batch, labels), of an embedding (batch, width) with vectors of length
    1; of a model of tags or of answers in texts that is
    (batch, length, labels), the labels of the latter being the first and the last token. A model whose encoder reads
    types of tokens (of which text one is, which capitals it has) has `TYPES` as a third input. Of images and
    recordings: `PIXELS` (batch, c, h, w) to `OUTPUT`. Of a network of a table: `CELLS` (batch, columns) to `OUTPUT`.
    Of histories: `ITEMS` (batch, length), with 0 behind the shorter ones, to `OUTPUT` (batch, items).
    """
    import torch

    exported = _opened(folder)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch, quiet(), torch.no_grad():
        raw = Path(scratch) / "raw.onnx"
        # The older exporter: the same answers as the newer one's, in a fifth of its time.
        torch.onnx.export(
            exported.model,
            exported.given,
            raw,
            input_names=list(exported.axes)[:-1],
            output_names=[OUTPUT],
            dynamo=False,
            opset_version=OPSET,
            dynamic_axes=exported.axes,
        )
        write_clean(raw, output)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Exported:
    """A model, what it is traced with, and of each input and at last the output the axes that may change."""

    model: Any
    given: tuple[Any, ...]
    axes: dict[str, dict[int, str]]


def _opened(folder: Path) -> _Exported:
    from modelmint.training.tasks.table import read_about

    about = read_about(folder)
    if about["task"].startswith(("image-", "audio-", "tabular-", "recommendation")):
        return _of_arrays(folder, about)
    if about["task"] == "token-classification":
        from modelmint.training.headed import read_headed
        from modelmint.training.tasks.tagger import KIND

        return _of_tokens(read_headed(folder, KIND), typed=bool(about["capitals"]), by_token=True)
    if about["task"] == "question-answering":
        from modelmint.training.headed import read_headed
        from modelmint.training.tasks.reader import KIND as SPANS
        from modelmint.training.tasks.reader import has_types

        reader = read_headed(folder, SPANS)
        return _of_tokens(reader, typed=has_types(reader.encoder.config), by_token=True)
    if about["task"] == "text-embedding":
        from modelmint.training.encoders import UnitEncoder, load_encoder

        return _of_tokens(UnitEncoder(load_encoder(folder)), typed=False, by_token=False)
    if about["task"] == "text-reranking":
        from modelmint.training.cross_encoder import load_cross_encoder

        return _of_tokens(load_cross_encoder(folder).train(False), typed=bool(about["typed"]), by_token=False)
    from modelmint.training.tasks.pooled_model import has_token_types, read_classifier

    model, _labels = read_classifier(folder)
    typed = len(about.get("inputs", ())) > 1 and has_token_types(model.encoder.config)
    return _of_tokens(model, typed=typed, by_token=False)


def _of_arrays(folder: Path, about: JSON) -> _Exported:
    """Images and recordings as pixels, rows of a table as cells, histories as numbers of items."""
    import torch

    from modelmint.training.tasks.table import open_model
    from modelmint.training.tasks.table_model import read_network

    if about["task"].startswith("tabular-"):
        cells = torch.zeros(2, len(about["columns"]))
        axes = {CELLS: {0: "batch"}, OUTPUT: {0: "batch"}}
        return _Exported(model=read_network(folder).train(False), given=(cells,), axes=axes)
    if about["task"] == "recommendation":
        from modelmint.training.recommendation.model import LastStates, read_model

        item_ids = torch.tensor([[1, 2, 1, 2], [2, 1, 0, 0]])
        axes = {ITEMS: {0: "batch", 1: "length"}, OUTPUT: {0: "batch"}}
        return _Exported(model=LastStates(read_model(folder)[0]), given=(item_ids,), axes=axes)
    classifier: Any = open_model(folder)
    axes = {PIXELS: {0: "batch"}, OUTPUT: {0: "batch"}}
    return _Exported(model=classifier.model.cpu(), given=(torch.zeros(2, *classifier.sizes),), axes=axes)


def _of_tokens(model: Any, *, typed: bool, by_token: bool) -> _Exported:
    import torch

    names = (*INPUTS, TYPES) if typed else INPUTS
    mask = torch.ones(2, 8, dtype=torch.long)
    mask[1, 5:] = 0
    given = (torch.arange(16).reshape(2, 8) * mask, mask, *([1 - mask] if typed else []))
    rows = {0: "batch", 1: "length"}
    axes = dict.fromkeys(names, rows) | {OUTPUT: rows if by_token else {0: "batch"}}
    return _Exported(model=model, given=given, axes=axes)


def write_clean(raw: Path, output: Path) -> None:
    """Write an ONNX file without what differs between two exports or names this machine's files."""
    import onnx

    model = onnx.load(raw)
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    del graph.value_info[:]  # shapes that the quantizer takes for granted, and that need not hold after it
    graph.doc_string = ""
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *model.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    payload: Any = model.SerializeToString(deterministic=True)
    output.write_bytes(payload)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' warnings of their own deprecations and of optional packages that are not there."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
