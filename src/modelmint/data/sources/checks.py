"""Does a converted row fit its form? Each check takes the row and gives the canonical cells, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from modelmint.data.sources.encodings import undecoded
from modelmint.data.sources.rows import cell_text

Record: TypeAlias = Mapping[str, Any]

ROLES = ("system", "developer", "user", "assistant", "tool")


class BadRowError(Exception):
    """A row cannot be used. Never leaves the intake: it becomes a row of the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What a cell may hold, and how the source calls the canonical columns (for messages)."""

    max_cell_chars: int
    encoding: str
    names: Mapping[str, str]

    def row(self, task: str, record: Record) -> dict[str, Any]:
        """The canonical cells of a record of this task.

        Raises:
            BadRowError: it does not fit.
        """
        return _CHECKS[task](self, record)

    def text(self, record: Record, column: str, *, reason: str = "empty_text") -> str:
        """A cell that must hold text; numbers are written out where they may stand (labels)."""
        value = record.get(column)
        if not isinstance(value, str | None) and reason == "empty_text":
            raise BadRowError("bad_type", f"{self.name(column)!r} must be a string; is a {type(value).__name__}")
        text = cell_text(value) or ""
        self.plain(text)
        if not text.strip():
            raise BadRowError(reason, f"column {self.name(column)!r} is empty")
        return text

    def plain(self, text: str) -> None:
        """A cell of text must not be too long and must hold only what can be stored."""
        if len(text) > self.max_cell_chars:
            said = f"a cell of {len(text):,} characters; max_cell_chars takes {self.max_cell_chars:,}"
            raise BadRowError("too_long", said)
        if "\0" in text:
            raise BadRowError("nul_byte", "a cell holds a NUL byte")
        if undecoded(text):
            raise BadRowError("undecodable", f"a cell holds bytes that are not {self.encoding}")

    def name(self, column: str) -> str:
        return self.names.get(column, column)


def listed(value: Any) -> list[Any] | None:
    """A list, or JSON text of one (as a CSV cell holds it); None when it is neither."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return read if isinstance(read, list) else None
    return None


def _text_row(*columns: str, label: bool) -> Callable[[Checks, Record], dict[str, Any]]:
    def check(checks: Checks, record: Record) -> dict[str, Any]:
        for column in (*columns, *(["label"] if label else [])):  # what no cell may hold comes before what is empty
            if isinstance(cell := record.get(column), str):
                checks.plain(cell)
        row = {column: checks.text(record, column) for column in columns}
        return row | ({"label": _label(checks, record)} if label else {})

    return check


def _label(checks: Checks, record: Record) -> str:
    return checks.text(record, "label", reason="missing_label").strip()


def _tokens(checks: Checks, record: Record) -> dict[str, Any]:
    tokens, tags = (_words(checks, record, column) for column in ("tokens", "tags"))
    if not tokens:
        raise BadRowError("empty_text", f"{checks.name('tokens')!r} holds no token")
    if len(tokens) != len(tags):
        raise BadRowError("tag_mismatch", f"{len(tokens):,} tokens and {len(tags):,} tags")
    return {"tokens": tokens, "tags": tags}


def _words(checks: Checks, record: Record, column: str) -> list[str]:
    value = record.get(column)
    words = listed(value)
    if words is None and isinstance(value, str):
        words = value.split()
    if words is None or not all(isinstance(word, str | int) for word in words):
        raise BadRowError("bad_type", f"{checks.name(column)!r} must be a list of strings")
    checks.plain(" ".join(map(str, words)))
    return [str(word) for word in words]


def _question(checks: Checks, record: Record) -> dict[str, Any]:
    question, context = checks.text(record, "question"), checks.text(record, "context")
    answers = [(text, start) for text, start in record.get("answers") or () if isinstance(text, str) and text.strip()]
    if record.get("none"):
        return {"question": question, "context": context, "answer": None, "answer_start": None, "answers": []}
    if not answers:
        raise BadRowError("no_answer", "no answer is given")
    for text, _ in answers:
        checks.plain(text)
    answer, said = answers[0]
    start = said if isinstance(said, int) and context[said : said + len(answer)] == answer else None
    if start is None and (start := _nearest(context, answer, said)) < 0:
        raise BadRowError("bad_answer", f"the answer {answer[:60]!r} does not stand in the context")
    every = list(dict.fromkeys(text for text, _ in answers))
    return {"question": question, "context": context, "answer": answer, "answer_start": start, "answers": every}


def _nearest(context: str, answer: str, said: Any) -> int:
    """Where the answer stands, next to where it is said to; -1 when nowhere."""
    if not isinstance(said, int):
        return context.find(answer)
    before, after = context.rfind(answer, 0, max(said, 0) + len(answer)), context.find(answer, max(said, 0))
    if before < 0 or after < 0:
        return max(before, after)
    return before if said - before <= after - said else after


