"""Texts with marked spans -> tokens and tags: Label Studio's export, and ``text`` with a list of spans.

A span's ends always fall between two tokens: where one ends within a word, the word is cut there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.data.sources.checks import BadRowError, Record

# A Chinese, Japanese or Korean sign is a token of its own, as in the data sets of those languages.
_TOKEN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\\W_]+|[^\\s]")
SPAN_COLUMNS = ("entities", "spans", "label", "labels", "ner")
_KINDS = ("type", "label", "entity_type", "entity_group", "entity", "labels")

Span = tuple[int, int, str]


def tagged(text: str, spans: Sequence[Span]) -> dict[str, list[str]]:
    """Tokens and BIO tags (Ramshaw & Marcus 1995) of a text.

    Args:
        spans: (start, end, kind) in characters, end exclusive.

    Raises:
        BadRowError: a span is outside the text or two overlap.
    """
    tokens: list[str] = []
    tags: list[str] = []
    done = 0
    for start, end, kind in sorted(set(spans)):
        if not 0 <= start < end <= len(text):
            raise BadRowError("bad_span", f"a span from {start} to {end} in a text of {len(text):,} characters")
        if start < done:
            raise BadRowError("overlapping_spans", f"the span from {start} to {end} begins in another one")
        outside, inside = _TOKEN.findall(text[done:start]), _TOKEN.findall(text[start:end])
        tokens += [*outside, *inside]
        tags += ["O"] * len(outside) + [f"{'I' if at else 'B'}-{kind}" for at in range(len(inside))]
        done = end
    rest = _TOKEN.findall(text[done:])
    return {"tokens": [*tokens, *rest], "tags": [*tags, *["O"] * len(rest)]}


def text_with_spans(record: Record) -> dict[str, Any]:
    """``text`` with ``entities`` (or ``spans``, ``label``): objects of start, end and type, or [start, end, type]."""
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("empty_text", "'text' is empty")
    given = next((record[name] for name in SPAN_COLUMNS if isinstance(record.get(name), list)), None)
    if given is None:
        raise BadRowError("bad_type", f"a list of spans must stand under one of {', '.join(SPAN_COLUMNS)}")
    return tagged(text, [span(each) for each in given])


def has_spans(record: Record) -> bool:
    """Whether a record is a text with a list of spans."""
    found = next((record[name] for name in SPAN_COLUMNS if isinstance(record.get(name), list)), None)
    if found is None or not isinstance(record.get("text"), str):
        return False
    return all(_is_span(each) for each in found)


def span(given: Any) -> Span:
    """One span however it is written.

    Raises:
        BadRowError: it has no start, end or type.
    """
    if not _is_span(given):
        raise BadRowError("bad_span", f"a span must have a start, an end and a type; is {str(given)[:60]!r}")
    if isinstance(given, Mapping):
        kind = next(given[name] for name in _KINDS if given.get(name))
        return int(_place(given, "start")), int(_place(given, "end")), str(kind[0] if isinstance(kind, list) else kind)
    return int(given[0]), int(given[1]), str(given[2])


def label_studio_spans(record: Record) -> dict[str, Any]:
    """The spans of the first annotation that was not cancelled; on the tokens that the text is made of, where its data
    has them.
    """
    results = _results(record, "labels")
    names = {str(result.get("to_name")): result for result in results}
    text = _studio_text(record, next(iter(names), None))
    found = [span(result["value"]) for result in results]
    tokens = _list(record["data"].get("tokens"))
    known = all(isinstance(token, str) for token in tokens) and " ".join(tokens) == text
    return (_on_tokens(tokens, found) if known else None) or tagged(text, found)


def _on_tokens(tokens: Sequence[str], spans: Sequence[Span]) -> dict[str, list[str]] | None:
    """The tags of tokens that are known, joined by spaces; None where a span does not begin and end with one."""
    begins, ends, place = dict[int, int](), dict[int, int](), 0
    for at, token in enumerate(tokens):
        begins[place], ends[place + len(token)] = at, at
        place += len(token) + 1
    tags = ["O"] * len(tokens)
    for start, end, kind in sorted(set(spans)):
        if start not in begins or end not in ends or any(tag != "O" for tag in tags[begins[start] : ends[end] + 1]):
            return None
        for at in range(begins[start], ends[end] + 1):
            tags[at] = f"{'B' if at == begins[start] else 'I'}-{kind}"
    return {"tokens": list(tokens), "tags": tags}


def label_studio_choices(record: Record) -> dict[str, Any]:
    """The choice of the first annotation that was not cancelled; several choices in one are refused."""
    chosen = [choice for result in _results(record, "choices") for choice in result["value"]["choices"]]
    if len(chosen) > 1:
        raise BadRowError("many_labels", f"one label is needed; there are {len(chosen)}")
    return {"text": _studio_text(record, None), "label": chosen[0] if chosen else None}


def is_label_studio(record: Record) -> bool:
    """Whether a record is a task of Label Studio's JSON export."""
    given = record.get("annotations", record.get("completions"))
    return isinstance(record.get("data"), Mapping) and isinstance(given, list)


def studio_kinds(record: Record) -> set[str]:
    """The kinds of results in a task: ``choices``, ``labels``."""
    results = [each for part in _annotations(record) for each in _list(part.get("result"))]
    return {str(each.get("type")) for each in results if isinstance(each, Mapping)}


def _annotations(record: Record) -> list[Mapping[str, Any]]:
    given = _list(record.get("annotations", record.get("completions")))
    return [each for each in given if isinstance(each, Mapping)]


def _results(record: Record, kind: str) -> list[Mapping[str, Any]]:
    """The results of that kind in the first annotation that was not cancelled."""
    annotation = next((each for each in _annotations(record) if not each.get("was_cancelled")), None)
    if annotation is None:
        raise BadRowError("missing_label", "the task has no annotation")
    results = [each for each in _list(annotation.get("result")) if isinstance(each, Mapping)]
    return [each for each in results if isinstance(each.get("value"), Mapping) and _list(each["value"].get(kind))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _studio_text(record: Record, to_name: str | None) -> str:
    data = record.get("data")
    if not isinstance(data, Mapping):
        raise BadRowError("bad_type", "'data' must be an object")
    texts = {name: value for name, value in data.items() if isinstance(value, str) and value.strip()}
    text = texts.get("text") or texts.get(str(to_name)) or max(texts.values(), key=len, default="")
    if not text:
        raise BadRowError("empty_text", "the task's data holds no text")
    return text


def _is_span(given: Any) -> bool:
    if isinstance(given, Mapping):
        return (
            isinstance(_place(given, "start"), int)
            and isinstance(_place(given, "end"), int)
            and any(given.get(name) for name in _KINDS)
        )
    return (
        isinstance(given, list | tuple)
        and len(given) == 3
        and isinstance(given[0], int)
        and isinstance(given[1], int)
        and isinstance(given[2], str)
    )


def _place(given: Mapping[str, Any], name: str) -> Any:
    return given.get(name, given.get(f"{name}_offset", given.get(f"{name}_position")))
