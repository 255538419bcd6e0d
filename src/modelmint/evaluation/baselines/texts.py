"""Texts to labels or numbers: TF-IDF of words and characters with a linear model, or what is most frequent.

Work beyond `MAX_WORK` is done on a seeded sample of the training rows, and the result says on how many.

Shapes: n texts, f features, l labels.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import MAX_ROWS, Asked, Cheap, believed, learned_rows, shares
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.baselines.weighing import Weigh
from modelmint.evaluation.predict import Predictions
from modelmint.evaluation.rows import Rows

MAX_WORK = 200_000_000  # stored values times classes: what one step of the solver touches; Banking77 is at 130 million
RIDGE = 1.0

Chances = Callable[[Any], Any]
"""Features (n, f) -> probabilities (n, l)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The predictions of the cheap way, and the number of rows it learned from."""

    name: str
    predicted: list[str]
    num_rows: int


def baseline(
    kind: Literal["tfidf", "majority"], texts: Sequence[str], labels: Sequence[str], asked: Sequence[str], *, seed: int
) -> Baseline:
    """Learn from `texts` and `labels`, predict `asked`. The same seed gives the same predictions.

    With one label only, or texts without a single word or character n-gram, it is the majority label.
    """
    way = _Labels.learn(kind, [texts], labels, seed=seed)
    chances_nl = way.chances([asked])
    predicted = [way.labels[at] for at in np.argmax(chances_nl, axis=1).tolist()]
    return Baseline(name=NAMES[way.kind], predicted=predicted, num_rows=way.num_rows)


def labels_of_texts(kind: str, asked: Asked) -> Cheap:
    """Of ``text``, and ``text_pair`` where the rows are pairs: one label a row."""
    sides = [name for name in ("text", "text_pair") if name in asked.truth]
    if sides == ["text"]:
        rows = Rows.read(asked.train, "text-classification", "train")
        texts, labels = [rows.columns["text"]], rows.truth
    else:
        found = learned_rows(asked, [*sides, "label"])
        texts, labels = [found[side] for side in sides], [str(one) for one in found["label"]]
    way = _Labels.learn(kind, texts, labels, seed=asked.seed)

    def answer() -> Predictions:
        given = [[text or "" for text in asked.truth[side]] for side in sides]
        return believed(way.labels, way.chances(given))

    return Cheap(name=NAMES[way.kind], num_rows=way.num_rows, answer=answer)


def label_sets_of_texts(kind: str, asked: Asked) -> Cheap:
    """Of ``text``: any number of ``labels`` a row, each by a classifier of its own; or the set that is most frequent."""
    found = learned_rows(asked, ["text", "labels"])
    sets = [frozenset(map(str, labels)) for labels in found["labels"]]
    names = sorted(frozenset().union(*sets))
    random = np.random.default_rng(asked.seed)
    weighed = Weigh.fit(found["text"]) if kind == "tfidf" and names else None
    if weighed is None:
        joined, often = shares(["\0".join(sorted(one)) for one in sets])
        same = [one for one in joined[int(np.argmax(often))].split("\0") if one]
        told = {"labels": same, "scores": [1.0] * len(same)}
        return Cheap(
            name="most frequent set of labels", num_rows=len(sets), answer=lambda: [told] * len(asked.truth["text"])
        )
    weigh, features = weighed
    kept = _within(random, features, len(names))
    truth_nl = np.array([[name in sets[at] for name in names] for at in kept])
    fitted = [_fitted(features[kept], column, asked.seed) for column in truth_nl.T]

    def answer() -> list[JSON]:
        rows = weigh.of([text or "" for text in asked.truth["text"]])
        scores_nl = np.stack([one(rows) for one in fitted], axis=1)
        return [_several(names, row) for row in scores_nl]

    return Cheap(name="tfidf+logistic regression for each label", num_rows=len(kept), answer=answer)


def numbers_of_texts(kind: str, asked: Asked) -> Cheap:
    """Of ``text``: a number a row, by ridge regression; it stays within what the training rows have."""
    from sklearn.linear_model import Ridge

    found = learned_rows(asked, ["text", "label"])
    numbers = np.asarray(found["label"], dtype=np.float64)
    weighed = Weigh.fit(found["text"]) if kind == "tfidf" else None
    if weighed is None:
        same = {"value": float(numbers.mean())}
        return Cheap(name=NAMES["mean"], num_rows=len(numbers), answer=lambda: [same] * len(asked.truth["text"]))
    weigh, features = weighed
    model = Ridge(alpha=RIDGE, random_state=asked.seed).fit(features, numbers)

    def answer() -> list[JSON]:
        told = model.predict(weigh.of([text or "" for text in asked.truth["text"]]))
        return [{"value": float(one)} for one in np.clip(told, numbers.min(), numbers.max())]

    return Cheap(name="tfidf+ridge regression", num_rows=len(numbers), answer=answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Labels:
    """`kind` is what was really learned: `majority` where there is nothing to tell texts apart by."""

    kind: str
    labels: list[str]
    num_rows: int
    chances: Callable[[Sequence[Sequence[str]]], Any]
    """Texts by side -> probabilities (n, l)."""

    @classmethod
    def learn(cls, kind: str, sides: Sequence[Sequence[str]], labels: Sequence[str], *, seed: int) -> "_Labels":
        names, often = shares(labels)

        def majority(given: Sequence[Sequence[str]]) -> Any:
            return np.tile(np.asarray(often), (len(given[0]), 1))

        plain = cls(kind="majority", labels=names, num_rows=len(labels), chances=majority)
        if kind == "majority" or len(names) == 1:
            return plain
        random = np.random.default_rng(seed)
        kept = _sample(random, len(labels), MAX_ROWS)
        some = [[side[at] for at in kept] for side in sides]
        weighed = Weigh.fit([text for side in some for text in side])
        if weighed is None:
            return plain
        weigh, features = weighed
        features = _together(np.split(np.arange(features.shape[0]), len(some)), features)
        truth = np.asarray([labels[at] for at in kept], dtype=object)
        within = _within(random, features, len(names))
        features, truth = features[within], truth[within]
        if len(set(truth)) == 1:
            return plain
        model = logistic(features, truth, seed=seed, strength=10.0)

        def chances(given: Sequence[Sequence[str]]) -> Any:
            every = weigh.of([text for side in given for text in side])
            return model.predict_proba(_together(np.split(np.arange(every.shape[0]), len(given)), every))

        known = [str(name) for name in model.classes_]
        return cls(kind="tfidf", labels=known, num_rows=len(truth), chances=chances)


def logistic(features: Any, truth: Any, *, seed: int, strength: float, max_steps: int = 25) -> Any:
    """A logistic regression of features (n, f), stopped early on purpose: a little short of the best is good enough."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, tol=1e-3, max_iter=max_steps, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, truth)


