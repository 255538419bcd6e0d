"""An fp32 ONNX file with its tokenizer, checked by the onnx checker and by its answers beside PyTorch's."""

import json
import shutil
from pathlib import Path
from typing import Any

from modelmint.compression.exports.card import read_json
from modelmint.compression.exports.probes import Floats, Ints, compare, probe_inputs
from modelmint.compression.exports.source import Say, Source, Written, refuse_variant
from modelmint.core.errors import InputError, StageError
from modelmint.core.types import JSON

TASKS = (
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "text-regression",
    "token-classification",
    "question-answering",
)
"""What `compression.export` exports."""
MODEL = "model.onnx"
_USAGE = """\
import json, onnxruntime, numpy as np
from pathlib import Path
from tokenizers import Tokenizer

about = json.loads(Path("modelmint.json").read_text("utf-8"))
tokenizer, session = Tokenizer.from_file("tokenizer.json"), onnxruntime.InferenceSession("model.onnx")
tokenizer.enable_truncation(about["max_tokens"])
one = tokenizer.encode({text})
feeds = {"input_ids": one.ids, "attention_mask": one.attention_mask, "token_type_ids": one.type_ids}
names = [node.name for node in session.get_inputs()]
(answers,) = session.run(["logits"], {name: np.array([feeds[name]], np.int64) for name in names})
print(answers)
"""


def write_onnx(source: Source, folder: Path, say: Say) -> Written:
    """model.onnx, tokenizer, config and modelmint.json.

    Raises:
        InputError: the task has no export to ONNX.
        StageError: the exporter cannot do it, or the file answers otherwise than the model.
    """
    refuse_variant(source, "onnx")
    checks = export_checked(source, folder, say)
    copy_beside(source, folder)
    return Written(usage=_usage(source), checks=checks)


def export_checked(source: Source, folder: Path, say: Say) -> JSON:
    """Write ``folder/model.onnx``; gives how near its answers are to PyTorch's.

    Raises:
        InputError, StageError: as `write_onnx`.
    """
    from modelmint.compression.export import OPSET, export_onnx

    if source.task not in TASKS:
        raise InputError(
            f"as: must be a format that holds a model for {source.task}; onnx and openvino are for {', '.join(TASKS)}",
            parameter="as",
            remedy="--as hf gives a Hugging Face folder.",
        )
    say(0, 3, "exporting to ONNX")
    try:
        export_onnx(source.folder, folder / MODEL)
    except (
        RuntimeError,
        NotImplementedError,
        TypeError,
    ) as error:  # what the exporter raises for a model it cannot trace
        why = str(error).strip().partition("\n")[0][:300]
        raise StageError(
            f"onnx: PyTorch's exporter must know every operation of the model; {why}",
            parameter="as",
            remedy="Nothing was written. --as hf needs no exporter.",
        ) from error
    say(1, 3, "comparing with PyTorch")
    inputs = inputs_for(source, _names(folder / MODEL))
    checks = compare(reference(source, inputs), _answers(folder / MODEL, inputs), inputs["attention_mask"], "onnx")
    return {"onnx_checker": "passed", "opset": OPSET, **checks}


def inputs_for(source: Source, names: list[str]) -> dict[str, Ints]:
    """The probes, as the model reads them."""
    pairs = len(source.about.get("inputs") or ()) > 1 or source.task == "question-answering"
    return probe_inputs(source.folder, int(source.about["max_tokens"]), names=names, pairs=pairs)


def reference(source: Source, inputs: dict[str, Ints]) -> Floats:
    """The logits of the trained model by PyTorch."""
    import torch

    from modelmint.training.headed import read_headed
    from modelmint.training.tasks.pooled_model import read_classifier
    from modelmint.training.tasks.reader import KIND as SPANS
    from modelmint.training.tasks.tagger import KIND as TAGS

    kinds = {"token-classification": TAGS, "question-answering": SPANS}
    kind = kinds.get(source.task)
    model: Any = read_headed(source.folder, kind) if kind else read_classifier(source.folder)[0]
    with torch.no_grad():
        logits: Floats = model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).numpy()
    return logits


def copy_beside(source: Source, folder: Path) -> None:
    """The tokenizer, the config and what is known of the model."""
    for name in ("tokenizer.json", "config.json", "modelmint.json"):
        shutil.copyfile(source.folder / name, folder / name)
    config = read_json(folder / "config.json")
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")


def _usage(source: Source) -> str:
    pairs = len(source.about.get("inputs") or ()) > 1 or source.task == "question-answering"
    code = _USAGE.replace("{text}", '"one text", "another"' if pairs else '"the plastic card"')
    return f"In this folder, with `pip install onnxruntime tokenizers numpy`:\n\n```python\n{code}```\n"


def _names(path: Path) -> list[str]:
    return [node.name for node in _session(path).get_inputs()]


def _answers(path: Path, inputs: dict[str, Ints]) -> Floats:
    (logits,) = _session(path).run(["logits"], dict(inputs))
    answers: Floats = logits
    return answers


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
