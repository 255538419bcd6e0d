"""Causal language models: read from a Hugging Face folder, and written back as one. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, v tokens of the vocabulary.
"""

import inspect
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.methods.tune import plain, restored
from modelmint.training.methods.tune import save as save_method
from modelmint.training.own_code import trusted

_DROPOUTS = (
    "attention_dropout",
    "attn_pdrop",
    "resid_pdrop",
    "embd_pdrop",
    "hidden_dropout",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "resid_dropout",
    "embed_dropout",
    "dropout",
)
ENCODERS = {
    "albert",
    "bert",
    "camembert",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "nomic_bert",
    "roberta",
    "xlm-roberta",
}
"""Families that transformers would load as causal models all the same, with weights that nobody taught to write."""
COPIED = ("tokenizer.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt")


class CausalModel(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A causal language model as the loop calls it: token ids in, logits (b, t, v) out."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, **inputs: Any) -> Tensor:
        length = inputs["input_ids"].shape[1]
        return self.encoder(**inputs, use_cache=False).logits[:, -length:]  # a tuned prompt stands before the text


def load_causal(folder: Path, *, dropout: float = 0.0) -> Any:
    """The language model of a folder in fp32, with what a tuning method laid beside it.

    Raises:
        InputError: it is no causal language model that can be used.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, logging

    from modelmint.training.scratch.families import register

    register()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    check_causal(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
        for name in _DROPOUTS:
            if isinstance(getattr(config, name, None), float | int):
                setattr(config, name, dropout)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="sdpa",
            local_files_only=True,
            trust_remote_code=trusted(folder),
            use_safetensors=True,
        )
    except (ValueError, OSError) as error:
        raise _wrong(str(error).strip().partition("\n")[0][:300]) from error
    return restored(model, folder)


def check_causal(folder: Path) -> None:
    """Look at the config alone.

    Raises:
        InputError: as `load_causal`.
    """
    config = _json(folder / "config.json")
    kind = str(config.get("model_type", "of no type"))
    if config.get("is_encoder_decoder"):
        raise _wrong(f"{kind} reads one text and writes another")
    if kind in ENCODERS and not config.get("is_decoder"):
        raise _wrong(f"{kind} reads texts and does not write them")


def save_causal(model: Any, folder: Path, *, stop_ids: Sequence[int], pad_id: int) -> None:
    """Write config, weights and how to generate. Equal weights give equal files; the tokenizer is the caller's."""
    from transformers import GenerationConfig

    base = save_method(plain(model), folder)
    base.generation_config = GenerationConfig(eos_token_id=list(stop_ids) or None, pad_token_id=pad_id)
    base.save_pretrained(folder)


def save_tokenizer(source: Path, folder: Path, tokenizer: Any, *, chat_template: str) -> None:
    """Write the tokenizer and the chat template, where `transformers` looks for them."""
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    tokenizer.save(str(folder / "tokenizer.json"))
    path = source / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    config.setdefault("tokenizer_class", "PreTrainedTokenizerFast")
    config["chat_template"] = chat_template
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")


def end_ids(folder: Path, tokenizer: Any) -> list[int]:
    """The tokens with which a text of this base ends, by its own word; none where it says nothing."""
    found: list[int] = []
    for name in ("generation_config.json", "config.json"):
        given = _json(folder / name).get("eos_token_id")
        found += [given] if isinstance(given, int) else [one for one in given or () if isinstance(one, int)]
    named = _json(folder / "tokenizer_config.json").get("eos_token")
    word = named.get("content") if isinstance(named, dict) else named
    if isinstance(word, str) and (token_id := tokenizer.token_to_id(word)) is not None:
        found.append(token_id)
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    return sorted({token_id for token_id in found if 0 <= token_id < size})


def grow(model: Any, num_tokens: int, *, like: Iterable[int]) -> None:
    """Give the embeddings rows for tokens up to `num_tokens`: each new row begins as the mean of the rows `like`."""
    num_rows, width = model.get_input_embeddings().weight.shape
    if num_tokens <= num_rows:
        return
    places = [at for at in like if at < num_rows] or list(range(num_rows))
    model.resize_token_embeddings(num_tokens, mean_resizing=False)
    with torch.no_grad():
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            if layer is not None and layer.weight.shape == (num_tokens, width):
                layer.weight[num_rows:] = layer.weight[places].mean(dim=0)


def takes(model: Any, name: str) -> bool:
    """Whether the model's own `forward` knows an argument of that name."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return name in inspect.signature(base.forward).parameters


def _wrong(why: str) -> InputError:
    return InputError(
        f"base: must be a causal language model that transformers knows, without code of its own; {why}",
        parameter="base",
        remedy="Give one that writes texts: of the families Llama, Qwen, GPT-2, GPT-NeoX and the like.",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
