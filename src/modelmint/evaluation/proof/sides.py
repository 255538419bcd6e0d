"""What the trained model and the endpoint answered to the same texts, and how far apart they are.

Shape legend: N texts, L labels (one column for a number).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import InputError
from modelmint.core.inputs import ROW, SERVED, TEXT, Input, reads, to_rows
from modelmint.core.inputs import how_of as answering
from modelmint.core.items import NUM_ITEMS
from modelmint.core.stage import StageContext
from modelmint.core.tags import decode
from modelmint.core.types import JSON, Model
from modelmint.evaluation.nearness import nearest, same_first, same_nearest

Rows: TypeAlias = Mapping[str, Sequence[Any]]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

UNDECIDED = 0.05
NUMBER_ROOM = 0.01
"""Two numbers are the same answer when they are this near, in standard deviations of what was trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """`names`: the label, the sorted labels, the number, or the items, of each text; None where no answer came.

    `scores_nl`: the probability of each label, or of each item by its place, or the number in standard deviations; of a
    vector its numbers, of a pair its score; NaN where it is not known.
    """

    names: Sequence[Any]
    scores_nl: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """(N,) whether the answers are the same, and by how much the most moved probability moved, NaN without an answer.

    Of vectors half the squared distance: of two of length 1 it is the cosine distance.
    """

    same_n: Bools
    drift_n: Floats
    alike_n: Floats
    """How much of each answer is the same: of tags the share of the words, of rankings that of the first items, of others
    0 or 1."""
    weight_n: Floats
    """How much each counts: of the pairs of a list, together, as much as one text."""
    words_n: Floats | None = None
    """Of tags the mean over the words of a row, of which `drift_n` is the largest: long rows would be far apart."""

    @property
    def agreement(self) -> float:
        return float(np.average(self.alike_n, weights=self.weight_n)) if len(self.alike_n) else 1.0

    @property
    def mean_drift(self) -> float:
        drift_n = self.drift_n if self.words_n is None else self.words_n
        return float(np.nanmean(drift_n)) if np.isfinite(drift_n).any() else 0.0

    @property
    def max_drift(self) -> float:
        return float(np.nanmax(self.drift_n)) if np.isfinite(self.drift_n).any() else 0.0

    def part(self, chosen: Sequence[int]) -> "Apart":
        """Of some of the texts."""
        at = list(chosen)
        return Apart(
            same_n=self.same_n[at],
            drift_n=self.drift_n[at],
            alike_n=self.alike_n[at],
            weight_n=self.weight_n[at],
            words_n=None if self.words_n is None else self.words_n[at],
        )


def task_of(model: Model) -> str:
    """The task that a model is for."""
    return str(model.facts.get("task", "text-classification"))


def how_of(model: Model) -> JSON:
    """How a model's logits become answers (`serving.engines.answers`).

    Raises:
        InputError: the endpoint does not answer this task.
    """
    task = task_of(model)
    if task not in SERVED:
        raise InputError(
            f"model: the endpoint answers {', '.join(SERVED)}; {model.name} is for {task}",
            parameter="model",
            remedy="Leave parity and deploy out of the recipe: this task is not served yet.",
        )
    return answering(model.facts)


def trained_side(model: Model, texts: Sequence[Input], ctx: StageContext) -> Side:
    """The answers of the trained model in this process.

    Raises:
        StageError: it answers with numbers that are not finite.
    """
    how, columns = how_of(model), reads(model.facts)
    if how["by"] == "softmax" and columns == TEXT:
        from modelmint.evaluation.predict import predict

        found = predict(model, to_rows(texts, columns)["text"], ctx, message="asking the trained model")
        return Side(names=found.predicted, scores_nl=found.probabilities.astype(np.float64))
    import torch

    from modelmint.training.tasks import open_model

    torch.set_num_threads(ctx.num_threads)
    opened: Any = open_model(model.files.folder())
    rows = to_rows(texts, columns)
    if columns == ROW:
        return _of_rows(opened.predict(rows), how)
    if how["by"] in _READ:
        return _READ[how["by"]](opened.predict(rows))
    return _TRAINED[how["by"]](opened, rows, how)


