"""What a model's outputs say, as the JSON that an endpoint answers with."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from modelmint.core.inputs import Input, taken_in, wanted_in, words_of
from modelmint.core.items import Catalogue
from modelmint.core.spans import said
from modelmint.core.tags import in_letters, sureness, tagged
from modelmint.core.types import JSON
from modelmint.serving.runtimes import Logits

SOFTMAX: JSON = {"by": "softmax"}


def answers(
    logits: Logits,
    labels: Sequence[str],
    *,
    how: JSON = SOFTMAX,
    all_scores: bool = False,
    inputs: Sequence[Input] = (),
) -> list[JSON]:
    """What logits say of each input, by the fact `answers` of a model.

    Args:
        how: ``{"by": "softmax"}`` gives the most probable label and its probability; ``{"by": "sigmoid", "thresholds":
            [...]}`` every label from its threshold on, the surest first; ``{"by": "identity", "mean", "scale"}`` a
            number; ``{"by": "tags", "entities"}`` a tag a word and the entities that they make, of log probabilities a
            word (num_words, num_labels); ``{"by": "span", "can_be_none"}`` an answer cut from a context, of
            `core.spans.best_span`; ``{"by": "vector"}`` the output itself; ``{"by": "relevance"}`` a score from 0 to 1;
            ``{"by": "ranking"}`` the best items, of `readers.TakenReader`.
        all_scores: the score of every label too; of tags that of each word's tag.
        inputs: what was asked, which answers may quote.
    """
    return ANSWERS[how["by"]](logits, labels, how, all_scores, inputs)


def _labels(logits: Logits, labels: Sequence[str], how: JSON, all_scores: bool, _inputs: Sequence[Input]) -> list[JSON]:
    found = []
    for row in 1 / (1 + np.exp(-logits.astype(np.float64))):
        order = np.argsort(-row, kind="stable")
        given = order[(row >= np.asarray(how["thresholds"]))[order]].tolist()
        answer: JSON = {
            "labels": [labels[at] for at in given],
            "label_scores": [round(float(row[at]), 6) for at in given],
        }
        if all_scores:
            answer["scores"] = {label: round(float(score), 6) for label, score in zip(labels, row, strict=True)}
        found.append(answer)
    return found


def _number(
    logits: Logits, _labels: Sequence[str], how: JSON, _all_scores: bool, _inputs: Sequence[Input]
) -> list[JSON]:
    return [{"value": float(value)} for value in logits[:, 0].astype(np.float64) * how["scale"] + how["mean"]]


def _one_label(
    logits: Logits, labels: Sequence[str], _how: JSON, all_scores: bool, _inputs: Sequence[Input]
) -> list[JSON]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = shifted / shifted.sum(axis=1, keepdims=True)
    found = []
    for row, best in zip(scores.tolist(), scores.argmax(axis=1).tolist(), strict=True):
        answer: JSON = {"label": labels[best], "score": round(row[best], 6)}
        if all_scores:
            answer["scores"] = {label: round(score, 6) for label, score in zip(labels, row, strict=True)}
        found.append(answer)
    return found


def _tags(logits: Logits, labels: Sequence[str], how: JSON, all_scores: bool, inputs: Sequence[Input]) -> list[JSON]:
    found = []
    for scores_wl, one in zip(logits, inputs, strict=True):
        words = words_of(one)
        answer = tagged(words, scores_wl, labels, are_entities=how["entities"])
        if all_scores:
            answer["tag_scores"] = [round(float(sure), 6) for sure in sureness(scores_wl, labels, answer["tags"])]
        if isinstance(one, str):
            answer = {"words": words, **answer, "entities": in_letters(one, answer["entities"])}
        found.append(answer)
    return found


def _span(logits: Logits, _labels: Sequence[str], how: JSON, _all_scores: bool, inputs: Sequence[Input]) -> list[JSON]:
    contexts = [str(one["context"]) for one in inputs if isinstance(one, dict)]
    return [said(row_4, one, can_be_none=how["can_be_none"]) for row_4, one in zip(logits, contexts, strict=True)]


def _vector(
    logits: Logits, _labels: Sequence[str], _how: JSON, _all_scores: bool, _inputs: Sequence[Input]
) -> list[JSON]:
    return [{"embedding": row} for row in written(logits)]


def _relevance(
    logits: Logits, _labels: Sequence[str], _how: JSON, _all_scores: bool, _inputs: Sequence[Input]
) -> list[JSON]:
    return [{"score": score} for score in relevance(logits).tolist()]  # rounded, those near 0 would be equal


def written(vectors: Logits) -> list[list[float]]:
    """Vectors (num_inputs, width) as JSON; of numbers below 1 the eighth digit is beyond what 32 bits know."""
    return [[float(one) for one in row] for row in np.round(vectors.astype(np.float64), 8)]


def relevance(logits: Logits) -> Logits:
    """(num_pairs,) from 0 to 1, of logits (num_pairs, 1)."""
    return np.asarray(1 / (1 + np.exp(-logits[:, 0].astype(np.float64))))


def _ranking(
    best_nk2: Logits, labels: Sequence[str], _how: JSON, _all_scores: bool, inputs: Sequence[Input]
) -> list[JSON]:
    """To six digits that count, since the probabilities of many items are small."""
    items = labels if isinstance(labels, Catalogue) else Catalogue(labels)
    found = []
    for best_k2, one in zip(best_nk2, inputs, strict=True):
        unknown = items.unknown(taken_in(one))
        given = [
            {"item": items[int(number)], "score": float(f"{score:.6g}")}
            for number, score in best_k2[: wanted_in(one)].tolist()
            if number >= 0
        ]
        by = "history" if len(unknown) < len(taken_in(one)) else "popularity"
        found.append({"items": given, "by": by, "unknown_items": unknown})
    return found


_Answer: TypeAlias = Callable[[Logits, Sequence[str], JSON, bool, Sequence[Input]], list[JSON]]
ANSWERS: Mapping[str, _Answer] = {
    "softmax": _one_label,
    "sigmoid": _labels,
    "identity": _number,
    "tags": _tags,
    "span": _span,
    "vector": _vector,
    "relevance": _relevance,
    "ranking": _ranking,
}
"""By the fact `answers`."""
