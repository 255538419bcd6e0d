"""Texts written from texts by a trained encoder-decoder: beam search over batches of like length. Imports PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from modelmint.training.batches import TokenIds, pad_batch
from modelmint.training.seq2seq import load_seq2seq
from modelmint.training.tasks.table import read_about

BATCH_SIZE = 32
Say = Callable[[int, int, str], None]


class Writer:
    """A trained model that writes. One thread at a time may call it.

    Args:
        model: of transformers, whose `generation_config` says how many beams there are and how long a text may be.
        prefix: put before each source.
        max_tokens: where a source is cut.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, *, prefix: str, max_tokens: int) -> None:
        self._model, self._tokenizer, self._prefix, self._max_tokens = model, tokenizer, prefix, max_tokens

    def predict(self, rows: Mapping[str, Sequence[Any]], say: Say | None = None) -> list[dict[str, Any]]:
        """``{"text"}`` a row, from the column ``text``; the same every time."""
        sources, _ = encoded(self._tokenizer, rows["text"], self._prefix, self._max_tokens)
        return [{"text": text} for text in decoded(self._tokenizer, write_ids(self._model, sources, say=say))]


def load_writer(folder: Path) -> Writer:
    """The writer in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained encoder-decoder.
    """
    about = read_about(folder)
    model = load_seq2seq(folder).to("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Writer(model, tokenizer, prefix=str(about["prefix"]), max_tokens=int(about["max_tokens"]))


def encoded(tokenizer: Tokenizer, texts: Sequence[str], prefix: str, max_tokens: int) -> tuple[TokenIds, int]:
    """Token ids with the special tokens of the tokenizer, cut to `max_tokens`, and how many texts were cut."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encodings = tokenizer.encode_batch([prefix + text for text in texts])
    return [encoding.ids for encoding in encodings], sum(bool(encoding.overflowing) for encoding in encodings)


def decoded(tokenizer: Tokenizer, rows: Sequence[Sequence[int]]) -> list[str]:
    """Texts without special tokens."""
    return [text.strip() for text in tokenizer.decode_batch([list(row) for row in rows], skip_special_tokens=True)]


def write_ids(model: Any, sources: TokenIds, *, batch_size: int = BATCH_SIZE, say: Say | None = None) -> TokenIds:
    """Token ids of a text for each source, in their order, by the model's `generation_config`: no randomness."""
    model.train(False)
    device = next(model.parameters()).device
    pad_id = int(model.generation_config.pad_token_id)
    order = sorted(range(len(sources)), key=lambda row: len(sources[row]))
    written: dict[int, list[int]] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = pad_batch([sources[row] for row in rows], pad_id, device)
        with torch.no_grad():
            found = model.generate(**batch, do_sample=False)
        written |= dict(zip(rows, found.tolist(), strict=True))
        if say is not None:
            say(len(written), len(order), "writing")
    return [written[row] for row in range(len(sources))]
