"""Rows of searches as an endpoint is asked them: texts for embeddings, pairs of a query and a document for rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.inputs import Input
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.retrieval import measure, measure_reranked
from modelmint.evaluation.rows import drawn
from modelmint.evaluation.significance import Figure

EMBEDDING, RERANKING = "text-embedding", "text-reranking"
SEARCHES = (EMBEDDING, RERANKING)
_SIDES = ("query", "positive", "negative")
LABELLED = "text-pair-classification"


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRows:
    """What is asked (`inputs`), and what says how good the answers are (`columns`).

    Of embeddings the inputs are the texts of labelled rows, or each text once of queries and what they should find. Of
    rankings they are pairs of a query and a document, list after list; `lists` has the number of each pair's list.
    """

    task: str
    columns: Mapping[str, list[Any]]
    inputs: list[Input]
    ids: list[str]
    truth: list[Any]
    lists: Sequence[int] = field(default=())

    @classmethod
    def read(cls, dataset: Dataset, model: Model, role: str, *, limit: int, seed: int) -> Self:
        """At most `limit` rows, and of rankings as many pairs, in whole lists, chosen by the seed.

        Raises:
            DataError: there are none, or a cell is empty.
        """
        names = tables.column_names(dataset)
        task, is_search = str(model.facts["task"]), "query" in names
        kept = [name for name in _SIDES if name in names] if is_search else ["text", "label"]
        if task == RERANKING and not is_search:
            kept = ["text", "text_pair", "label"]
        missing = [name for name in (*kept, *(_SIDES[:2] if is_search else ())) if name not in names]
        if missing or not dataset.num_rows:
            raise _unfit(role, kept, f"no column {' and no '.join(missing)}" if missing else "no rows")
        table = tables.read(dataset, ["_row", *kept])
        if task == EMBEDDING or is_search:
            table = drawn(table, limit, seed)
        columns = {name: table.column(name).to_pylist() for name in ("_row", *kept)}
        needed = [name for name in kept if name != "negative"]
        num_empty = sum(None in cells for cells in zip(*(columns[name] for name in needed), strict=True))
        if num_empty:
            raise _unfit(role, needed, f"{num_empty} rows without one of them")
        if task == EMBEDDING:
            return cls(**_of_texts(columns))
        found = _lists_of_queries(columns) if is_search else _lists_of_labels(columns, str(model.facts["positive"]))
        return cls(**_of_lists(found, role, limit, seed))

    @property
    def num_rows(self) -> int:
        """Inputs: texts, or pairs."""
        return len(self.inputs)

    def figures(self, answers: Sequence[Mapping[str, Any]], *, seed: int) -> dict[str, Figure]:
        """The task's figures of an answer an input, the main one first."""
        if self.task == RERANKING:
            right = [{**answer, "is_positive": is_right} for answer, is_right in zip(answers, self.truth, strict=True)]
            return measure_reranked(self.columns, right, seed=seed)
        if "label" in self.columns:
            return measure(self.columns, answers, seed=seed)
        vectors = dict(zip(self.inputs, (answer["embedding"] for answer in answers), strict=True))
        names = [name for name in _SIDES if name in self.columns]
        cells = zip(*(self.columns[name] for name in names), strict=True)
        by_row = [{name: vectors.get(text) for name, text in zip(names, row, strict=True)} for row in cells]
        return measure(self.columns, by_row, seed=seed)


def _of_texts(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    if "label" in columns:
        said = {"inputs": columns["text"], "ids": columns["_row"], "truth": columns["label"]}
        return {"task": EMBEDDING, "columns": columns, **said}
    ids: dict[str, str] = {}
    for name in _SIDES:
        for row, text in zip(columns["_row"], columns.get(name, ()), strict=False):
            if text:
                ids.setdefault(text, f"{row}.{name}")
    return {
        "task": EMBEDDING,
        "columns": columns,
        "inputs": list(ids),
        "ids": list(ids.values()),
        "truth": [None] * len(ids),
    }


_List = tuple[str, list[tuple[str, str, bool]]]  # a query; of each document its row, its text and whether it is right


def _of_lists(found: Sequence[_List], role: str, limit: int, seed: int) -> dict[str, Any]:
    """Lists as they are drawn by the seed, until they hold `limit` pairs; the first whatever its length."""
    kept: list[_List] = []
    for at in np.random.default_rng(seed).permutation(len(found)).tolist():
        if kept and sum(len(documents) for _, documents in (*kept, found[at])) > limit:
            break
        kept.append(found[at])
    if not kept:
        raise _unfit(role, ("query", "document"), "no query with a right document and a wrong one")
    pairs = [(number, query, *one) for number, (query, documents) in enumerate(kept) for one in documents]
    texts, documents = [query for _, query, *_ in pairs], [text for *_, text, _ in pairs]
    return {
        "task": RERANKING,
        "columns": {"text": texts, "text_pair": documents},
        "inputs": [{"text": text, "text_pair": other} for text, other in zip(texts, documents, strict=True)],
        "ids": [row for *_, row, _, _ in pairs],
        "truth": [is_right for *_, is_right in pairs],
        "lists": [number for number, *_ in pairs],
    }


def _lists_of_queries(columns: Mapping[str, list[Any]]) -> list[_List]:
    """Each query with its right documents and those that are most alike in their letters, as `evaluate` has them."""
    from modelmint.training.tasks.candidates import Lists
    from modelmint.training.tasks.text_reranking import RerankingOptions

    negatives = columns.get("negative") or [None] * len(columns["query"])
    default = int(RerankingOptions().candidates)
    lists = Lists.of_queries(columns["query"], columns["positive"], negatives, num_candidates=default)
    row = dict(zip(reversed(columns["query"]), reversed(columns["_row"]), strict=True))
    return [
        (lists.texts[query], [(f"{row[lists.texts[query]]}.{place}", lists.texts[document], is_right)
                              for place, (document, is_right) in enumerate(zip(documents, rights, strict=True))])
        for query, documents, rights in lists.judged(None)
    ]  # fmt: skip


def _lists_of_labels(columns: Mapping[str, list[Any]], positive: str) -> list[_List]:
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for row, query, document, label in zip(*(columns[name] for name in ("_row", "text", "text_pair", "label")), strict=True):  # fmt: skip
        found.setdefault(query, []).append((row, document, str(label) == positive))
    rights = {query: [is_right for *_, is_right in documents] for query, documents in found.items()}
    return [(query, found[query]) for query, each in rights.items() if any(each) and not all(each)]


def _unfit(role: str, names: Sequence[str], given: str) -> DataError:
    return DataError(
        f"{role}: must have at least one row, and a {' and a '.join(names)} in each; got {given}",
        parameter=role,
        remedy="Give more rows, or a larger share to this split.",
    )
