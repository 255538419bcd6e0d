"""Pairs of texts that belong together, read from labelled rows or from rows of queries and what they should find.

Shapes: b queries, c candidates, n pairs, d width of a vector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset
from modelmint.evaluation.metrics.retrieval import top
from modelmint.training.batches import TokenIds
from modelmint.training.tasks.encoder_learner import TokenRows
from modelmint.training.weights import row_weights

NEAR_SHARE = 0.95
"""A text as near to the query as this share of its positive's cosine is likely right too (NV-Retriever, Moreira 2024)."""
CHUNK_ROWS = 512
Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs(TokenRows):
    """`token_ids` are of texts, each with a number; `targets` are not used.

    `texts` are equal for equal texts; `labels`, one a text, are those of labelled rows, of which the pairs have the text
    itself as positive until one is `drawn`; of other rows `positives` are those of each query, and `negatives` have a
    text a pair, or -1.
    """

    texts: Sequence[int]
    pairs: Sequence[Pair]
    positives: Mapping[int, Sequence[int]] = field(default_factory=dict)
    negatives: Sequence[int] = ()
    labels: npt.NDArray[np.int64] | None = None
    num_alone: int = 0

    def drawn(self, seed: int, epoch: int) -> Sequence[Pair]:
        """The pairs of an epoch: of labelled rows each text is once a query and once a positive."""
        if self.labels is None:
            return self.pairs
        return _partners(tuple(self.labels.tolist()), seed, epoch)

    def right(self, queries: Sequence[int], candidates: Sequence[int]) -> npt.NDArray[np.bool_]:
        """(b, c) whether a candidate is right for a query: by its label or as a pair, or it is the query itself."""
        asked, found = ([self.texts[text] for text in texts] for texts in (queries, candidates))
        same: npt.NDArray[np.bool_] = np.array(asked)[:, None] == np.array(found)[None, :]
        if self.labels is not None:
            return np.asarray(same | (self.labels[list(queries)][:, None] == self.labels[list(candidates)][None, :]))
        columns: dict[int, list[int]] = {}
        for column, text in enumerate(candidates):
            columns.setdefault(text, []).append(column)
        for row, query in enumerate(queries):
            for text in self.positives.get(query, ()):
                same[row, columns.get(text, [])] = True
        return same


def read_pairs(dataset: Dataset, role: str, tokenize: Callable[[Sequence[str]], TokenIds]) -> Pairs:
    """Of `text-classification` or `text-retrieval`.

    Raises:
        DataError: a cell is empty, or nothing can be learned.
    """
    if dataset.facts.get("task", "text-classification") == "text-retrieval":
        return _of_queries(dataset, role, tokenize)
    return _of_labels(dataset, role, tokenize)


def mined(vectors: Any, examples: Pairs, num: int) -> list[list[int]]:
    """Of each pair the `num` texts that are nearest to the query and are not right."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    corpus = np.arange(len(unit)) if examples.labels is not None else np.unique([text for _, text in examples.pairs])
    found: list[list[int]] = []
    for start in range(0, len(examples.pairs), CHUNK_ROWS):
        some = examples.pairs[start : start + CHUNK_ROWS]
        queries = [query for query, _ in some]
        scores = unit[queries] @ unit[corpus].T
        scores[examples.right(queries, corpus.tolist())] = -np.inf
        if examples.labels is None:
            own = (unit[queries] * unit[[positive for _, positive in some]]).sum(axis=1)
            scores[scores > NEAR_SHARE * own[:, None]] = -np.inf
        best = top(scores, num)
        found += [[int(corpus[at]) for at in places if np.isfinite(scores[row, at])] for row, places in enumerate(best)]
    return found


def _of_labels(dataset: Dataset, role: str, tokenize: Callable[[Sequence[str]], TokenIds]) -> Pairs:
    texts, names = _columns(dataset, role, ("text", "label"))
    labels = np.unique(np.array(names, object), return_inverse=True)[1].astype(np.int64)
    paired = np.bincount(labels, minlength=1)[labels] > 1
    if role == "train" and (not paired.any() or labels.max(initial=0) < 1):
        raise DataError(
            f"{role}: must hold two texts of one label, and another label; got {len(texts)} texts of "
            f"{len(set(names))} labels",
            parameter=role,
            remedy="Give more rows of each label, or rows of the form text-retrieval.",
        )
    kept = np.arange(len(texts)) if role != "train" else np.flatnonzero(paired)
    weights = row_weights(dataset) if role == "train" else None
    chosen = [texts[at] for at in kept]
    return Pairs(
        token_ids=tokenize(chosen),
        targets=(),
        weights=[weights[at] for at in kept] if weights else None,
        texts=_numbers(chosen),
        pairs=[(at, at) for at in range(len(kept))],
        labels=labels[kept],
        num_alone=len(texts) - len(kept),
    )


def _of_queries(dataset: Dataset, role: str, tokenize: Callable[[Sequence[str]], TokenIds]) -> Pairs:
    queries, positives = _columns(dataset, role, ("query", "positive"))
    negatives: list[str | None] = [None] * len(queries)
    if "negative" in dataset.facts["columns"]:
        negatives = tables.column(dataset, "negative")
    place: dict[str, int] = {}
    for text in (text for row in zip(queries, positives, negatives, strict=True) for text in row if text):
        place.setdefault(text, len(place))
    if role == "train" and len(set(positives)) < 2:
        raise DataError(
            f"{role}: must hold at least two different positives; got {len(set(positives))} in {len(queries)} rows",
            parameter=role,
            remedy="Each query needs something that is wrong for it.",
        )
    pairs = [(place[query], place[positive]) for query, positive in zip(queries, positives, strict=True)]
    of_query: dict[int, list[int]] = {}
    for query, positive in pairs:
        of_query.setdefault(query, []).append(positive)
    return Pairs(
        token_ids=tokenize(list(place)),
        targets=(),
        weights=row_weights(dataset) if role == "train" else None,
        texts=range(len(place)),
        pairs=pairs,
        positives=of_query,
        negatives=[place[text] if text else -1 for text in negatives],
    )


def _columns(dataset: Dataset, role: str, names: Sequence[str]) -> list[list[str]]:
    table = tables.read(dataset, list(names))
    columns: list[list[str]] = [table.column(name).to_pylist() for name in names]
    if num_missing := sum(not all(cell and cell.strip() for cell in row) for row in zip(*columns, strict=True)):
        raise DataError(
            f"{role}: must have {' and '.join(names)} in each row; {num_missing:,} of {len(columns[0]):,} rows lack one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return columns


def _numbers(texts: Sequence[str]) -> list[int]:
    place: dict[str, int] = {}
    return [place.setdefault(text, len(place)) for text in texts]


@lru_cache(maxsize=2)
def _partners(labels: tuple[int, ...], seed: int, epoch: int) -> Sequence[Pair]:
    """Each text with the next one of its label, in an order that (seed, epoch) alone decide."""
    order = np.random.default_rng([seed, epoch]).permutation(len(labels))
    order = order[np.argsort(np.array(labels)[order], kind="stable")]
    starts = np.flatnonzero(np.diff(np.array(labels)[order], prepend=-1))
    following = np.roll(order, -1)
    ends = np.append(starts[1:], len(order)) - 1
    following[ends] = order[starts]
    partner = np.empty(len(order), np.int64)
    partner[order] = following
    return list(enumerate(partner.tolist()))
