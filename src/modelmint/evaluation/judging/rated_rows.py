"""What a judge reads: answers that people rated, and answers of a model, each with its question."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import JSON, Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Questions with their answers, and what people rated them."""

    asked: list[tuple[str, str]]
    ratings: list[int]


def rated_by_people(rated: Dataset, rating: str, scale: tuple[int, int], *, least: int) -> People:
    """
    Args:
        rating: the column of the ratings, whole numbers within `scale`.
        least: how many rows there must be.

    Raises:
        DataError: a rating is missing or outside the scale, a row has no answer in words, or rows are too few.
    """
    if rating not in tables.column_names(rated):
        raise DataError(
            f"rating: must be a column of the rated rows; {rated.name} has {', '.join(tables.column_names(rated))}",
            parameter="rating",
            remedy=f"Keep it when the rows are collected: collect: {{keep: [{rating}]}}.",
        )
    asked, ratings, (low, high) = [], [], scale
    for row in _rows(rated):
        text = str(row[rating] or "").strip()
        number = int(float(text)) if re.fullmatch(r"-?\d{1,6}(\.0+)?", text) else None
        if number is None or not low <= number <= high:
            raise DataError(
                f"rating: must be a whole number from {low} to {high} in each rated row; row {row['_row']} has {text[:50]!r}",
                parameter="rating",
                remedy="Mend that row, or set `scale` to the one that people used.",
            )
        asked.append(_shown(row, rated, _own_answer(row)))
        ratings.append(number)
    if len(ratings) < least:
        raise DataError(
            f"rated: must hold at least {least} rows that people rated; got {len(ratings)}",
            parameter="rated",
            remedy="Have more answers rated: with few, agreement cannot be told from chance.",
        )
    return People(asked=asked, ratings=ratings)


def answers_of(test: Dataset, predictions: Dataset) -> list[tuple[str, str, str]]:
    """Row, question and answer of each prediction.

    Raises:
        DataError: the predictions are labels, or the rows hold no questions.
    """
    if "answer" not in tables.column_names(predictions):
        raise DataError(
            "predictions: must be answers in words; these are labels",
            parameter="predictions",
            remedy="Judge a model that writes: translation, summaries, chat or answers to questions.",
        )
    said = {row["_row"]: json.loads(row["answer"]) for row in _rows(predictions)}
    return [(row["_row"], *_shown(row, test, _words(said[row["_row"]]))) for row in _rows(test) if row["_row"] in said]


def _shown(row: JSON, of: Dataset, answer: str) -> tuple[str, str]:
    """The question and the answer, as the judge reads them."""
    if "messages" in row:
        turns = row["messages"]
        turns = turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns
        return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns), answer
    if "question" in row:
        return f"{row['question']}\n\nThe text that it is about:\n{row['context']}", answer
    if "text" in row and "label" not in row:
        return str(row["text"]), answer
    raise DataError(
        f"rated: must hold questions with answers in words; {of.name} has {', '.join(row)}",
        parameter="rated",
        remedy="Collect them as task: text2text-generation (text, target), chat (messages) or question-answering.",
    )


def _own_answer(row: JSON) -> str:
    """The answer that stands in a rated row itself."""
    if "messages" in row:
        turns = row["messages"]
        return str(turns[-1]["content"]) if turns and turns[-1]["role"] == "assistant" else ""
    return str(row.get("target", row.get("answer")) or "")


def _words(answer: Any) -> str:
    """The words of a prediction, whatever stands beside them."""
    if isinstance(answer, dict):
        return str(answer.get("content", answer.get("answer", answer.get("text", ""))))
    return str(answer)


def _rows(dataset: Dataset) -> Iterator[JSON]:
    for batch in tables.batches(dataset):
        yield from batch.to_pylist()
