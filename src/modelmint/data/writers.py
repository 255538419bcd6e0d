"""The records of each dialect that a dataset can be exported to: the other direction of `data.dialects`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelmint.core.types import JSON

Record = JSON
Message = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a row is written as a record of a dialect; `tasks` are those that it can hold."""

    tasks: tuple[str, ...]
    record: Callable[[Record], Record]
    whole: bool = False
    """One JSON document instead of a record a line."""


def openai(row: Record) -> Record:
    """OpenAI's chat format: https://platform.openai.com/docs/guides/supervised-fine-tuning."""
    messages = [_openai_message(message) for message in _messages(row)]
    return {"messages": messages, **_tools(row)}


def sharegpt(row: Record) -> Record:
    """ShareGPT: conversations of ``from`` and ``value``."""
    names = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
    said = [
        {"from": names.get(str(message["role"]), str(message["role"])), "value": message["content"] or ""}
        for message in _messages(row)
    ]
    return {"conversations": said, **_tools(row)}


def alpaca(row: Record) -> Record:
    """Stanford Alpaca: instruction, input, output; a chat of several turns has the earlier ones in ``history``."""
    record = query_response(row)
    return {
        "instruction": record.pop("query"),
        "input": "",
        "output": record.pop("response"),
        **record,
    }


def query_response(row: Record) -> Record:
    """Query and response, with the earlier turns as pairs in ``history`` (ms-swift, LLaMA-Factory)."""
    messages = _messages(row)
    said = [message for message in messages if message["role"] in ("user", "assistant")]
    pairs = [[said[at]["content"] or "", said[at + 1]["content"] or ""] for at in range(0, len(said) - 1, 2)]
    system = [message["content"] for message in messages if message["role"] == "system"]
    last = pairs.pop() if pairs else ["", ""]
    return {
        "query": last[0],
        "response": last[1],
        **({"system": system[0]} if system else {}),
        **({"history": pairs} if pairs else {}),
    }


def openai_preference(row: Record) -> Record:
    """OpenAI's preference pairs: https://platform.openai.com/docs/guides/direct-preference-optimization."""
    return {
        "input": {"messages": [_openai_message(message) for message in row["prompt"] or ()]},
        "preferred_output": [_openai_message(message) for message in row["chosen"] or ()],
        "non_preferred_output": [_openai_message(message) for message in row["rejected"] or ()],
    }


def trl(row: Record) -> Record:
    """TRL's conversational preference pairs: https://huggingface.co/docs/trl/dataset_formats."""
    return {
        side: [_openai_message(message) for message in row[side] or ()] for side in ("prompt", "chosen", "rejected")
    }


def label_studio(row: Record) -> Record:
    """A task of Label Studio with one annotation: choices for texts, labels of spans for tokens."""
    if "tokens" in row:
        data = {"text": " ".join(row["tokens"]), "tokens": list(row["tokens"])}
        return {"data": data, "annotations": [{"result": list(_spans(row))}]}
    choice = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [row["label"]]}}
    return {"data": {"text": row["text"]}, "annotations": [{"result": [choice]}]}


def squad(row: Record) -> Record:
    """One paragraph of one question; `export` puts them under SQuAD's ``data``."""
    answers = (
        [] if row.get("answer") is None else [{"text": row["answer"], "answer_start": row.get("answer_start") or 0}]
    )
    answers += [
        {"text": other, "answer_start": max(0, row["context"].find(other))}
        for other in row.get("answers") or ()
        if other != row.get("answer")
    ]
    asked = {"id": row["_row"], "question": row["question"], "answers": answers, "is_impossible": not answers}
    return {"title": "", "paragraphs": [{"context": row["context"], "qas": [asked]}]}


_CHAT, _PREFERENCE = ("chat",), ("preference",)
DIALECTS: dict[str, Dialect] = {
    "openai": Dialect(tasks=(*_CHAT, "text2text-generation"), record=openai),
    "sharegpt": Dialect(tasks=(*_CHAT, "text2text-generation"), record=sharegpt),
    "alpaca": Dialect(tasks=(*_CHAT, "text2text-generation"), record=alpaca),
    "query-response": Dialect(tasks=(*_CHAT, "text2text-generation"), record=query_response),
    "openai-preference": Dialect(tasks=_PREFERENCE, record=openai_preference),
    "trl": Dialect(tasks=_PREFERENCE, record=trl),
    "label-studio": Dialect(tasks=("text-classification", "token-classification"), record=label_studio, whole=True),
    "squad": Dialect(tasks=("question-answering",), record=squad, whole=True),
}


def loses_tools(dialect: str, row: Record) -> bool:
    """Whether a chat says more than the dialect can hold: calls of tools, or turns that do not alternate."""
    if dialect not in ("alpaca", "query-response", "sharegpt") or "messages" not in row:
        return False
    messages = _messages(row)
    if dialect == "sharegpt":
        return any(message.get("tool_calls") for message in messages)
    roles = [message["role"] for message in messages if message["role"] != "system"]
    return any(message.get("tool_calls") for message in messages) or roles != ["user", "assistant"] * (len(roles) // 2)


def _messages(row: Record) -> list[Message]:
    if "messages" in row:
        return list(row["messages"] or ())
    return [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": row["target"]}]


def _openai_message(message: Message) -> Record:
    said = {name: value for name, value in message.items() if value is not None and name != "tool_calls"}
    calls = {"tool_calls": json.loads(message["tool_calls"])} if message.get("tool_calls") else {}
    return {"role": message["role"], "content": message["content"], **said, **calls}


def _tools(row: Record) -> Record:
    return {"tools": json.loads(row["tools"])} if row.get("tools") else {}


def _spans(row: Record) -> Any:
    """Label Studio's spans of a row of tokens with BIO tags; offsets in characters of the tokens joined by spaces."""
    text, start, open_span = " ".join(row["tokens"]), 0, None
    for token, tag in zip(row["tokens"], row["tags"], strict=True):
        kind = tag[2:] if tag[:2] in ("B-", "I-", "S-", "E-") else None
        if open_span and (kind != open_span[0] or tag[:2] in ("B-", "S-")):
            yield _span(text, *open_span)
            open_span = None
        if kind:
            open_span = (kind, open_span[1] if open_span else start, start + len(token))
        start += len(token) + 1
    if open_span:
        yield _span(text, *open_span)


def _span(text: str, kind: str, start: int, end: int) -> Record:
    value = {"start": start, "end": end, "text": text[start:end], "labels": [kind]}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}
