"""Export a trained model of texts or pairs to ONNX: one file, dynamic batch and length, equal bytes for equal weights."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INPUTS = ("input_ids", "attention_mask")
TYPES = "token_type_ids"
OUTPUT = "logits"
OPSET = 17


def export_onnx(folder: Path, output: Path) -> None:
    """Write the model in `folder` as an fp32 ONNX file: `INPUTS` (batch, length) to `OUTPUT`.

    `OUTPUT` is (batch, labels); of a model of tags or of answers in texts it is (batch, length, labels), the labels of
    the latter being the first and the last token. A model whose encoder reads types of tokens (of which text one is,
    which capitals it has) has `TYPES` as a third input.
    """
    import torch

    model, typed, by_token = _opened(folder)
    names = (*INPUTS, TYPES) if typed else INPUTS
    mask = torch.ones(2, 8, dtype=torch.long)
    mask[1, 5:] = 0
    given = (torch.arange(16).reshape(2, 8) * mask, mask, *([1 - mask] if typed else []))
    rows = {0: "batch", 1: "length"}
    axes = dict.fromkeys(names, rows) | {OUTPUT: rows if by_token else {0: "batch"}}
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch, quiet(), torch.no_grad():
        raw = Path(scratch) / "raw.onnx"
        # The older exporter: the same answers as the newer one's, in a fifth of its time.
        torch.onnx.export(
            model,
            given,
            raw,
            input_names=list(names),
            output_names=[OUTPUT],
            dynamo=False,
            opset_version=OPSET,
            dynamic_axes=axes,
        )
        write_clean(raw, output)


def _opened(folder: Path) -> tuple[Any, bool, bool]:
    """The model, whether it reads types of tokens, and whether it answers for every token."""
    from modelmint.training.tasks.table import read_about

    about = read_about(folder)
    if about["task"] == "token-classification":
        from modelmint.training.headed import read_headed
        from modelmint.training.tasks.tagger import KIND

        return read_headed(folder, KIND), bool(about["capitals"]), True
    if about["task"] == "question-answering":
        from modelmint.training.headed import read_headed
        from modelmint.training.tasks.reader import KIND as SPANS
        from modelmint.training.tasks.reader import has_types

        reader = read_headed(folder, SPANS)
        return reader, has_types(reader.encoder.config), True
    from modelmint.training.tasks.pooled_model import has_token_types, read_classifier

    model, _labels = read_classifier(folder)
    return model, len(about.get("inputs", ())) > 1 and has_token_types(model.encoder.config), False


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