def engine_side(variant: Model, texts: Sequence[Input], ctx: StageContext, labels: Sequence[str], how: JSON) -> Side:
    """The answers of a variant's own folder in this process, by the engine alone: without HTTP, queue and neighbours."""
    from modelmint.serving.engines import answers, open_engine

    engine = open_engine(variant.files.folder(), ctx.num_threads)
    given: list[JSON | None] = []
    for at, text in enumerate(texts):
        ctx.check()
        ctx.say(at, len(texts), "asking the candidate's engine")
        given += answers(engine.predict([text]), engine.labels, how=engine.how, all_scores=True, inputs=[text])
    return served_side(given, labels, how)


def served_side(answers: Sequence[JSON | None], labels: Sequence[str], how: JSON) -> Side:
    """The answers of the endpoint, `labels` in the order of the trained model's."""
    if how["by"] == "identity":
        values = [None if answer is None else answer.get("value") for answer in answers]
        column = [np.nan if value is None else (value - how["mean"]) / how["scale"] for value in values]
        return Side(names=values, scores_nl=np.asarray(column, dtype=np.float64).reshape(-1, 1))
    if how["by"] in _READ:
        return _READ[how["by"]](answers)
    if how["by"] == "tags":
        tags = [None if answer is None else answer["tags"] for answer in answers]
        return Side(names=tags, scores_nl=_padded([answer and answer.get("tag_scores") for answer in answers]))
    scores = [_scores(answer, labels) for answer in answers]
    scores_nl = np.asarray(scores, dtype=np.float64).reshape(len(answers), len(labels))
    if how["by"] == "sigmoid":
        names = [None if answer is None else sorted(answer.get("labels", ())) for answer in answers]
        return Side(names=names, scores_nl=scores_nl)
    found = [None if answer is None else answer.get("label") for answer in answers]
    return Side(names=found, scores_nl=scores_nl)


def apart(one: Side, other: Side, how: JSON, *, undecided_from: int | None = None, lists: Sequence[int] = ()) -> Apart:
    """Compare two sides, text by text; an answer that is missing is not the same as any.

    Args:
        undecided_from: from this text on (the odd ones, of which many say nothing to the model) another label is the same
            answer where the first side holds it as probable as its own but for `UNDECIDED`. Texts before it are those
            among which a vector finds its nearest.
        lists: of the first pairs the number of the list that each is of.
    """
    if how["by"] == "vector":
        return _apart_vectors(one, other, undecided_from)
    answered_n = np.asarray([name is not None for name in other.names], dtype=bool)
    width = max(one.scores_nl.shape[1], other.scores_nl.shape[1])
    moved_nl = np.abs(_widened(one.scores_nl, width) - _widened(other.scores_nl, width))
    known_n = np.asarray(np.isfinite(moved_nl).any(axis=1), dtype=bool)
    drift_n = np.where(np.isfinite(moved_nl), moved_nl, -np.inf).max(axis=1, initial=-np.inf)
    drift_n = np.where(known_n, drift_n, np.where(answered_n, 1.0, np.nan))  # of labels that the model does not have
    weight_n = np.ones(len(one.names))
    if how["by"] == "identity":
        same_n = answered_n & known_n & (drift_n <= NUMBER_ROOM)
    elif how["by"] == "relevance":
        same_n = answered_n & known_n & (drift_n <= UNDECIDED)
        scores = [side.scores_nl[: len(lists), 0] for side in (one, other)]
        same_n[: len(lists)] = same_first(scores[0], scores[1], lists)
        weight_n[: len(lists)] = 1 / np.bincount(lists)[list(lists)] if lists else 1.0
    else:
        same_n = np.asarray([mine == theirs for mine, theirs in zip(one.names, other.names, strict=True)], dtype=bool)
        if how["by"] == "softmax" and undecided_from is not None:
            same_n[undecided_from:] |= _undecided(one, other, known_n)[undecided_from:]
    same_n &= answered_n
    alike_n, words_n = same_n.astype(np.float64), None
    if how["by"] == "ranking":
        alike_n = np.asarray([shared(mine, theirs) for mine, theirs in zip(one.names, other.names, strict=True)])
        same_n = answered_n & (alike_n == 1.0)
    if how["by"] == "tags":
        alike_n = np.asarray([alike(mine, theirs) for mine, theirs in zip(one.names, other.names, strict=True)])
        num_words_n = np.isfinite(moved_nl).sum(axis=1)
        words_n = np.where(known_n, np.nansum(moved_nl, axis=1) / np.maximum(num_words_n, 1), drift_n)
    return Apart(same_n=same_n, drift_n=drift_n, alike_n=alike_n, weight_n=weight_n, words_n=words_n)


