"""Texts to token ids, token ids to batches. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, l numbers of an answer.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

TokenIds = list[list[int]]


def bucketed_batches(
    lengths: Sequence[int], batch_size: int, bucket_batches: int, seed: int, epoch: int
) -> list[list[int]]:
    """Row numbers by batch: rows of like length together, in an order that (seed, epoch) alone decide.

    Args:
        bucket_batches: how many batches are sorted by length together; more waste less padding, 1 shuffles fully.
    """
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    order = torch.randperm(len(lengths), generator=generator).tolist()
    bucket_size = batch_size * bucket_batches
    batches: list[list[int]] = []
    for start in range(0, len(order), bucket_size):
        bucket = sorted(order[start : start + bucket_size], key=lengths.__getitem__)
        batches += [bucket[at : at + batch_size] for at in range(0, len(bucket), batch_size)]
    return [batches[at] for at in torch.randperm(len(batches), generator=generator).tolist()]


def open_tokenizer(folder: Path, max_tokens: int) -> Callable[[Sequence[str]], TokenIds]:
    """Texts to token ids with special tokens, cut to `max_tokens`: the same as the serving engine does."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def open_pair_tokenizer(
    folder: Path, max_tokens: int, *, typed: bool
) -> Callable[[Sequence[str], Sequence[str]], tuple[TokenIds, TokenIds | None]]:
    """Pairs of texts to token ids, and to the segment (0 or 1) of each token where `typed`.

    The tokenizer's template says what stands between the two; of the longer one more is cut.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)

    def tokenize(texts: Sequence[str], pairs: Sequence[str]) -> tuple[TokenIds, TokenIds | None]:
        encodings = tokenizer.encode_batch(list(zip(texts, pairs, strict=True)))
        return [one.ids for one in encodings], [one.type_ids for one in encodings] if typed else None

    return tokenize


def pad_batch(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both (b, t)."""
    longest = max(1, *(len(row) for row in rows))
    ids_bt = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
    mask_bt = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids_bt.to(device), "attention_mask": mask_bt.to(device)}


def pad_types(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """`token_type_ids` (b, t)."""
    return pad_batch(rows, 0, device)["input_ids"]


def logits_of(
    model: nn.Module,
    rows: TokenIds,
    pad_id: int,
    *,
    type_ids: TokenIds | None = None,
    batch_size: int = 64,
    say: Callable[[int, int, str], None] | None = None,
) -> Tensor:
    """Logits (rows, l) on the CPU, in the rows' order; sorted by length inside, so that padding costs little.

    Args:
        type_ids: of pairs, the segment of each token.
    """
    model.train(False)
    device = next(model.parameters()).device
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    parts: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            inputs = pad_batch([rows[row] for row in batch], pad_id, device)
            if type_ids is not None:
                inputs["token_type_ids"] = pad_types([type_ids[row] for row in batch], device)
            parts.append(model(**inputs).float().cpu())
            if say is not None:
                say(start + len(batch), len(order), "predicting")
    return torch.cat(parts)[torch.tensor(order).argsort()]
