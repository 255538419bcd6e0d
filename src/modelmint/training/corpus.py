"""Many texts as one flat array of token ids, and the pieces of it that a language model reads.

Shapes: n tokens of the corpus, p pieces, b pieces of a batch, t tokens of a piece.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset

Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]
BATCH_TEXTS = 512
MAX_CHARACTERS = 1 << 16  # of a text are encoded at once: an encoding takes a hundred times its text's memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """`ids_n` are the texts one after another; text i lies at ``starts[i]:starts[i + 1]``."""

    ids_n: Ids
    starts: Places
    num_characters: int
    num_bytes: int

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Any, *, before: Sequence[int], after: Sequence[int]) -> Self:
        """The texts encoded, each with these tokens before and after it. Empty texts are left out."""
        parts: list[Ids] = []
        starts, num_characters, num_bytes = [0], 0, 0
        first, last = np.asarray(before, dtype=np.int32), np.asarray(after, dtype=np.int32)
        for pieces in _encoded((text for text in texts if text), tokenizer):
            for text, ids in pieces:
                parts += [first, ids, last]
                starts.append(starts[-1] + len(ids) + len(first) + len(last))
                num_characters += len(text)
                num_bytes += len(text.encode())
        return cls(
            ids_n=np.concatenate(parts) if parts else np.zeros(0, np.int32),
            starts=np.asarray(starts, dtype=np.int64),
            num_characters=num_characters,
            num_bytes=num_bytes,
        )

    def spans(self, size: int, *, joined: bool, ahead: int = 0) -> tuple[Places, Places]:
        """(p,) where each piece begins, and how long it is: at most `size`; nothing is left over.

        Args:
            joined: the corpus is one text; else a piece is of one text alone.
            ahead: so many tokens at the end of a text begin nothing, since what they predict lies behind it.
        """
        edges = np.asarray([0, len(self.ids_n)]) if joined else self.starts
        lengths = np.maximum(np.diff(edges) - ahead, 0)
        counts = -(-lengths // size)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        firsts = np.repeat(edges[:-1], counts) + within * size
        return firsts, np.minimum(size, np.repeat(edges[:-1] + lengths, counts) - firsts)

    def taken(self, firsts: Places, lengths: Places, fill: int) -> npt.NDArray[np.int64]:
        """(b, t) the tokens of these pieces, `fill` where a piece is shorter; behind the last token comes the first."""
        places_bt = np.arange(lengths.max(initial=0))[None, :]
        ids_bt = self.ids_n[(firsts[:, None] + places_bt) % len(self.ids_n)]
        return np.where(places_bt < lengths[:, None], ids_bt, fill).astype(np.int64)


def texts_of(dataset: Dataset, role: str) -> Iterator[str]:
    """The column ``text``, batch by batch.

    Raises:
        DataError: a row has none.
    """
    for batch in tables.batches(dataset, ["text"]):
        if batch.column("text").null_count:
            raise DataError(
                f"{role}: must have a text in each row; got {batch.column('text').null_count} rows without one",
                parameter=role,
                remedy="Run collect and clean first: they put such rows into quarantine.",
            )
        yield from batch.column("text").to_pylist()


def open_whole(folder: Path) -> Any:
    """The tokenizer of a folder, which cuts nothing off and pads nothing."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def shuffled(num: int, seed: int, epoch: int) -> tuple[list[int], int]:
    """The numbers below `num` in an order, and a large number, that (seed, epoch) alone decide."""
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randperm(num, generator=generator).tolist(), int.from_bytes(digest[8:14], "big")


def check_texts(corpus: Corpus, role: str) -> None:
    """Raises:
    DataError: there is nothing to predict.
    """
    if len(corpus.ids_n) < 2:
        raise DataError(
            f"{role}: must hold texts to learn from; all of its rows are empty",
            parameter=role,
            remedy="Look whether the right column was read as the text.",
        )


def _encoded(texts: Iterable[str], tokenizer: Any) -> Iterator[list[tuple[str, Ids]]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if len(batch) >= BATCH_TEXTS or size >= 16 * MAX_CHARACTERS:
            yield _encode(batch, tokenizer)
            batch, size = [], 0
    if batch:
        yield _encode(batch, tokenizer)


def _encode(texts: Sequence[str], tokenizer: Any) -> list[tuple[str, Ids]]:
    pieces = [(at, piece) for at, text in enumerate(texts) for piece in _cut(text)]
    parts: list[list[Ids]] = [[] for _ in texts]
    for start in range(0, len(pieces), BATCH_TEXTS):
        some = pieces[start : start + BATCH_TEXTS]
        encodings = tokenizer.encode_batch_fast([piece for _, piece in some], add_special_tokens=False)
        for (at, _), encoding in zip(some, encodings, strict=True):
            parts[at].append(np.asarray(encoding.ids, dtype=np.int32))
    return [(text, np.concatenate(part)) for text, part in zip(texts, parts, strict=True)]


def _cut(text: str) -> Iterator[str]:
    """A long text in pieces that begin with a line break or a space, where tokenizers cut as well."""
    start = 0
    while len(text) - start > MAX_CHARACTERS:
        end = start + MAX_CHARACTERS
        at = max(text.rfind("\n", start + 1, end), text.rfind(" ", end - 1024, end))
        at = at if at > start else end
        yield text[start:at]
        start = at
    yield text[start:]
