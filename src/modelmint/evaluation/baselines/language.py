"""Texts by what came before: n-grams of bytes, each order interpolated with the shorter one, down to equal chances.

The model's own counts of tokens stand in the answers, so that perplexity is by the same tokens for both; bits per byte and
per character need none.

Source: Witten and Bell, The zero-frequency problem, IEEE Transactions on Information Theory 37 (1991), method C.

Shapes: n symbols (bytes, and the end of each text).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap, learned_rows
from modelmint.evaluation.baselines.choices import NAMES

MAX_ROWS = 200_000
MAX_BYTES = 4_000_000
"""Of training text; the rest is not counted."""
CHUNK_TEXTS = 512
NUM_BEFORE = 6
"""Symbols that are looked back at: seven of nine bits fit into one number."""
BITS = 9
START, END = 256, 257
NUM_SYMBOLS = 257
"""What may come next: a byte, or the end."""

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def surprise_at_texts(kind: str, asked: Asked) -> Cheap:
    """``{"loss", "tokens"}`` a row of ``text``: the summed cross entropy (natural logarithm) with the end of the text."""
    found = learned_rows(asked, ["text"], max_rows=MAX_ROWS)
    counts = NGrams.learn(found["text"], num_before=0 if kind == "unigram" else NUM_BEFORE)

    def answer() -> list[JSON]:
        losses = counts.losses([text or "" for text in asked.truth["text"]])
        return [
            {"loss": loss if one["tokens"] else 0.0, "tokens": one["tokens"]}
            for loss, one in zip(losses, asked.answers, strict=True)
        ]

    name = NAMES["ngram"] if kind == "ngram" else "how often each byte is"
    return Cheap(name=name, num_rows=counts.num_texts, answer=answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """What was counted behind contexts of one length: sorted grams with their counts, sorted contexts with theirs."""

    grams: Ints
    gram_counts: Ints
    contexts: Ints
    context_counts: Ints
    num_different: Ints
    """How many different symbols came behind each context."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NGrams:
    """Counts of every order, the shortest first."""

    orders: Sequence[_Order]
    num_texts: int

    @classmethod
    def learn(cls, texts: Sequence[str], *, num_before: int = NUM_BEFORE, max_bytes: int = MAX_BYTES) -> Self:
        """From as many of the texts as `max_bytes` has room for, at least the first, of which then a part."""
        sizes = np.cumsum([len(text.encode()) + 1 for text in texts])
        num_texts = max(1, int(np.searchsorted(sizes, max_bytes, side="right")))
        packed = _packed([text.encode()[:max_bytes] for text in texts[:num_texts]])
        return cls(orders=[_counted(packed, length) for length in range(num_before + 1)], num_texts=num_texts)

    def losses(self, texts: Sequence[str]) -> list[float]:
        """(texts,) the summed cross entropy of each, its end included; 0 for an empty one."""
        found: list[float] = []
        for start in range(0, len(texts), CHUNK_TEXTS):
            some = [text.encode() for text in texts[start : start + CHUNK_TEXTS]]
            chances_n = np.full(sum(len(one) + 1 for one in some), 1 / NUM_SYMBOLS)
            packed = _packed(some)
            for length, order in enumerate(self.orders):
                chances_n = _interpolated(order, packed, length, chances_n)
            owner_n = np.repeat(np.arange(len(some)), [len(one) + 1 for one in some])
            sums = np.bincount(owner_n, weights=-np.log(chances_n), minlength=len(some))
            found += [float(loss) if one else 0.0 for loss, one in zip(sums, some, strict=True)]
        return found


def _packed(texts: Sequence[bytes]) -> Ints:
    """(n,) each symbol with the `NUM_BEFORE` before it in its text, the newest in the lowest bits."""
    rows = []
    for text in texts:
        symbols = np.concatenate([np.full(NUM_BEFORE, START), np.frombuffer(text, np.uint8), [END]]).astype(np.int64)
        packed = np.zeros(len(text) + 1, np.int64)
        for back in range(NUM_BEFORE + 1):
            end = len(symbols) - back
            packed |= symbols[end - len(packed) : end] << (BITS * back)
        rows.append(packed)
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


def _counted(packed: Ints, length: int) -> _Order:
    grams, gram_counts = np.unique(_cut(packed, length + 1), return_counts=True)
    contexts, first, num_different = np.unique(grams >> BITS, return_index=True, return_counts=True)
    return _Order(
        grams=grams,
        gram_counts=gram_counts,
        contexts=contexts,
        context_counts=np.add.reduceat(gram_counts, first),
        num_different=num_different,
    )


def _interpolated(order: _Order, packed: Ints, length: int, shorter_n: Floats) -> Floats:
    """(count of the gram + different * shorter) / (count of the context + different); shorter where it was never seen."""
    grams = _cut(packed, length + 1)
    seen = _looked_up(order.grams, order.gram_counts, grams)
    all_n = _looked_up(order.contexts, order.context_counts, grams >> BITS)
    different = _looked_up(order.contexts, order.num_different, grams >> BITS)
    return np.where(all_n > 0, (seen + different * shorter_n) / np.maximum(all_n + different, 1), shorter_n)


def _looked_up(keys: Ints, values: Ints, wanted: Ints) -> Ints:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)


def _cut(packed: Ints, num_symbols: int) -> Ints:
    return packed & np.int64((1 << (BITS * num_symbols)) - 1)
