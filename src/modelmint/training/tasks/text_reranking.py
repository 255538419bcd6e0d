"""How well a document answers a query: a cross-encoder, which reads both together. Imports PyTorch.

Shapes: b pairs of a batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.errors import DataError, InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.metrics.retrieval import METRICS, per_query, ranked
from modelmint.training.batches import TokenIds, logits_of, open_pair_tokenizer, pad_batch, pad_types
from modelmint.training.cross_encoder import CrossEncoder, keep_trained, load_cross_encoder, save_cross_encoder
from modelmint.training.learner import Batch, Score
from modelmint.training.tasks.candidates import Lists, lists_of_labels, lists_of_queries
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.table import read_about
from modelmint.training.weights import row_weights, told

NUM_SCORED_LISTS = 200


class RerankingOptions(Spec):
    """What only `text-reranking` knows."""

    positive: str | None = None
    """Of labelled pairs the label that says the document answers the query; null takes the last in the alphabet (1 after
    0, yes after no, relevant after irrelevant)."""
    negatives: int = Field(default=4, ge=1, le=64)
    """Of rows of queries: how many wrong documents stand beside each right one, drawn anew each epoch."""
    hard_share: float = Field(default=0.5, ge=0, le=1)
    """How many of those are drawn from the documents that are alike in their letters; the others are any."""
    candidates: int = Field(default=20, ge=2, le=1000)
    """How many documents a list has by which it is judged: the right ones and those most alike in their letters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RankRows(TokenRows):
    """`token_ids` are of the texts alone, by which the vocabulary is found; `lists` are what is learned or judged."""

    lists: Lists


