"""How long texts are in the tokens of a base, and what training on them will take."""

from typing import Any

import numpy as np

from modelmint.training.spec import FinetuneSpec

_UNKNOWN = ("[UNK]", "<unk>", "<|unk|>")
_NUM_BINS = 20


class Lengths:
    """Counts tokens of texts as they pass; every `stride`-th row is measured. Lengths include the special tokens."""

    def __init__(self, train: FinetuneSpec, *, stride: int) -> None:
        """Raises InputError or UnavailableError when the base cannot be had."""
        from tokenizers import Tokenizer

        from modelmint.training.bases import resolve

        self._tokenizer: Any = Tokenizer.from_file(str(resolve(train.base).folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._unknown = next((i for name in _UNKNOWN if (i := self._tokenizer.token_to_id(name)) is not None), -1)
        self._num_special = int(self._tokenizer.num_special_tokens_to_add(is_pair=False))
        self._limit, self._stride, self._num_seen = int(train.max_tokens), max(stride, 1), 0
        self._lengths: list[int] = []
        self._num_unknown = self._num_mute = 0

    def see(self, texts: list[str]) -> None:
        """Measure the next rows."""
        chosen = texts[-self._num_seen % self._stride :: self._stride]
        self._num_seen += len(texts)
        for encoding in self._tokenizer.encode_batch(chosen):
            unknown = encoding.ids.count(self._unknown)
            self._lengths.append(len(encoding.ids))
            self._num_unknown += unknown
            self._num_mute += len(encoding.ids) - self._num_special <= unknown

    def tokens(self) -> dict[str, Any]:
        """Percentiles and a histogram of lengths; the share of tokens that the base does not know."""
        if not self._lengths:
            return {}
        lengths = np.array(self._lengths)
        counts, edges = np.histogram(lengths, bins=_edges(int(lengths.max())))
        return {
            **{f"p{share}": int(np.percentile(lengths, share, method="nearest")) for share in (50, 90, 95, 99)},
            "max": int(lengths.max()),
            "mean": round(float(lengths.mean()), 2),
            "rows_measured": len(lengths),
            "unknown_share": round(
                self._num_unknown / max(int(lengths.sum()) - len(lengths) * self._num_special, 1), 4
            ),
            "rows_without_token": self._num_mute,
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        }

    def truncated(self) -> dict[str, Any]:
        """Rows longer than the training's limit; `rows` is scaled up where not every row was measured."""
        if not self._lengths:
            return {}
        share = float((np.array(self._lengths) > self._limit).mean())
        return {"rows": round(share * self._num_seen), "share": round(share, 4), "limit": self._limit}

    def estimate(self, train: FinetuneSpec, num_rows: int, num_threads: int) -> dict[str, Any]:
        """Seconds and bytes of memory that training on `num_rows` such rows will take: a short measured probe."""
        from modelmint.training.estimate import estimate

        return dict(estimate(train, num_rows, self._lengths, num_threads))


def _edges(longest: int) -> list[int]:
    width = max(1, -(-(longest + 1) // _NUM_BINS))
    return list(range(0, width * _NUM_BINS + 1, width))