def _together(sides: Sequence[Any], every: Any) -> Any:
    """Features of the rows: those of the text; of pairs both, how they differ, and what they share."""
    from scipy.sparse import hstack

    if len(sides) == 1:
        return every
    first, second = (every[rows] for rows in sides)
    return hstack([first, second, abs(first - second), first.multiply(second)], format="csr")


def _fitted(features: Any, is_so: Any, seed: int) -> Callable[[Any], Any]:
    """Features -> (n,) the probability that a label is given."""
    if is_so.all() or not is_so.any():
        share = float(is_so.mean())
        return lambda rows: np.full(rows.shape[0], share)
    model = logistic(features, is_so, seed=seed, strength=10.0)
    return lambda rows: model.predict_proba(rows)[:, 1]


def _several(names: Sequence[str], scores_l: Any) -> JSON:
    given = sorted(np.flatnonzero(scores_l >= 0.5).tolist(), key=lambda at: (-scores_l[at], at))
    return {"labels": [names[at] for at in given], "scores": [float(scores_l[at]) for at in given]}


def _within(random: np.random.Generator, features: Any, num_labels: int) -> Any:
    """The rows that `MAX_WORK` has room for."""
    num_rows, work = features.shape[0], features.nnz * num_labels
    if work <= MAX_WORK:
        return np.arange(num_rows)
    return _sample(random, num_rows, max(1, num_rows * MAX_WORK // work))


def _sample(random: np.random.Generator, num_rows: int, limit: int) -> Any:
    if num_rows <= limit:
        return np.arange(num_rows)
    return np.sort(random.choice(num_rows, limit, replace=False))
