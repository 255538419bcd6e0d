"""Fewer tokens: the rows of the embedding that texts use, and a tokenizer that knows no others. Imports PyTorch.

On the texts that it was made for the model answers with the same bits: the same rows are added up in the same order.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from modelmint.compression.bodies.folders import check_whole, read_parts, write_parts
from modelmint.compression.bodies.pieces import kept_tokens, with_tokens
from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.types import JSON
from modelmint.training.encoders import load_encoder

Text = str | tuple[str, str]
BATCH_TEXTS = 1024


def trim_vocabulary(folder: Path, texts: Sequence[Text], output: Path, *, at_least: int = 0) -> JSON:
    """Write the model of `folder` with the tokens that `texts` need, and single characters.

    Args:
        at_least: so many tokens at least: those of the lowest ids are added, which tokenizers learned first.

    Returns:
        `tokens`: how many there were, and are.

    Raises:
        InputError: the tokenizer is of a kind that cannot be trimmed here.
        IntegrityError: the new tokenizer cuts one of the texts otherwise.
    """
    parts = read_parts(folder)
    if parts.config.get("num_pairs"):
        raise InputError(
            "try: a static body's tokens are counted in its pairs, so they must stay as they are; got vocabulary after "
            "static",
            parameter="try",
            remedy="Trim first: `vocabulary+static`.",
        )
    old = _tokenizer(folder / "tokenizer.json")
    about: JSON = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    used = {token_id for ids in _encoded(old, texts) for token_id in ids}
    kept = kept_tokens(about, used, at_least=at_least, pad_id=int(parts.config.get("pad_token_id") or 0))
    place = parts.named(_embedding_path(load_encoder(folder)) + ".weight")
    num_before = len(parts.tensors[place])
    parts.tensors[place] = parts.tensors[place][torch.tensor(kept)]
    parts.config.update(_with_ids(parts.config, {old_id: at for at, old_id in enumerate(kept)}, len(kept)))
    write_parts(parts, folder, output)
    _write_tokenizer(with_tokens(about, kept), output, kept)
    check_whole(parts, load_encoder(output))
    _check_alike(old, _tokenizer(output / "tokenizer.json"), texts, kept)
    return {"tokens": {"before": num_before, "after": len(kept)}}


def _embedding_path(encoder: Any) -> str:
    embedding = encoder.get_input_embeddings()
    return next(str(name) for name, module in encoder.named_modules() if module is embedding)


def _with_ids(config: Mapping[str, Any], new: Mapping[int, int], num_tokens: int) -> JSON:
    changed: JSON = {"vocab_size": num_tokens}
    for name, value in config.items():
        if name.endswith("_token_id") and isinstance(value, int) and value in new:
            changed[name] = new[value]
    return changed


def _write_tokenizer(about: JSON, folder: Path, kept: Sequence[int]) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    if (folder / "vocab.txt").exists():
        pieces = sorted(about["model"]["vocab"].items(), key=lambda item: int(item[1]))
        (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
    path = folder / "tokenizer_config.json"
    told: JSON = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "added_tokens_decoder" in told:
        new = {token_id: at for at, token_id in enumerate(kept)}
        told["added_tokens_decoder"] = {str(new[int(at)]): token for at, token in told["added_tokens_decoder"].items()}
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False), encoding="utf-8")


def _tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _encoded(tokenizer: Tokenizer, texts: Iterable[Text]) -> Iterator[list[int]]:
    rest = iter(texts)
    while batch := list(islice(rest, BATCH_TEXTS)):
        yield from (encoding.ids for encoding in tokenizer.encode_batch(batch))


def _check_alike(old: Tokenizer, new: Tokenizer, texts: Sequence[Text], kept: Sequence[int]) -> None:
    for text, before, after in zip(texts, _encoded(old, texts), _encoded(new, texts), strict=True):
        if before != [kept[token_id] for token_id in after]:
            raise IntegrityError(
                f"try: the trimmed tokenizer must cut the training texts as before; it does not cut {str(text)[:60]!r}",
                parameter="try",
                remedy="Leave `vocabulary` out of compress.try for this model.",
            )