class TextReranking(EncoderLearner):
    """One number a pair, by cross entropy of right against wrong (Nogueira and Cho 2019)."""

    Options = RerankingOptions
    head = "head."
    positive: str = ""

    def read_rows(self, dataset: Dataset, role: str) -> RankRows:
        options: RerankingOptions = self.setting.options
        if dataset.facts.get("task") == "text-retrieval":
            lists = lists_of_queries(dataset, role, num_candidates=options.candidates)
        else:
            if role == "train":
                self.positive = _positive(dataset, options.positive)
            lists = lists_of_labels(dataset, role, self.positive)
        weights = row_weights(dataset) if role == "train" else None
        return RankRows(token_ids=self.tokenize(lists.texts), targets=(), weights=weights, lists=lists)

    def new_model(self) -> nn.Module:
        model = load_cross_encoder(
            self.folder, dropout=self.knobs.encoder_dropout, on_cpu=not torch.cuda.is_available()
        )
        self._typed = int(getattr(model.encoder.config, "type_vocab_size", 0) or 0) > 1
        self._pair = open_pair_tokenizer(self.folder, self.knobs.max_tokens, typed=self._typed)
        return model

    def prepare(self, model: nn.Module) -> None:
        super().prepare(model)
        keep_trained(model)

    def lengths(self, examples: Any) -> Sequence[int]:
        sizes = [len(row) for row in examples.token_ids]
        return [min(sizes[query] + sizes[document], self.knobs.max_tokens) for query, document in examples.lists.pairs]

    def batches(self, epoch: int) -> list[list[int]]:
        num = len(self.train.lists.pairs)  # type: ignore[attr-defined]
        return [[epoch * num + row for row in batch] for batch in super().batches(epoch)]

    def batch(self, examples: Any, rows: Sequence[int], device: torch.device) -> Batch:
        lists, options = examples.lists, self.setting.options
        num = len(lists.pairs)
        pairs: list[tuple[int, int]] = []
        targets, weights = [], []
        for row in rows:
            found = lists.drawn(row % num, [self.setting.seed, row // num], options.negatives, options.hard_share)
            pairs += [pair for pair, _ in found]
            targets += [float(right) for _, right in found]
            weights += [examples.weights[row % num] if examples.weights else 1.0] * len(found)
        return {
            "inputs": self._read(lists, pairs, device),
            "targets": torch.tensor(targets).to(device),
            "weights": torch.tensor(weights).to(device),
        }

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        logits_b = model(**batch["inputs"]).float()[:, 0]
        losses_b = functional.binary_cross_entropy_with_logits(logits_b, batch["targets"], reduction="none")
        return (losses_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        lists = self.validation.lists  # type: ignore[attr-defined]
        judged = lists.judged(NUM_SCORED_LISTS)
        pairs = [(query, document) for query, documents, _ in judged for document in documents]
        ids, types = self._tokens(lists, pairs)
        scores = logits_of(model, ids, self.vocabulary.pad_id, type_ids=types)[:, 0].tolist() if pairs else []
        ends = np.cumsum([len(documents) for _, documents, _ in judged]).tolist()
        parts = [scores[end - len(one[1]) : end] for end, one in zip(ends, judged, strict=True)]
        ndcg = per_query(ranked(zip(parts, (right for _, _, right in judged), strict=True)))
        ndcg = ndcg[:, METRICS.index("ndcg_at_10")]
        return Score(
            metric="ndcg_at_10",
            value=float(ndcg.mean()) if len(ndcg) else 0.0,
            num_rows=len(ndcg),
            margin=float(ndcg.std() / np.sqrt(len(ndcg))) if len(ndcg) else 0.0,
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_cross_encoder(model, self.folder, folder)

    def facts(self) -> JSON:
        return super().facts() | {"engine": "torch", "typed": self._typed, "positive": self.positive}

    def told(self) -> JSON:
        judged = self.validation.lists.judged(NUM_SCORED_LISTS)  # type: ignore[attr-defined]
        return {"num_validation_lists": len(judged), **told(self.train.weights)}

    def _tokens(self, lists: Lists, pairs: Sequence[tuple[int, int]]) -> tuple[TokenIds, TokenIds | None]:
        ids, types = self._pair([lists.texts[query] for query, _ in pairs], [lists.texts[at] for _, at in pairs])
        return self.vocabulary.encode(ids), types

    def _read(self, lists: Lists, pairs: Sequence[tuple[int, int]], device: torch.device) -> dict[str, Tensor]:
        ids, types = self._tokens(lists, pairs)
        inputs = pad_batch(ids, self.vocabulary.pad_id, device)
        return inputs if types is None else inputs | {"token_type_ids": pad_types(types, device)}


class Reranker:
    """A trained reranker. One thread at a time may call it."""

    def __init__(self, folder: Path, max_tokens: int, *, typed: bool, positive: str) -> None:
        self.positive = positive
        self._model = load_cross_encoder(folder)
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._pair = open_pair_tokenizer(folder, max_tokens, typed=typed)

    def scores(
        self, queries: Sequence[str], documents: Sequence[str], say: Callable[[int, int, str], None] | None = None
    ) -> list[float]:
        """(b,) from 0 to 1, a pair each."""
        if not queries:
            return []
        ids, types = self._pair(queries, documents)
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        logits_b1 = logits_of(self._model, ids, pad_id, say=say, type_ids=types)
        found: list[float] = torch.sigmoid(logits_b1[:, 0]).tolist()
        return found

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """Of columns ``query`` and ``documents`` (a list each): ``{"results": [{"index", "text", "score"}]}`` a row, the
        best first. Of ``query`` and ``positive``: the same, over the documents of all rows that are most alike. Of
        ``text`` and ``text_pair``: ``{"score"}``, with ``is_positive`` of the row's label where there is one.
        """
        if "text_pair" in rows:
            scores = self.scores(rows["text"], rows["text_pair"], say)
            if "label" not in rows:
                return [{"score": score} for score in scores]
            return [
                {"score": score, "is_positive": label == self.positive}
                for score, label in zip(scores, rows["label"], strict=True)
            ]
        if "query" not in rows:
            raise InputError(
                f"rows: must have columns `query` and `documents`; got {', '.join(rows) or 'none'}", parameter="rows"
            )
        lists = rows["documents"] if "documents" in rows else _candidates(rows)
        pairs = [(query, text) for query, documents in zip(rows["query"], lists, strict=True) for text in documents]
        scores = self.scores([query for query, _ in pairs], [text for _, text in pairs], say)
        ends = np.cumsum([len(documents) for documents in lists]).tolist()
        return [
            _results(documents, scores[end - len(documents) : end]) for documents, end in zip(lists, ends, strict=True)
        ]


def load_reranker(folder: Path) -> Reranker:
    """The reranker in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained reranker.
    """
    about = read_about(folder)
    if about["task"] != "text-reranking":
        raise InputError(f"model: must be a reranker; got one for {about['task']}", parameter="model")
    return Reranker(folder, int(about["max_tokens"]), typed=about["typed"], positive=about["positive"])


def _results(documents: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    order = sorted(range(len(documents)), key=lambda at: -scores[at])
    return {"results": [{"index": at, "text": documents[at], "score": scores[at]} for at in order]}


def _candidates(rows: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    default = int(RerankingOptions().candidates)
    columns = [rows["query"], rows["positive"], rows.get("negative") or [None] * len(rows["query"])]
    lists = Lists.of_queries(*columns, num_candidates=default)
    of_query = {lists.texts[query]: [lists.texts[at] for at in documents] for query, documents, _ in lists.judged(None)}
    return [of_query[query] for query in rows["query"]]


def _positive(dataset: Dataset, wanted: str | None) -> str:
    names = sorted({str(label) for label in tables.column(dataset, "label") if label is not None})
    if len(names) != 2 or (wanted is not None and wanted not in names):
        parameter = "train" if len(names) != 2 else "options.positive"
        raise DataError(
            f"{parameter}: must have two labels, right and wrong{f', one of them {wanted!r}' if wanted else ''}; got "
            f"{', '.join(map(repr, names[:10])) or 'none'}",
            parameter=parameter,
            remedy="For more labels train text-pair-classification.",
        )
    return wanted or names[1]


__all__ = ["CrossEncoder", "Reranker", "RerankingOptions", "TextReranking", "load_reranker"]
