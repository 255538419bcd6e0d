"""A tag a word: names, places, parts of speech. An encoder and one linear layer on each state. Imports PyTorch.

The first token of a word carries its tag, the others are left out of the loss. A row longer than the base reads is cut
into windows that overlap; each word is judged in one of them. Tags of entities are BIO: a sequence that BIO does not
allow is never answered (the best allowed one is, by Viterbi's search). The folder is that of
`AutoModelForTokenClassification`.

Shapes: b windows of a batch, t tokens of its longest one, w words, l tags.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.tags import Floats, decode, entities, has_entities, repaired
from modelmint.core.types import JSON, Dataset
from modelmint.core.windows import Window, WordWindows
from modelmint.evaluation.metrics.entities import counts, f1_of
from modelmint.training.headed import (
    HEAD,
    Headed,
    head_weights,
    inherit_labels,
    learn_capitals,
    new_headed,
    save_headed,
)
from modelmint.training.learner import Batch, Score, Setting
from modelmint.training.optimization import class_weights
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.tagger import KIND, inputs_of, log_scores
from modelmint.training.weights import row_weights, told

LEFT_OUT = -100


class Options(Spec):
    """What only the training of tags knows."""

    overlap: int = Field(default=32, ge=0, le=4096)
    """Tokens that two windows of a long row share, so that words at an edge are read with what stands around them."""
    capitals: bool = True
    """Tell a base that reads capitals as small letters which words have them, as types of tokens. Such a model must be
    told them wherever it answers, which our own serving does; other readers of the folder give type 0 to all."""


class TokenClassification(EncoderLearner):
    """Tags are those of the training rows, sorted, `O` first; rows without a word are left out and counted."""

    Options = Options
    head = HEAD
    tags: Sequence[str] = ()

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._told: JSON = {}
        self._validation_tags: list[list[str]] = []

    def open(self, folder: Path) -> None:
        super().open(folder)
        self._windows = WordWindows(folder, self.knobs.max_tokens, self.setting.options.overlap)

    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        words, tags = _rows(dataset, role)
        is_train = role == "train"
        if is_train:
            self._are_entities = has_entities(tags)
        num_broken = 0
        if self._are_entities:
            mended = [repaired(row) for row in tags]
            tags, num_broken = [row for row, _ in mended], sum(number for _, number in mended)
        if is_train:
            self.tags = _tag_names(tags)
        else:
            self._validation_tags = tags
        windows = self._windows.of(words)
        self._tell(role, words, tags, windows, num_broken)
        number = {tag: at for at, tag in enumerate(self.tags)}
        weights = row_weights(dataset) if is_train else None
        return TokenRows(
            token_ids=[window.token_ids for window in windows],
            targets=[
                (window, [number.get(tags[window.row][word], LEFT_OUT) for word in window.words]) for window in windows
            ],
            weights=[weights[window.row] for window in windows] if weights else None,
        )

    def new_model(self) -> Headed:
        encoder = self.encoder()
        known = dict(encoder.config.id2label)
        encoder.config.id2label = dict(enumerate(self.tags))
        encoder.config.label2id = {tag: at for at, tag in enumerate(self.tags)}
        self._capitals = self._wants_capitals() and learn_capitals(encoder)
        model = new_headed(encoder, KIND, dropout=self.knobs.head_dropout)
        inherit_labels(model, head_weights(self.folder, model.head), known, self.tags)
        self._class_weights: Tensor | None = None
        if self.knobs.class_weights == "balanced":
            flat = [tag_id for _, tag_ids in self.train.targets for tag_id in tag_ids]
            self._class_weights = class_weights(flat, len(self.tags))
        return model

    def batch(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        ids, windows = [examples.token_ids[row] for row in rows], [examples.targets[row][0] for row in rows]
        inputs = inputs_of(ids, windows, self.vocabulary.pad_id, device, has_capitals=self._capitals)
        targets_bt = torch.full(inputs["input_ids"].shape, LEFT_OUT)
        weights_bt = torch.zeros(targets_bt.shape)
        for at, row in enumerate(rows):
            window, tag_ids = examples.targets[row]
            targets_bt[at, window.places] = torch.tensor(tag_ids)
            weights_bt[at, window.places] = 1.0 if examples.weights is None else examples.weights[row]
        if self._class_weights is not None:
            weights_bt = weights_bt * self._class_weights[targets_bt.clamp(min=0)]
        return {"inputs": inputs, "targets": targets_bt.to(device), "weights": weights_bt.to(device)}

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy of the first token of each word, weighted by the rows' weights and by those of the tags."""
        logits_btl = model(**batch["inputs"]).float()
        loss_n = functional.cross_entropy(
            logits_btl.flatten(0, 1),
            batch["targets"].flatten(),
            label_smoothing=self.knobs.label_smoothing,
            ignore_index=LEFT_OUT,
            reduction="none",
        )
        return (loss_n * batch["weights"].flatten()).sum()

    def score(self, model: nn.Module) -> Score:
        """F1 of whole entities, or the share of right tags where they are no entities."""
        windows = [window for window, _ in self.validation.targets]
        rows = [len(tags) for tags in self._validation_tags]
        scores = log_scores(
            model,
            self.validation.token_ids,
            windows,
            rows,
            num_tags=len(self.tags),
            pad_id=self.vocabulary.pad_id,
            has_capitals=self._capitals,
        )
        found = [decode(row_wl, self.tags, are_entities=self._are_entities)[0] for row_wl in scores]
        loss = self._validation_loss(scores)
        num_words = sum(rows)
        if self._are_entities:
            true, told_ = ([set(entities(tags)) for tags in both] for both in (self._validation_tags, found))
            sums_3 = counts(true, told_).sum(axis=0)
            name, value, number = "f1", f1_of(sums_3), max(float(sums_3[2]), 1)
        else:
            pairs = zip(self._validation_tags, found, strict=True)
            num_right = sum(one == other for true_, told_ in pairs for one, other in zip(true_, told_, strict=True))
            name, value, number = "accuracy", num_right / max(num_words, 1), num_words
        margin = math.sqrt(value * (1 - value) / number)
        return Score(metric=name, value=value, num_rows=len(rows), loss=loss, margin=margin)

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_headed(model, KIND, self.folder, folder)

    def facts(self) -> JSON:
        return super().facts() | {
            "tags": list(self.tags),
            "entities": self._are_entities,
            "overlap": self.setting.options.overlap,
            "capitals": self._capitals,
            "engine": "torch",
        }

    def told(self) -> JSON:
        return {**self._told, **told(self.train.weights)}

    def _wants_capitals(self) -> bool:
        """Where the types are trained, and the tokenizer gives the same ids with capitals and without."""
        setting = self.setting
        if setting.beginning.is_warm and "capitals" in setting.beginning.about:
            return bool(setting.beginning.about["capitals"])
        trains_all = setting.spec.method.name == "full" and not self.knobs.freeze_embeddings
        return setting.options.capitals and trains_all and self._windows.reads_small_letters

    def _validation_loss(self, scores: Sequence[Floats]) -> float:
        number = {tag: at for at, tag in enumerate(self.tags)}
        losses = [
            -row_wl[word, number[tag]]
            for row_wl, tags in zip(scores, self._validation_tags, strict=True)
            for word, tag in enumerate(tags)
            if tag in number
        ]
        return float(np.mean(losses)) if losses else 0.0

    def _tell(
        self, role: str, words: list[list[str]], tags: list[list[str]], windows: list[Window], broken: int
    ) -> None:
        num_judged = sum(len(window.words) for window in windows)
        if role == "train" and not num_judged:
            raise DataError(
                f"train: must hold words that the base reads; none of {len(words):,} rows has one",
                parameter="train",
                remedy="Look whether the right column was read as the tokens.",
            )
        known = set(self.tags)
        self._told |= {
            f"num_{role}_windows": len(windows),
            f"num_{role}_tags_mended": broken,
            f"num_{role}_words_without_token": sum(map(len, words)) - num_judged,
        }
        if role == "validation":
            self._told["num_validation_words_of_new_tags"] = sum(tag not in known for row in tags for tag in row)


def _tag_names(rows: Sequence[Sequence[str]]) -> list[str]:
    tags = sorted({tag for row in rows for tag in row}, key=lambda tag: (tag != "O", tag[2:], tag))
    if len(tags) < 2:
        given = f"only {tags[0]!r}" if tags else "no tags"
        raise DataError(
            f"train: must hold at least two different tags; got {given}",
            parameter="train",
            remedy="Give rows with what is to be found in them, or look whether the right column was read as the tags.",
        )
    return tags


def _rows(dataset: Dataset, role: str) -> tuple[list[list[str]], list[list[str]]]:
    table = tables.read(dataset, ["tokens", "tags"])
    words = [list(row or ()) for row in table.column("tokens").to_pylist()]
    tags = [[tag or "O" for tag in row or ()] for row in table.column("tags").to_pylist()]
    wrong = [at for at, (one, other) in enumerate(zip(words, tags, strict=True)) if len(one) != len(other)]
    if wrong:
        raise DataError(
            f"{role}: must have a tag for each token; row {wrong[0]} has {len(words[wrong[0]])} tokens and "
            f"{len(tags[wrong[0]])} tags ({len(wrong):,} such rows)",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return [[word or "" for word in row] for row in words], tags
