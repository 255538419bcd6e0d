"""The tokenizer inside a GGUF file: byte-level BPE, whose way of cutting words llama.cpp knows by a name.

llama.cpp does not read the regular expression of a tokenizer.json: it has its own by name. Only tokenizers whose
expression is one of those are written, so that texts are cut there as here.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelmint.compression.exports.card import read_json
from modelmint.core.errors import InputError
from modelmint.core.types import JSON

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of tokens, as llama.cpp numbers them."""
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CUTS = {_LETTERS + r"\p{N}" + _SIGNS: "qwen2", _LETTERS + r"\p{N}{1,3}" + _SIGNS: "llama-bpe"}
"""The expression of a tokenizer.json -> llama.cpp's name of it."""


def write_tokenizer(writer: Any, folder: Path, config: JSON, *, stop_ids: Sequence[int]) -> JSON:
    """Tokens, merges, special tokens and the chat template.

    Args:
        stop_ids: tokens that end a text.

    Raises:
        InputError: the tokenizer is no byte-level BPE, or cuts words in a way that llama.cpp has no name for.
    """
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    cut = _cut(tokenizer)
    words, kinds = _tokens(tokenizer, int(config["vocab_size"]))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    merges = [one if isinstance(one, str) else " ".join(one) for one in tokenizer["model"].get("merges", ())]
    if merges:
        writer.add_token_merges(merges)
    _special(writer, folder, config, stop_ids)
    template = folder / "chat_template.jinja"
    if template.is_file() and (text := template.read_text(encoding="utf-8")).strip():
        writer.add_chat_template(text)
    return {"num_tokens": len(words), "cuts_words_as": cut}


def _tokens(tokenizer: JSON, num_rows: int) -> tuple[list[str], list[int]]:
    """Every token by its number; numbers of the embedding that no token has are named and marked as unused."""
    words = [f"[PAD{at}]" for at in range(num_rows)]
    kinds = [UNUSED] * num_rows
    for word, at in tokenizer["model"]["vocab"].items():
        words[at], kinds[at] = word, NORMAL
    for added in tokenizer.get("added_tokens", ()):
        words[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added.get("special") else USER_DEFINED
    return words, kinds


def _special(writer: Any, folder: Path, config: JSON, stop_ids: Sequence[int]) -> None:
    from tokenizers import Tokenizer

    ends = [*stop_ids] or [one for one in _listed(config.get("eos_token_id")) if isinstance(one, int)]
    if ends:
        writer.add_eos_token_id(int(ends[0]))
    if len(ends) > 1:
        writer.add_eot_token_id(int(ends[1]))
    pad = read_json(folder / "generation_config.json").get("pad_token_id", config.get("pad_token_id"))
    if isinstance(pad, int):
        writer.add_pad_token_id(pad)
    begin = config.get("bos_token_id")
    if isinstance(begin, int):
        writer.add_bos_token_id(begin)
    first = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("").ids[:1]
    writer.add_add_bos_token(isinstance(begin, int) and first == [begin])
    writer.add_add_eos_token(False)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _cut(tokenizer: JSON) -> str:
    """llama.cpp's name of the way in which words are cut."""
    model, before = tokenizer.get("model") or {}, tokenizer.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    normalizer = (tokenizer.get("normalizer") or {}).get("type")
    bytes_last = bool(steps) and steps[-1].get("type") == "ByteLevel" and not steps[-1].get("add_prefix_space")
    if model.get("type") != "BPE" or not bytes_last or normalizer not in (None, "NFC"):
        raise _unknown(
            f"{model.get('type', 'no model')} with {steps[-1].get('type', 'nothing') if steps else 'nothing'}"
        )
    if not model.get("merges"):
        return "gpt-2"  # single bytes come out the same, however words are cut
    if len(steps) == 1 and steps[0].get("use_regex", True):
        return "gpt-2"
    found = CUTS.get(str((steps[0].get("pattern") or {}).get("Regex"))) if len(steps) == 2 else None
    if found is None or steps[-1].get("use_regex", True):
        raise _unknown("byte-level BPE by an expression of its own")
    return found


def _unknown(what: str) -> InputError:
    return InputError(
        f"as: gguf is written here for tokenizers of byte-level BPE that cut words as gpt-2, {', '.join(CUTS.values())} do; "
        f"this one is {what}",
        parameter="as",
        remedy="--as hf, then llama.cpp's own convert_hf_to_gguf.py.",
    )
