"""A GGUF file of a model that writes texts, as llama.cpp reads it: half precision, with the tokenizer and the template.

Names of tensors and the layout are those of llama.cpp's own `convert_hf_to_gguf.py` (gguf-py's table of names). What is
written is read back and compared before it goes out.

Shapes: o outputs and i inputs of a linear layer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.compression.exports.card import hub_base, read_json
from modelmint.compression.exports.gguf_tokenizer import write_tokenizer
from modelmint.compression.exports.source import TUNING, Say, Source, Written, refuse_variant
from modelmint.core.errors import InputError, StageError
from modelmint.core.types import JSON

WRITERS = ("text-generation", "chat", "preference")
FAMILIES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gpt2": "gpt2"}
"""transformers' word -> llama.cpp's architecture."""
MODEL = "model.gguf"
_UNSEEN = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")
_TURNED = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")  # GPT-2 keeps (i, o)
_USAGE = """\
With llama.cpp: `llama-cli -m model.gguf`, or `llama-server -m model.gguf` for an OpenAI-compatible API. `llama-quantize
model.gguf small.gguf Q4_K_M` makes it smaller. transformers opens it too, with `pip install torch transformers gguf`:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf")
tokenizer = AutoTokenizer.from_pretrained(".", gguf_file="model.gguf")
```
"""
NOT_RUN = (
    "The file was read back and its tensors compared with the trained ones; it was not run by llama.cpp here. Compare a few "
    "answers before you rely on it."
)

Array = npt.NDArray[Any]


def write_gguf(source: Source, folder: Path, say: Say) -> Written:
    """model.gguf, with the weights in half precision.

    Raises:
        InputError: the model or its tokenizer is of a kind that is not written here, or the extra is not installed.
        StageError: what was read back is not what was written.
    """
    refuse_variant(source, "gguf")
    config = read_json(source.folder / "config.json")
    family = _family(source, config)
    gguf = _import_gguf()
    writer = gguf.GGUFWriter(folder / MODEL, FAMILIES[family])
    writer.add_name(source.model.name)
    if base := hub_base(source):
        writer.add_base_model_count(1)
        writer.add_base_model_name(0, base)
    writer.add_license(" AND ".join(sorted(str(one) for one in source.model.manifest["licences"])))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _parameters(writer, family, config)
    checks = write_tokenizer(writer, source.folder, config, stop_ids=list(source.about.get("stop_ids") or ()))
    num = 0
    for name, tensor in _tensors(source.folder, family, config):
        writer.add_tensor(name, tensor)
        num += 1
        say(0, 3, f"{num} tensors written")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    say(1, 3, "reading the file back")
    _compare(gguf.GGUFReader(folder / MODEL), _tensors(source.folder, family, config), num)
    return Written(usage=_USAGE, checks={"num_tensors": num, "tensors_equal": True, **checks}, notes=[NOT_RUN])


def _family(source: Source, config: JSON) -> str:
    family = str(config.get("model_type"))
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    scaling = rope.get("rope_type", rope.get("type", "default"))
    window = config.get("sliding_window") if config.get("use_sliding_window", family == "mistral") else None
    why = ""
    if source.task not in WRITERS or family not in FAMILIES:
        why = f"a model for {source.task} of the family {family}"
    elif (source.folder / TUNING).is_dir():
        why = f"one tuned by {source.method or 'a method'} whose parts cannot be merged"
    elif scaling != "default" or window:
        why = f"one whose positions are of the type {scaling}" if scaling != "default" else "one with a sliding window"
    if why:
        raise InputError(
            f"as: must be a format that holds the model; gguf is written here for {', '.join(FAMILIES)} that write texts, "
            f"and this is {why}",
            parameter="as",
            remedy="--as hf, then llama.cpp's own convert_hf_to_gguf.py, which knows more families.",
        )
    return family


def _parameters(writer: Any, family: str, config: JSON) -> None:
    """What llama.cpp must know beside the tensors."""
    if family == "gpt2":
        width = int(config["n_embd"])
        writer.add_context_length(int(config.get("n_positions", 1024)))
        writer.add_embedding_length(width)
        writer.add_block_count(int(config["n_layer"]))
        writer.add_feed_forward_length(int(config.get("n_inner") or 4 * width))
        writer.add_head_count(int(config["n_head"]))
        writer.add_layer_norm_eps(float(config.get("layer_norm_epsilon", 1e-5)))
        return
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head_size = int(config.get("head_dim") or width // heads)
    rope = config.get("rope_parameters") or {}
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(width)
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    writer.add_rope_dimension_count(head_size)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_vocab_size(int(config["vocab_size"]))


def _tensors(folder: Path, family: str, config: JSON) -> Iterator[tuple[str, Array]]:
    """Names and arrays as llama.cpp wants them, one at a time: tables in half precision where it holds them, lists in full."""
    import gguf
    from safetensors import safe_open

    from modelmint.training.shards import weight_files

    num_blocks = int(config.get("n_layer") or config["num_hidden_layers"])
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, FAMILIES[family].upper()), num_blocks)
    for file in (one for one in weight_files(folder) if one.endswith(".safetensors")):
        with safe_open(folder / file, framework="pt") as weights:
            for name in sorted(weights.keys()):
                if name.endswith(_UNSEEN) or (name == "lm_head.weight" and config.get("tie_word_embeddings")):
                    continue
                known = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if known is None:
                    raise InputError(
                        f"as: gguf has no name for the tensor {name} of a {family}; it cannot be left out",
                        parameter="as",
                        remedy="--as hf, then llama.cpp's own convert_hf_to_gguf.py.",
                    )
                yield known, _stored(_laid_out(weights.get_tensor(name).float().numpy(), name, family, config))


def _laid_out(tensor: Array, name: str, family: str, config: JSON) -> Array:
    """GPT-2's tables turned; Llama's queries and keys in the order of llama.cpp's rotary embedding."""
    if family == "gpt2":
        return tensor.T if name.endswith(_TURNED) else tensor
    if FAMILIES[family] != "llama" or not any(one in name for one in (".q_proj.", ".k_proj.")):
        return tensor
    heads = int(config["num_attention_heads"])
    if ".k_proj." in name:
        heads = int(config.get("num_key_value_heads") or heads)
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def _stored(tensor: Array) -> Array:
    half_largest = float(np.finfo(np.float16).max)
    if tensor.ndim < 2 or float(np.abs(tensor).max()) > half_largest:
        return np.ascontiguousarray(tensor, np.float32)
    return np.ascontiguousarray(tensor, np.float16)


def _compare(reader: Any, expected: Iterator[tuple[str, Array]], num: int) -> None:
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    wrong = [
        name for name, one in expected if name not in found or not np.array_equal(found[name].reshape(one.shape), one)
    ]
    if wrong or len(found) != num:
        raise StageError(
            f"gguf: every tensor must be read back as it was written; {len(wrong)} are not, such as {wrong[:1]}",
            parameter="as",
            remedy="Nothing was written. Export again; --as hf holds the same weights.",
        )


def _import_gguf() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise InputError(
            "as: gguf needs the extra `gguf`, which is not installed",
            parameter="as",
            remedy="pip install 'modelmint[gguf]', or choose --as hf.",
        ) from error
    return gguf
