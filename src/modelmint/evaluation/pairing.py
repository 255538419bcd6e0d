"""Two models beside each other on the same test rows, from the answers that their evaluations kept: nothing is run again.

A difference on the same rows is surer than two intervals side by side say: what makes a row hard is hard for both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from modelmint.evaluation.metrics.classification import compare
from modelmint.evaluation.metrics.tables import auc_difference
from modelmint.evaluation.significance import CONFIDENCE, Figure, PairedTest, Resamples, keeping, mcnemar
from modelmint.training.tasks import TASKS

Columns: TypeAlias = Mapping[str, Sequence[Any]]
Answers: TypeAlias = Sequence[Mapping[str, Any]]
Measure: TypeAlias = Callable[..., dict[str, Figure]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """The first minus the second in each figure, and McNemar's test where an answer is right or wrong."""

    figures: dict[str, Figure]
    test: PairedTest | None


def pair_labels(truth: Sequence[str], first: Sequence[str], second: Sequence[str], *, seed: int) -> Pairing:
    """Of one label a row."""
    right = ([label == one for label, one in zip(truth, given, strict=True)] for given in (first, second))
    return Pairing(figures=compare(truth, first, second, seed=seed), test=mcnemar(*right))


def pair_answers(task: str, truth: Columns, first: Answers, second: Answers, *, seed: int) -> Pairing:
    """Of the answers of a task's predictors, row by row as in `truth`.

    A figure that cannot be paired, since each model has it over rows of its own, is left out.
    """
    measure = TASKS[task].measure()
    figures, test = _resampled(measure, truth, first, second, seed), None
    if first and "label" in first[0] and "label" in truth:
        labels = [str(label) for label in truth["label"]]
        told = [[str(answer["label"]) for answer in answers] for answers in (first, second)]
        of_labels = pair_labels(labels, *told, seed=seed)
        figures, test = of_labels.figures | figures, of_labels.test
        if (area := _auc(labels, first, second)) is not None:
            figures = {"auc": area} | figures
    return Pairing(figures=figures, test=test)


def _resampled(measure: Measure, truth: Columns, first: Answers, second: Answers, seed: int) -> dict[str, Figure]:
    """By the resamples that both figures were made of."""
    with keeping() as ours:
        values = measure(truth, first, seed=seed)
    with keeping() as theirs:
        others = measure(truth, second, seed=seed)
    return {
        name: _difference(values[name], others[name], ours[name], theirs[name])
        for name in values
        if name in ours and name in theirs and ours[name].num_outcomes == theirs[name].num_outcomes
    }


def _difference(first: Figure, second: Figure, ours: Resamples, theirs: Resamples) -> Figure:
    value, tail = first["value"] - second["value"], (1 - CONFIDENCE) / 2
    low, high = np.quantile(ours.values - theirs.values, [tail, 1 - tail])
    low, high = min(float(low), value), max(float(high), value)
    return Figure(value=round(value, 6), low=round(low, 6), high=round(high, 6), n=first["n"])


def _auc(labels: Sequence[str], first: Answers, second: Answers) -> Figure | None:
    known = list(first[0].get("probabilities", ()))
    is_positive = np.array([label == known[-1] for label in labels]) if known else np.array([])
    if len(known) != 2 or set(second[0]["probabilities"]) != set(known) or not 0 < is_positive.sum() < len(labels):
        return None
    scores = (np.array([answer["probabilities"][known[1]] for answer in answers]) for answers in (first, second))
    return auc_difference(is_positive, *scores)
