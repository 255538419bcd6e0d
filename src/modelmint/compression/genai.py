"""Folders for ONNX Runtime GenAI from a trained causal language model: weight-only 8 and 4 bits.

Its own model builder writes the graph and quantizes the weights in groups of 32 (``MatMulNBits``), which need no rows to
calibrate with; activations stay as they are.
"""

import json
import logging
import math
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from modelmint.core.errors import InputError, UnavailableError

PRECISIONS = {
    "fp32": ("fp32", ()),
    "int8": ("int8", ()),
    "int4": ("int4", ()),
    "int4-mixed": ("int4", ("algo_config=k_quant_mixed",)),
}
"""What the builder is told: `k_quant_mixed` is llama.cpp's choice of the layers that keep 8 bits."""
TUNING = "tuning"
GROUP = 32
NO_TOKEN = -1


def build(source: Path, output: Path, precision: str, *, scratch: Path) -> Path:
    """Write model.onnx with its data and genai_config.json into `output`; equal models give equal files.

    Raises:
        InputError: the model cannot be written so: tuned by prompts that stand beside its weights, or of a family that
            the builder does not know.
        UnavailableError: ONNX Runtime GenAI is not installed.
    """
    if (source / TUNING).is_dir():
        raise InputError(
            "method: must be one whose parts are merged into the weights (full, freeze, lora and its kin); this model was "
            "tuned by parts that stand beside them",
            parameter="method",
            remedy="Train with method: lora, or take compress out of the recipe.",
        )
    try:
        from onnxruntime_genai.models.builder import create_model, parse_extra_options
    except ImportError as error:
        raise UnavailableError(
            "try: genai-* needs ONNX Runtime GenAI, which is not installed",
            parameter="try",
            remedy="pip install 'modelmint[generation]'",
        ) from error
    kind, options = PRECISIONS[precision]
    if options:
        _check_groups(source, precision)
    where = ("", str(source), str(output), kind, "cpu", str(scratch / "builder"))
    for name in ("onnxruntime.quantization", "onnx_ir", "neural_compressor"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a line for every matrix
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # a progress bar for every tensor
        try:
            create_model(*where, **parse_extra_options(*where, ["hf_remote=false", *options]))
        except NotImplementedError as error:
            raise InputError(
                f"model: its family must be one that ONNX Runtime GenAI knows; {str(error).partition(chr(10))[0][:200]}",
                parameter="model",
                remedy="Train a base of the families Llama, Qwen, Mistral, Phi or Gemma, or a transformer from nothing.",
            ) from error
    _pad_with_none(output / "genai_config.json")
    return output


def _pad_with_none(file: Path) -> None:
    """The library hides every token of a prompt's end that is the pad token, often the one that ends a text.

    Rows go alone here, so that nothing is padded.
    """
    config = json.loads(file.read_text(encoding="utf-8"))
    config["model"]["pad_token_id"] = NO_TOKEN
    file.write_text(json.dumps(config, indent=4), encoding="utf-8")


def _check_groups(source: Path, precision: str) -> None:
    """The library packs two groups of four bits into a byte, and fails on a matrix that has an odd number of them.

    Raises:
        InputError: such a matrix would be packed.
    """
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    sizes = {name: int(config.get(name) or 0) for name in ("hidden_size", "intermediate_size")}
    odd = next((name for name, size in sizes.items() if math.ceil(size / GROUP) % 2), None)
    if odd is not None:
        raise InputError(
            f"try: genai-{precision} needs sizes with an even number of groups of {GROUP}; {odd} is {sizes[odd]}",
            parameter="try",
            remedy="Take genai-int4 or genai-int8.",
        )