def _apart_vectors(one: Side, other: Side, num_rows: int | None) -> Apart:
    width = max(one.scores_nl.shape[1], other.scores_nl.shape[1])
    mine, theirs = (_widened(side.scores_nl, width) for side in (one, other))
    answered_n = np.asarray([name is not None for name in other.names], dtype=bool)
    drift_n = ((mine - theirs) ** 2).sum(axis=1) / 2
    drift_n = np.where(np.isfinite(drift_n), drift_n, np.where(answered_n, 1.0, np.nan))  # of another width
    end = len(mine) if num_rows is None else num_rows
    same_n = same_nearest(mine, theirs, range(end))
    same_n[end:] = same_nearest(mine, theirs, range(end), near=UNDECIDED)[end:]
    return Apart(same_n=same_n, drift_n=drift_n, alike_n=same_n.astype(np.float64), weight_n=np.ones(len(mine)))


def named_by_nearest(side: Side, texts: Sequence[str], num_rows: int) -> Side:
    """With the nearest of the first texts as the name of each vector, which says more to a person than its numbers."""
    places = nearest(side.scores_nl, range(num_rows))
    names = [None if name is None else texts[at] for name, at in zip(side.names, places.tolist(), strict=True)]
    return Side(names=names, scores_nl=side.scores_nl)


def alike(one: Any, other: Any) -> float:
    """How much of two answers (`Side.names`) is the same: of tags the share of the words, of others 0 or 1."""
    if one == other:
        return 1.0
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return 0.0
    return float(np.mean([mine == theirs for mine, theirs in zip(one, other, strict=True)]))


def shared(one: Any, other: Any) -> float:
    """The share of the first items (`NUM_ITEMS`) that two rankings have in common, in whatever order."""
    if one == other:
        return 1.0
    mine, theirs = set((one or ())[:NUM_ITEMS]), set((other or ())[:NUM_ITEMS])
    return len(mine & theirs) / max(len(mine), len(theirs), 1)


def _undecided(one: Side, other: Side, known_n: Bools) -> Bools:
    """Whether the first side is undecided between its own answer and that of the other side, its most probable label."""
    best_n = np.argmax(np.nan_to_num(other.scores_nl, nan=-1.0), axis=1)
    theirs_n = np.take_along_axis(one.scores_nl, best_n[:, None], axis=1)[:, 0]
    return np.asarray(known_n & (one.scores_nl.max(axis=1) - theirs_n <= UNDECIDED), dtype=bool)


def _of_rows(answers: Sequence[JSON], how: JSON) -> Side:
    if how["by"] == "softmax":
        scores = [list(answer["probabilities"].values()) for answer in answers]
        return Side(names=[answer["label"] for answer in answers], scores_nl=np.asarray(scores, dtype=np.float64))
    values = [answer["value"] for answer in answers]
    deviations = [(value - how["mean"]) / how["scale"] for value in values]
    return Side(names=values, scores_nl=np.asarray(deviations, dtype=np.float64).reshape(-1, 1))


