"""The dialects of training data, each one line: how it is known, and what makes a canonical row of it.

To add one, write its conversion (a function of a record that gives the canonical cells or raises `BadRowError`) and add
a line. A dialect without `recognise` is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelmint.core.forms import FORMS, Task
from modelmint.data.sources import chats, spans
from modelmint.data.sources.checks import Record, listed

_SHARE_KNOWN = 0.8
"""A source is in a dialect when so many of its first records are."""
TAG_COLUMNS = ("tags", "ner_tags", "ner", "slots", "labels", "pos_tags", "pos")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One way to write rows of a task."""

    name: str
    task: Task
    recognise: Callable[[Record], bool] | None
    convert: Callable[[Record], Mapping[str, Any]]
    """Raises `BadRowError`."""


def recognised(sample: Sequence[Record], task: Task | None) -> Dialect | None:
    """The first dialect (of that task) that the sample is in; None when it is in none."""
    for dialect in DIALECTS:
        if dialect.recognise is not None and task in {None, dialect.task}:
            known = sum(map(dialect.recognise, sample))
            if known and known >= _SHARE_KNOWN * len(sample):
                return dialect
    return None


def shares(sample: Sequence[Record]) -> dict[str, int]:
    """How many records of the sample are in each dialect, where any are."""
    counts = {each.name: sum(map(each.recognise, sample)) for each in DIALECTS if each.recognise is not None}
    return {name: count for name, count in counts.items() if count}


def columns(task: Task, names: Mapping[str, str]) -> Dialect:
    """The plain dialect: a column for each canonical one, under these names."""
    structured = _STRUCTURED.get(task)

    def convert(record: Record) -> Mapping[str, Any]:
        plain = {column: record.get(name) for column, name in names.items()}
        return structured(plain) if structured is not None else plain

    return Dialect(name="columns", task=task, recognise=None, convert=convert)


def required(task: str) -> tuple[str, ...]:
    """The canonical columns that a source in the plain dialect must have."""
    return tuple(name for name in FORMS[task].columns.names if name not in _OPTIONAL.get(task, ()))


def _has(*names: str, without: tuple[str, ...] = (), kinds: tuple[type, ...] = (str,)) -> Callable[[Record], bool]:
    """A record with values of these kinds under all these names, and none under others."""

    def recognise(record: Record) -> bool:
        return all(isinstance(record.get(name), kinds) for name in names) and not any(
            name in record for name in without
        )

    return recognise


def _is_openai_chat(record: Record) -> bool:
    messages = record.get("messages")
    return isinstance(messages, list) and all(isinstance(each, Mapping) and "role" in each for each in messages)


def _is_sharegpt(record: Record) -> bool:
    turns = record.get("conversations")
    return isinstance(turns, list) and all(isinstance(each, Mapping) for each in turns)


def _is_openai_preference(record: Record) -> bool:
    return isinstance(record.get("input"), Mapping) and {"preferred_output", "non_preferred_output"} <= record.keys()


def _is_studio(kind: str) -> Callable[[Record], bool]:
    def recognise(record: Record) -> bool:
        kinds = spans.studio_kinds(record) if spans.is_label_studio(record) else None
        return kinds is not None and (kind in kinds or not kinds)

    return recognise


def _tag_column(record: Record) -> str | None:
    tokens = record.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        return None
    fits = (name for name in TAG_COLUMNS if isinstance(record.get(name), list) and len(record[name]) == len(tokens))
    return next(fits, None)


def _tokens(record: Record) -> dict[str, Any]:
    return {"tokens": record.get("tokens"), "tags": record.get(_tag_column(record) or "tags", [])}


def _is_squad(record: Record) -> bool:
    if not {"question", "context", "answers"} <= record.keys():
        return False
    return isinstance(record["answers"], Mapping) or listed(record["answers"]) is not None


def squad(record: Record) -> dict[str, Any]:
    """``question``, ``context`` and ``answers``: a list of texts and starts, or a struct of two lists (Rajpurkar 2016)."""
    answers: Any = record.get("answers", record.get("answer"))
    starts: Any = record.get("answer_start")
    if isinstance(answers, Mapping):
        starts, answers = answers.get("answer_start"), answers.get("text")
    if isinstance(answers, str):
        several = listed(answers) if "answers" in record else None
        answers = [answers] if several is None else several
    starts = [_whole(start) for start in (starts if isinstance(starts, list) else [starts])]
    pairs = []
    for at, answer in enumerate(answers if isinstance(answers, list) else ()):
        if isinstance(answer, Mapping):
            pairs.append((answer.get("text"), answer.get("answer_start", answer.get("start"))))
        else:
            pairs.append((answer, starts[at] if at < len(starts) else None))
    none = "answers" in record and answers == []  # said, not forgotten (SQuAD 2.0)
    return {"question": record.get("question"), "context": record.get("context"), "answers": pairs, "none": none}


def _whole(start: Any) -> Any:
    """A place as a number, also where a text table or a spreadsheet has it as text or with a fraction."""
    if isinstance(start, str) and start.strip().isdecimal():
        return int(start)
    return int(start) if isinstance(start, float) and start.is_integer() else start


_OPTIONAL = {
    "chat": ("tools",),
    "question-answering": ("answer_start",),
    "preference": ("prompt",),
    "text-retrieval": ("negative",),
    "recommendation": ("rating", "time"),
}
_STRUCTURED: Mapping[str, Callable[[Record], Mapping[str, Any]]] = {
    "chat": chats.openai_chat,
    "preference": chats.trl_preference,
    "question-answering": squad,
}
"""What makes canonical cells of a task's own columns, where they are more than texts."""

DIALECTS: tuple[Dialect, ...] = (
    Dialect(name="label-studio-labels", task="token-classification", recognise=_is_studio("labels"), convert=spans.label_studio_spans),
    Dialect(name="label-studio-choices", task="text-classification", recognise=_is_studio("choices"), convert=spans.label_studio_choices),
    Dialect(name="openai-preference", task="preference", recognise=_is_openai_preference, convert=chats.openai_preference),
    Dialect(name="trl-preference", task="preference", recognise=_has("chosen", "rejected", kinds=(str, list)), convert=chats.trl_preference),
    Dialect(name="openai-chat", task="chat", recognise=_is_openai_chat, convert=chats.openai_chat),
    Dialect(name="sharegpt", task="chat", recognise=_is_sharegpt, convert=chats.sharegpt),
    Dialect(name="alpaca", task="chat", recognise=_has("instruction", "output"), convert=chats.alpaca),
    Dialect(name="query-response", task="chat", recognise=_has("query", "response"), convert=chats.query_response),
    Dialect(name="prompt-completion", task="chat", recognise=_has("prompt", "completion", kinds=(str, list)), convert=chats.prompt_completion),
    Dialect(name="squad", task="question-answering", recognise=_is_squad, convert=squad),
    Dialect(name="question-answer", task="chat", recognise=_has("question", "answer", without=("context",)), convert=chats.question_answer),
    Dialect(name="tokens", task="token-classification", recognise=lambda record: _tag_column(record) is not None, convert=_tokens),
    Dialect(name="spans", task="token-classification", recognise=spans.has_spans, convert=spans.text_with_spans),
)  # fmt: skip
"""Every dialect that can be told by its records; the first that fits is taken."""
