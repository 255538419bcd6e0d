"""Queries with the documents that may answer them: what a reranker learns from, and what it is judged by.

Shapes: q queries, c documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset
from modelmint.evaluation.metrics.retrieval import top

NUM_ALIKE = 30
"""Of so many documents that are most alike a hard one is drawn."""
MAX_FEATURES = 200_000
CHUNK_ROWS = 256
Pair = tuple[int, int]
Judged = tuple[int, list[int], list[bool]]


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Texts by number; `pairs` of a query and a document, `is_right` one a pair where they were labelled.

    Without labels every pair is right, and wrong documents are drawn: `negatives` are those that rows brought, -1 none.
    """

    texts: Sequence[str]
    pairs: Sequence[Pair]
    is_right: Sequence[bool] | None = None
    negatives: Sequence[int] = ()
    num_candidates: int = 20

    @classmethod
    def of_queries(
        cls, queries: Sequence[str], positives: Sequence[str], negatives: Sequence[str | None], *, num_candidates: int
    ) -> Self:
        """Of rows of `text-retrieval`."""
        place: dict[str, int] = {}
        for text in (text for row in zip(queries, positives, negatives, strict=True) for text in row if text):
            place.setdefault(text, len(place))
        return cls(
            texts=list(place),
            pairs=[(place[query], place[positive]) for query, positive in zip(queries, positives, strict=True)],
            negatives=[place[text] if text else -1 for text in negatives],
            num_candidates=num_candidates,
        )

    def drawn(self, row: int, seeds: Sequence[int], num: int, hard_share: float) -> list[tuple[Pair, bool]]:
        """What is learned of a row in an epoch: its pair; of an unlabelled one `num` wrong documents beside it.

        Args:
            seeds: those of the run and the epoch.
        """
        if self.is_right is not None:
            return [(self.pairs[row], self.is_right[row])]
        query, positive = self.pairs[row]
        dice = np.random.default_rng([*seeds, row])
        right, corpus, alike = self.right[query], self.corpus, self.alike[query]
        wrong = [self.negatives[row]] if self.negatives and self.negatives[row] >= 0 else []
        for number in range(len(wrong), num):
            from_these = alike if alike and number < round(num * hard_share) else corpus
            text = int(from_these[dice.integers(len(from_these))])
            wrong += [text] if text not in right and text != query else []
        return [((query, positive), True), *(((query, text), False) for text in wrong)]

    def judged(self, most: int | None) -> list[Judged]:
        """Lists with a right document and a wrong one: the query, the documents, and whether each is right."""
        found: list[Judged] = []
        if self.is_right is not None:
            of_query: dict[int, Judged] = {}
            for (query, document), is_right in zip(self.pairs, self.is_right, strict=True):
                _, documents, rights = of_query.setdefault(query, (query, [], []))
                documents.append(document)
                rights.append(is_right)
            found = [one for one in of_query.values() if any(one[2]) and not all(one[2])]
        else:
            for query, right in self.right.items():
                some = sorted(right)
                documents = [*some, *self.alike[query][: max(1, self.num_candidates - len(some))]]
                found.append((query, documents, [True] * len(some) + [False] * (len(documents) - len(some))))
        if most is None or len(found) <= most:
            return found
        return [found[at * len(found) // most] for at in range(most)]

    @cached_property
    def right(self) -> dict[int, set[int]]:
        """Of each query the documents that answer it."""
        found: dict[int, set[int]] = {}
        for query, document in self.pairs:
            found.setdefault(query, set()).add(document)
        return found

    @cached_property
    def corpus(self) -> list[int]:
        """Every document."""
        return sorted({document for _, document in self.pairs} | {text for text in self.negatives if text >= 0})

    @cached_property
    def alike(self) -> dict[int, list[int]]:
        """Of each query the wrong documents that have most letters in common with it, by TF-IDF of two to four of them:
        words as well as Chinese are made of such.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        queries, corpus = list(self.right), self.corpus
        weigh = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32
        )
        corpus_cf: Any = weigh.fit_transform([self.texts[text] for text in corpus])
        num = max(NUM_ALIKE, self.num_candidates)
        column = {text: at for at, text in enumerate(corpus)}
        found: dict[int, list[int]] = {}
        for start in range(0, len(queries), CHUNK_ROWS):
            some = queries[start : start + CHUNK_ROWS]
            scores_qc = (weigh.transform([self.texts[query] for query in some]) @ corpus_cf.T).toarray()
            for row, query in enumerate(some):
                hidden = [column[text] for text in {*self.right[query], query} if text in column]
                scores_qc[row, hidden] = -np.inf
            for row, (query, best) in enumerate(zip(some, top(scores_qc, num), strict=True)):
                found[query] = [corpus[at] for at in best if np.isfinite(scores_qc[row, at])]
        return found


def lists_of_queries(dataset: Dataset, role: str, *, num_candidates: int) -> Lists:
    """Of a dataset of `text-retrieval`.

    Raises:
        DataError: a cell is empty, or there is nothing wrong for any query.
    """
    queries, positives = _columns(dataset, role, ("query", "positive"))
    negatives: list[str | None] = [None] * len(queries)
    if "negative" in dataset.facts["columns"]:
        negatives = tables.column(dataset, "negative")
    if role == "train" and len({*positives, *(text for text in negatives if text)}) < 2:
        raise DataError(
            f"{role}: must hold at least two different documents; got one in {len(queries)} rows",
            parameter=role,
            remedy="Each query needs something that is wrong for it.",
        )
    return Lists.of_queries(queries, positives, negatives, num_candidates=num_candidates)


def lists_of_labels(dataset: Dataset, role: str, positive: str) -> Lists:
    """Of a dataset of `text-pair-classification`: right are the pairs with the label `positive`.

    Raises:
        DataError: a cell is empty.
    """
    queries, documents, labels = _columns(dataset, role, ("text", "text_pair", "label"))
    place: dict[str, int] = {}
    for text in (*queries, *documents):
        place.setdefault(text, len(place))
    return Lists(
        texts=list(place),
        pairs=[(place[query], place[document]) for query, document in zip(queries, documents, strict=True)],
        is_right=[label == positive for label in labels],
    )


def _columns(dataset: Dataset, role: str, names: Sequence[str]) -> list[list[str]]:
    table = tables.read(dataset, list(names))
    columns: list[list[str]] = [table.column(name).to_pylist() for name in names]
    if num_missing := sum(not all(cell and cell.strip() for cell in row) for row in zip(*columns, strict=True)):
        raise DataError(
            f"{role}: must have {', '.join(names)} in each row; {num_missing:,} of {len(columns[0]):,} rows lack one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return columns
