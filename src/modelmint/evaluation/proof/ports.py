"""By which route an endpoint of each kind is asked, and what its reply must hold."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelmint.core.inputs import Input
from modelmint.core.types import JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """A route: how inputs become a request, and a reply the answers to them, one an input in their order."""

    path: str
    body: Callable[[Sequence[Input], bool], JSON]
    """Of at least one input; `bare` sends one alone as it is, where the route takes that."""
    answers: Callable[[Any, int], tuple[list[JSON] | None, str]]
    """The answers, or why there are none."""
    together: Callable[[Input, Input], bool] = lambda _one, _other: True
    """Whether two inputs may share a request."""


def port_of(how: Mapping[str, Any]) -> Port:
    """The route of models that answer so (`core.inputs.how_of`)."""
    return {"vector": EMBEDDINGS, "relevance": RERANK}.get(str(how["by"]), PREDICT)


def _predict_body(inputs: Sequence[Input], bare: bool) -> JSON:
    return {"input": inputs[0] if bare else list(inputs), "scores": True}


def _predictions(body: Any, num_inputs: int) -> tuple[list[JSON] | None, str]:
    given = body.get("predictions") if isinstance(body, dict) else None
    if not isinstance(given, list):
        return None, "the answer has no list of predictions"
    if len(given) != num_inputs:
        return None, "the answer has another number of predictions than the request has texts"
    if not all(_is_answer(one) for one in given):
        return None, "a prediction has no label or no score"
    return given, ""


def _is_answer(one: Any) -> bool:
    scores = one.get("scores", {}) if isinstance(one, dict) else None
    if not isinstance(scores, dict) or not all(_is_number(score) for score in scores.values()):
        return False
    kind = next((name for name in _WHOLE if name in one), None)
    return kind is not None and _WHOLE[kind](one)


_WHOLE: dict[str, Callable[[JSON], bool]] = {
    "value": lambda one: _is_number(one["value"]),
    "answer": lambda one: isinstance(one["answer"], str) and _is_number(one.get("score")),
    "tags": lambda one: _are_texts(one["tags"]) and all(map(_is_number, one.get("tag_scores", ()))),
    "labels": lambda one: _are_texts(one["labels"]),
    "items": lambda one: isinstance(one["items"], list) and all(map(_is_item, one["items"])),
    "label": lambda one: isinstance(one["label"], str) and _is_number(one.get("score")),
}
"""By what an answer says (`serving.answers`), whether it is whole."""


def _is_item(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("item"), str) and _is_number(one.get("score"))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _vectors(body: Any, num_inputs: int) -> tuple[list[JSON] | None, str]:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or len(data) != num_inputs:
        return None, "the answer has another number of vectors than the request has texts"
    if [one.get("index") if isinstance(one, dict) else None for one in data] != list(range(num_inputs)):
        return None, "the vectors are not in the order of the texts"
    if not all(isinstance(one.get("embedding"), list) and all(map(_is_number, one["embedding"])) for one in data):
        return None, "a vector is not of numbers"
    return [{"embedding": one["embedding"]} for one in data], ""


def _rerank_body(inputs: Sequence[Input], _bare: bool) -> JSON:
    pairs: list[Any] = list(inputs)
    return {"query": pairs[0]["text"], "documents": [pair["text_pair"] for pair in pairs]}


def _scores(body: Any, num_inputs: int) -> tuple[list[JSON] | None, str]:
    results = body.get("results") if isinstance(body, dict) else None
    whole = isinstance(results, list) and all(
        isinstance(one, dict) and _is_number(one.get("relevance_score")) and isinstance(one.get("index"), int)
        for one in results
    )
    if not isinstance(results, list) or not whole:
        return None, "a result has no index or no score"
    scores = {int(one["index"]): float(one["relevance_score"]) for one in results}
    if len(results) != num_inputs or scores.keys() != set(range(num_inputs)):
        return None, "the results are not those of the documents"
    given = [one["relevance_score"] for one in results]
    if given != sorted(given, reverse=True):
        return None, "the results are not in the order of their scores"
    return [{"score": scores[at]} for at in range(num_inputs)], ""


def _one_query(one: Any, other: Any) -> bool:
    return bool(one["text"] == other["text"])


PREDICT = Port(path="/v1/predict", body=_predict_body, answers=_predictions)
EMBEDDINGS = Port(
    path="/v1/embeddings",
    body=lambda inputs, bare: {"input": inputs[0] if bare else list(inputs)},
    answers=_vectors,
)
RERANK = Port(path="/v1/rerank", body=_rerank_body, answers=_scores, together=_one_query)
