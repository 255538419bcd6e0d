"""OpenVINO's intermediate representation, made from the ONNX file; its answers are compared with PyTorch's in fp32."""

import sys
from pathlib import Path
from typing import Any

from modelmint.compression.exports.onnx_file import MODEL, copy_beside, export_checked, inputs_for, reference
from modelmint.compression.exports.probes import compare
from modelmint.compression.exports.source import Say, Source, Written, refuse_variant
from modelmint.core.errors import InputError, StageError

IR = "openvino_model.xml"
"""As optimum and openvino-genai name it; the weights lie beside it as .bin."""
_USAGE = """\
import json, numpy as np, openvino
from pathlib import Path
from tokenizers import Tokenizer

about = json.loads(Path("modelmint.json").read_text("utf-8"))
tokenizer, core = Tokenizer.from_file("tokenizer.json"), openvino.Core()
model = core.compile_model("openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
tokenizer.enable_truncation(about["max_tokens"])
one = tokenizer.encode({text})
feeds = {"input_ids": one.ids, "attention_mask": one.attention_mask, "token_type_ids": one.type_ids}
names = [node.get_any_name() for node in model.inputs]
answers = model({name: np.array([feeds[name]], np.int64) for name in names})[0]
print(answers)
"""
PRECISION_NOTE = (
    "On a processor with bf16 (AMX) OpenVINO computes in bf16 unless it is told f32, as above; the logits then differ in "
    "the third digit. OpenVINO's own telemetry is off in Modelmint, and is not in yours: "
    "`pip uninstall openvino-telemetry` or `opt_in_out --opt_out` ends it."
)


def write_openvino(source: Source, folder: Path, say: Say) -> Written:
    """openvino_model.xml and .bin, tokenizer, config and modelmint.json.

    Raises:
        InputError: the task has no export to ONNX, or the extra is not installed.
        StageError: the exporter cannot do it, or the files answer otherwise than the model.
    """
    refuse_variant(source, "openvino")
    openvino = import_openvino()
    export_checked(source, folder, say)
    say(1, 3, "converting to OpenVINO")
    try:
        converted = openvino.convert_model(str(folder / MODEL))
        openvino.save_model(converted, str(folder / IR), compress_to_fp16=False)
    except RuntimeError as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise StageError(
            f"openvino: it must know every operation of the model; {why}", parameter="as", remedy="--as onnx holds it."
        ) from error
    (folder / MODEL).unlink()
    compiled = openvino.Core().compile_model(str(folder / IR), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    inputs = inputs_for(source, [node.get_any_name() for node in compiled.inputs])
    answers = compiled(dict(inputs))[0]
    checks = compare(reference(source, inputs), answers, inputs["attention_mask"], "openvino")
    copy_beside(source, folder)
    pairs = len(source.about.get("inputs") or ()) > 1 or source.task == "question-answering"
    code = _USAGE.replace("{text}", '"one text", "another"' if pairs else '"the plastic card"')
    usage = f"In this folder, with `pip install openvino tokenizers numpy`:\n\n```python\n{code}```\n"
    return Written(usage=usage, checks=checks, notes=[PRECISION_NOTE])


def import_openvino() -> Any:
    """The library, with its telemetry as if it were not installed: it would call out when it is imported.

    Raises:
        InputError: the extra is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise InputError(
            "as: openvino needs the extra `openvino`, which is not installed",
            parameter="as",
            remedy="pip install 'modelmint[openvino]', or choose --as onnx.",
        ) from error
    return openvino