def _spans(answers: Sequence[JSON | None]) -> Side:
    scores = [np.nan if answer is None else float(answer["score"]) for answer in answers]
    names = [None if answer is None else answer["answer"] for answer in answers]
    return Side(names=names, scores_nl=np.asarray(scores, dtype=np.float64).reshape(-1, 1))


def _vectors(answers: Sequence[JSON | None]) -> Side:
    rows = [None if answer is None else answer["embedding"] for answer in answers]
    width = max((len(row) for row in rows if row is not None), default=0)
    found = np.full((len(rows), width), np.nan)
    for at, row in enumerate(rows):
        if row is not None:
            found[at, : len(row)] = row
    return Side(names=[None if row is None else "a vector" for row in rows], scores_nl=found)


def _rankings(answers: Sequence[JSON | None]) -> Side:
    names = [None if answer is None else [one["item"] for one in answer["items"]] for answer in answers]
    scores = [None if answer is None else [one["score"] for one in answer["items"]] for answer in answers]
    return Side(names=names, scores_nl=_padded(scores))


def _relevances(answers: Sequence[JSON | None]) -> Side:
    scores = [None if answer is None else float(answer["score"]) for answer in answers]
    column = [np.nan if score is None else score for score in scores]
    return Side(names=scores, scores_nl=np.asarray(column, dtype=np.float64).reshape(-1, 1))


_READ: Mapping[str, Callable[[Sequence[JSON | None]], Side]] = {
    "span": _spans,
    "ranking": _rankings,
    "vector": _vectors,
    "relevance": _relevances,
}
"""Sides of answers that say the same of the trained model and of the endpoint, by how they come about."""


def _labels(opened: Any, rows: Rows, _how: JSON) -> Side:
    chances_nl = opened.chances(rows).astype(np.float64)
    return Side(names=[opened.labels[at] for at in chances_nl.argmax(axis=1)], scores_nl=chances_nl)


def _tags(opened: Any, rows: Rows, how: JSON) -> Side:
    given = [decode(row_wl, opened.tags, are_entities=how["entities"]) for row_wl in opened.scores(rows)]
    return Side(names=[tags for tags, _ in given], scores_nl=_padded([sure_w for _, sure_w in given]))


def _numbers(opened: Any, rows: Rows, _how: JSON) -> Side:
    answers, logits_nl = opened.predict(rows), opened.logits(rows["text"]).astype(np.float64)
    return Side(names=[answer["value"] for answer in answers], scores_nl=logits_nl)


def _sets(opened: Any, rows: Rows, _how: JSON) -> Side:
    answers, logits_nl = opened.predict(rows), opened.logits(rows["text"]).astype(np.float64)
    return Side(names=[sorted(answer["labels"]) for answer in answers], scores_nl=1 / (1 + np.exp(-logits_nl)))


_TRAINED: Mapping[str, Callable[[Any, Rows, JSON], Side]] = {
    "softmax": _labels,
    "tags": _tags,
    "identity": _numbers,
    "sigmoid": _sets,
}
"""Sides of the trained model, by how its outputs become answers."""


def _widened(scores_nl: Floats, width: int) -> Floats:
    return np.pad(scores_nl, ((0, 0), (0, width - scores_nl.shape[1])), constant_values=np.nan)


def _padded(rows: Sequence[Any]) -> Floats:
    """(N, 1 + the longest) rows of several lengths, filled up with NaN; all NaN where there is none. The first is 0."""
    found = np.full((len(rows), 1 + max((len(row) for row in rows if row is not None), default=0)), np.nan)
    for at, row in enumerate(rows):
        if row is not None:
            found[at, 0], found[at, 1 : 1 + len(row)] = 0.0, row
    return found


def _scores(answer: JSON | None, labels: Sequence[str]) -> list[float]:
    if answer is None:
        return [np.nan] * len(labels)
    given = answer.get("scores") or {answer.get("label"): answer.get("score", np.nan)}
    return [float(given.get(label, np.nan)) for label in labels]
