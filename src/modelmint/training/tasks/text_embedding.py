"""Texts as vectors in which what belongs together is near: an encoder, the mean of its states, length 1. Imports PyTorch.

The folder is in the Sentence Transformers layout: `SentenceTransformer(folder).encode(texts)` gives the same vectors.

Shapes: b pairs of a batch, d width of a vector, c candidates (the batch's positives, then its negatives), n rows.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from modelmint.core.errors import InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.metrics.retrieval import METRICS, Found, among_themselves, of_pairs, per_query
from modelmint.training.batches import bucketed_batches, logits_of, open_tokenizer, pad_batch
from modelmint.training.encoders import MeanEncoder, load_encoder, save_encoder
from modelmint.training.learner import BUCKET_BATCHES, Batch, Score
from modelmint.training.tasks.encoder_learner import EncoderLearner
from modelmint.training.tasks.pairs import Pairs, mined, read_pairs
from modelmint.training.tasks.sentence_folder import write_layout
from modelmint.training.tasks.table import read_about
from modelmint.training.weights import told

_COLUMNS = ("query", "positive", "negative")


class EmbeddingOptions(Spec):
    """What only `text-embedding` knows."""

    scale: float = Field(default=20.0, gt=0, le=1000)
    """The cosine is multiplied by it before the softmax: 1 / temperature."""
    symmetric: bool = False
    """Let each positive search its query too, not only the query its positive."""
    hard_negatives: int = Field(default=0, ge=0, le=32)
    """How many texts that the base takes for near, and are wrong, stand against each row; they are found once, before the
    training. Of the retrieval rows' own `negative` there is one more."""
    dimensions: tuple[int, ...] = ()
    """Train the first so many numbers of a vector to be a vector of their own, like [64, 128] (Matryoshka, Kusupati et
    al. 2022): it can then be cut to them."""