def _chat(checks: Checks, record: Record) -> dict[str, Any]:
    messages = messages_of(checks, record.get("messages"), "messages")
    if not any(message["role"] == "assistant" and _says(message) for message in messages):
        raise BadRowError("no_answer", "no message of the assistant says anything")
    return {"messages": messages, "tools": _json_text(checks, record.get("tools"), "tools")}


def _preference(checks: Checks, record: Record) -> dict[str, Any]:
    row = {column: messages_of(checks, record.get(column), column) for column in ("prompt", "chosen", "rejected")}
    for column in ("chosen", "rejected"):
        if not any(message["role"] == "assistant" and _says(message) for message in row[column]):
            raise BadRowError("no_answer", f"{checks.name(column)!r} holds no answer of the assistant")
    if row["chosen"] == row["rejected"]:
        raise BadRowError("same_answers", "the chosen and the rejected answer are equal")
    return row


def messages_of(checks: Checks, value: Any, column: str) -> list[dict[str, Any]]:
    """The messages of a chat in our form (`core.forms.MESSAGE`).

    Raises:
        BadRowError: none, an unknown role, or a content that is no text.
    """
    messages = listed(value)
    if messages is None and not (value is None or value == ""):
        raise BadRowError("bad_type", f"{checks.name(column)!r} must be a list of messages")
    if not messages:
        raise BadRowError("empty_messages", f"{checks.name(column)!r} holds no message")
    return [_message(checks, message) for message in messages]


def _message(checks: Checks, message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise BadRowError("bad_type", f"a message must be an object; is a {type(message).__name__}")
    role = message.get("role")
    role = "tool" if role == "function" else role
    if role not in ROLES:
        raise BadRowError("bad_role", f"a role must be one of {', '.join(ROLES)}; is {str(role)[:60]!r}")
    calls = message.get("tool_calls")
    if not calls and isinstance(message.get("function_call"), Mapping):  # the form before tools
        calls = [{"type": "function", "function": dict(message["function_call"])}]
    content = _content(message.get("content"))
    if content is not None:
        checks.plain(content)
    if not (content or "").strip() and not calls and role == "user":
        raise BadRowError("empty_text", "a message of the user is empty")
    return {
        "role": role,
        "content": content,
        "name": _word(checks, message.get("name")),
        "tool_calls": _json_text(checks, calls, "tool_calls") if calls else None,
        "tool_call_id": _word(checks, message.get("tool_call_id")),
    }


def _word(checks: Checks, value: Any) -> str | None:
    word = cell_text(value)
    if word is not None:
        checks.plain(word)
    return word


def _content(content: Any) -> str | None:
    if content is None or isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else None
    texts = [part.get("text") for part in parts or () if isinstance(part, Mapping) and part.get("type") == "text"]
    if parts is None or len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise BadRowError("bad_type", "the content of a message must be text")
    return "\n".join(map(str, texts))


def _json_text(checks: Checks, value: Any, column: str) -> str | None:
    """A list as JSON text."""
    if value in (None, "", []):
        return None
    values = listed(value)
    if values is None:
        raise BadRowError("bad_type", f"{column!r} must be a list")
    text = json.dumps(values, ensure_ascii=False, default=str)
    checks.plain(text)
    return text


def _says(message: Record) -> bool:
    return bool((message["content"] or "").strip() or message["tool_calls"])


def _retrieval(checks: Checks, record: Record) -> dict[str, Any]:
    """A negative is given or left out; a text that is both is no row."""
    row: dict[str, Any] = {column: checks.text(record, column) for column in ("query", "positive")}
    negative = record.get("negative")
    row["negative"] = checks.text(record, "negative") if negative is not None and str(negative).strip() else None
    if row["negative"] == row["positive"]:
        raise BadRowError("same_answers", "the positive and the negative text are equal")
    return row


def _bytes_row(column: str) -> Callable[[Checks, Record], dict[str, Any]]:
    def check(checks: Checks, record: Record) -> dict[str, Any]:
        value = record.get(column)
        if isinstance(value, Mapping):  # as the `datasets` library writes it
            value = value.get("bytes")
        if not value:
            raise BadRowError(f"empty_{column}", f"{checks.name(column)!r} holds nothing")
        if not isinstance(value, bytes):
            raise BadRowError("bad_type", f"{checks.name(column)!r} must hold bytes; is a {type(value).__name__}")
        return {column: value, "label": _label(checks, record)}

    return check


_CHECKS: dict[str, Callable[[Checks, Record], dict[str, Any]]] = {
    "text-classification": _text_row("text", label=True),
    "text-pair-classification": _text_row("text", "text_pair", label=True),
    "text-generation": _text_row("text", label=False),
    "text2text-generation": _text_row("text", "target", label=False),
    "text-retrieval": _retrieval,
    "token-classification": _tokens,
    "question-answering": _question,
    "chat": _chat,
    "preference": _preference,
    "image-classification": _bytes_row("image"),
    "audio-classification": _bytes_row("audio"),
}