class TextEmbedding(EncoderLearner):
    """Each query picks its positive out of those of the whole batch (van den Oord et al. 2018, InfoNCE).

    Of labelled rows every text is a query once an epoch, and another text of its label, drawn anew, its positive.
    Candidates that are right too (the same label, an equal text, another positive of the query) count as neither.
    """

    Options = EmbeddingOptions
    whole_batches = True
    train: Pairs
    validation: Pairs

    def read_rows(self, dataset: Dataset, role: str) -> Pairs:
        return read_pairs(dataset, role, self.tokenize)

    def new_model(self) -> MeanEncoder:
        encoder = self.encoder()
        width = int(encoder.config.hidden_size)
        if wrong := [size for size in self.setting.options.dimensions if not 1 <= size <= width]:
            raise InputError(
                f"options.dimensions: must be from 1 to {width}, the width of the base; got {wrong[0]}",
                parameter="options.dimensions",
                remedy="Name smaller numbers, or leave it out.",
            )
        return MeanEncoder(encoder)

    def build(self) -> nn.Module:
        model = super().build()
        num_hard, train = self.setting.options.hard_negatives, self.train
        self._mined = mined(self._vectors(model, train), train, num_hard) if num_hard else None
        self._before = self.score(model) if self.num_rows()[1] else None
        return model

    def lengths(self, examples: Any) -> Sequence[int]:
        sizes = [len(row) for row in examples.token_ids]
        return [max(sizes[query], sizes[positive]) for query, positive in examples.pairs]

    def batches(self, epoch: int) -> list[list[int]]:
        """Numbers of pairs, and of the epoch, which decides what positive stands beside a labelled text."""
        lengths = self.lengths(self.train)
        made = bucketed_batches(lengths, self.knobs.batch_size, BUCKET_BATCHES, self.setting.seed, epoch)
        return [[epoch * len(lengths) + pair for pair in batch] for batch in made]

    def batch(self, examples: Any, rows: Sequence[int], device: torch.device) -> Batch:
        epoch, places = rows[0] // len(examples.pairs), [row % len(examples.pairs) for row in rows]
        drawn = examples.drawn(self.setting.seed, epoch)
        queries, positives = ([drawn[place][side] for place in places] for side in (0, 1))
        candidates = positives + [text for place in places for text in self._negatives(examples, place)]
        weights = [examples.weights[place] for place in places] if examples.weights else [1.0] * len(rows)
        return {
            "queries": [examples.token_ids[text] for text in queries],
            "candidates": [examples.token_ids[text] for text in candidates],
            "also_right": torch.from_numpy(examples.right(queries, candidates)).to(device),
            "weights": torch.tensor(weights).to(device),
        }

    def num_tokens(self, batch: Batch) -> tuple[int, int]:
        size, sides = batch["rows_at_once"], [[len(row) for row in batch[name]] for name in ("queries", "candidates")]
        parts = [lengths[at : at + size] for lengths in sides for at in range(0, len(lengths), size)]
        return sum(map(sum, parts)), sum(max(part) * len(part) for part in parts)

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Multiple negatives ranking; the mean over `dimensions` where there are some."""
        options: EmbeddingOptions = self.setting.options
        queries_bd = self._encoded(model, batch["queries"], batch)
        candidates_cd = self._encoded(model, batch["candidates"], batch)
        sizes = {*options.dimensions, queries_bd.shape[1]}
        losses = [
            ranking_loss(
                queries_bd[:, :size],
                candidates_cd[:, :size],
                batch["also_right"],
                scale=options.scale,
                symmetric=options.symmetric,
            )
            for size in sorted(sizes)
        ]
        return (torch.stack(losses).mean(dim=0) * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        numbers = per_query(_searched(self._vectors(model, self.validation), self.validation))
        recall = numbers[:, METRICS.index("recall_at_10")]
        return Score(
            metric="recall_at_10",
            value=float(recall.mean()) if len(recall) else 0.0,
            num_rows=len(recall),
            margin=float(recall.std() / np.sqrt(max(len(recall), 1))) if len(recall) else 0.0,
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        width = int(model.encoder.config.hidden_size)
        save_encoder(model.encoder, self.folder, folder)
        write_layout(folder, width=width, max_tokens=self.knobs.max_tokens)

    def facts(self) -> JSON:
        return super().facts() | {"engine": "torch", "dimensions": list(self.setting.options.dimensions)}

    def told(self) -> JSON:
        before = self._before
        return {
            "validation_before_training": {before.metric: round(before.value, 6)} if before else {},
            "num_texts_alone_with_their_label": self.train.num_alone,
            **told(self.train.weights),
        }

    def _negatives(self, examples: Pairs, place: int) -> list[int]:
        own = [examples.negatives[place]] if examples.negatives and examples.negatives[place] >= 0 else []
        return own + (self._mined[place] if self._mined is not None else [])

    def _vectors(self, model: nn.Module, examples: Pairs) -> Any:
        return logits_of(model, examples.token_ids, self.vocabulary.pad_id).numpy()

    def _encoded(self, model: nn.Module, rows: Sequence[Sequence[int]], batch: Batch) -> Tensor:
        """(rows, d). In parts, each is computed again on the way back, so that one part's states are kept at a time: the
        gradient is that of the whole batch (as GradCache has it, Gao et al. 2021).
        """
        size, device = batch["rows_at_once"], batch["also_right"].device
        parts = [pad_batch(rows[at : at + size], self.vocabulary.pad_id, device) for at in range(0, len(rows), size)]
        whole = size >= len(batch["queries"])
        found = [model(**part) if whole else checkpoint(model, use_reentrant=False, **part) for part in parts]
        return torch.cat(found).float()


def ranking_loss(
    queries_bd: Tensor, candidates_cd: Tensor, also_right_bc: Tensor, *, scale: float, symmetric: bool
) -> Tensor:
    """(b,) cross entropy of picking the right candidate by the cosine; that of query k is candidate k.

    Args:
        also_right_bc: candidates that are right too, and are left out; each query's own is not looked at.
    """
    num_queries = len(queries_bd)
    scores_bc = scale * functional.normalize(queries_bd, dim=1) @ functional.normalize(candidates_cd, dim=1).T
    own_b = torch.arange(num_queries, device=scores_bc.device)
    out_bc = also_right_bc.clone()
    out_bc[own_b, own_b] = False
    scores_bc = scores_bc.masked_fill(out_bc, torch.finfo(scores_bc.dtype).min)
    losses_b = functional.cross_entropy(scores_bc, own_b, reduction="none")
    if not symmetric:
        return losses_b
    back_b = functional.cross_entropy(scores_bc[:, :num_queries].T, own_b, reduction="none")
    return (losses_b + back_b) / 2


class Embedder:
    """A trained embedding. One thread at a time may call it."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self._model = MeanEncoder(load_encoder(folder))
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenize = open_tokenizer(folder, max_tokens)

    def encode(self, texts: Sequence[str], say: Callable[[int, int, str], None] | None = None) -> Tensor:
        """(n, d) of length 1, on the CPU."""
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        return functional.normalize(logits_of(self._model, self._tokenize(texts), pad_id, say=say), dim=1)

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"embedding": [...]}`` a row from the column ``text``; else a vector under the name of each of the columns
        ``query``, ``positive`` and ``negative``, null where the cell is empty.
        """
        if "text" in rows:
            return [{"embedding": vector} for vector in self.encode(rows["text"], say).tolist()]
        names = [name for name in _COLUMNS if name in rows]
        if not names:
            raise InputError(
                f"rows: must have a column `text` or `query`; got {', '.join(rows) or 'none'}", parameter="rows"
            )
        place = {text: 0 for name in names for text in rows[name] if text}
        place = {text: at for at, text in enumerate(place)}
        vectors = self.encode(list(place), say).tolist()
        cells = zip(*(rows[name] for name in names), strict=True)
        return [
            {name: vectors[place[text]] if text else None for name, text in zip(names, texts, strict=True)}
            for texts in cells
        ]


def load_embedder(folder: Path) -> Embedder:
    """The embedding in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained embedding.
    """
    about = read_about(folder)
    if about["task"] != "text-embedding":
        raise InputError(f"model: must be an embedding; got one for {about['task']}", parameter="model")
    return Embedder(folder, int(about["max_tokens"]))


def _searched(vectors: Any, rows: Pairs) -> Found:
    if rows.labels is not None:
        return among_themselves(vectors, [str(label) for label in rows.labels])
    columns = {"query": [], "positive": [], "negative": []}  # type: dict[str, list[int]]
    for at, (query, positive) in enumerate(rows.pairs):
        for name, text in zip(_COLUMNS, (query, positive, rows.negatives[at] if rows.negatives else -1), strict=True):
            columns[name].append(text)
    truth = {name: [str(text) if text >= 0 else "" for text in texts] for name, texts in columns.items()}
    return of_pairs(truth, {name: vectors[np.maximum(texts, 0)] for name, texts in columns.items()})
