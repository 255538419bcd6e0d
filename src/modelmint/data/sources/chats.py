"""Dialects of chat and preference data -> messages as OpenAI writes them. What the fields mean: docs of each format."""

import re
from collections.abc import Mapping
from typing import Any

from modelmint.data.sources.checks import BadRowError, Record, listed

_SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "observation": "tool",
    "tool": "tool",
    "function_response": "tool",
}
_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def alpaca(record: Record) -> dict[str, Any]:
    """``instruction``, ``input``, ``output`` and perhaps ``system`` and ``history`` (Taori et al. 2023)."""
    asked = "\n".join(part for part in (_text(record, "instruction"), _text(record, "input")) if part)
    return _turns(record, asked, _text(record, "output"))


def query_response(record: Record) -> dict[str, Any]:
    """``query``, ``response`` and perhaps ``system`` and ``history``, a list of pairs."""
    return _turns(record, _text(record, "query"), _text(record, "response"))


def question_answer(record: Record) -> dict[str, Any]:
    """``question`` and ``answer`` without a context."""
    return _turns(record, _text(record, "question"), _text(record, "answer"))


def prompt_completion(record: Record) -> dict[str, Any]:
    """``prompt`` and ``completion``, as texts or as messages (TRL)."""
    if isinstance(record.get("prompt"), str):
        return _turns(record, _text(record, "prompt"), _text(record, "completion"))
    prompt, completion = listed(record.get("prompt")) or [], listed(record.get("completion")) or []
    return {"messages": [*prompt, *completion], "tools": record.get("tools")}


def openai_chat(record: Record) -> dict[str, Any]:
    """``messages``, and perhaps ``tools`` (or ``functions``, their older form)."""
    tools = record.get("tools")
    if not tools and isinstance(record.get("functions"), list):
        tools = [{"type": "function", "function": each} for each in record["functions"]]
    return {"messages": record.get("messages"), "tools": tools}


def sharegpt(record: Record) -> dict[str, Any]:
    """``conversations`` of ``from`` and ``value``; ``system`` and ``tools`` may stand beside them."""
    turns = listed(record.get("conversations"))
    if turns is None:
        raise BadRowError("bad_type", "'conversations' must be a list")
    system = _text(record, "system")
    messages = [{"role": "system", "content": system}] if system else []
    return {"messages": messages + [_sharegpt_turn(turn) for turn in turns], "tools": record.get("tools")}


def openai_preference(record: Record) -> dict[str, Any]:
    """``input``, ``preferred_output``, ``non_preferred_output``."""
    given = record.get("input")
    prompt = given.get("messages") if isinstance(given, Mapping) else None
    return {
        "prompt": prompt,
        "chosen": record.get("preferred_output"),
        "rejected": record.get("non_preferred_output"),
    }


def trl_preference(record: Record) -> dict[str, Any]:
    """``chosen``, ``rejected`` and perhaps ``prompt``, as texts or as messages; without one it is what both begin with."""
    chosen, rejected = (_messages(record.get(name), "assistant") for name in ("chosen", "rejected"))
    prompt = _messages(record.get("prompt"), "user")
    if not prompt:
        shared = 0
        while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
            shared += 1
        prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    elif chosen[: len(prompt)] == prompt and rejected[: len(prompt)] == prompt:
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _messages(value: Any, role: str) -> list[Any]:
    if not isinstance(value, str):
        return listed(value) or []
    if (messages := listed(value)) is not None and all(isinstance(each, dict) for each in messages):
        return messages
    if _TURN.match(value):  # one text of several turns (Bai et al. 2022)
        parts = _TURN.split(value)[1:]
        roles = {"Human": "user", "Assistant": "assistant"}
        return [{"role": roles[who], "content": said} for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return [{"role": role, "content": value}] if value.strip() else []


def _turns(record: Record, asked: str, answered: str) -> dict[str, Any]:
    """One question and its answer after what came before them."""
    if not asked.strip():
        raise BadRowError("empty_text", "nothing is asked")
    if not answered.strip():
        raise BadRowError("no_answer", "nothing is answered")
    system = _text(record, "system")
    messages = [{"role": "system", "content": system}] if system else []
    for turn in listed(record.get("history")) or []:
        if not isinstance(turn, list | tuple) or len(turn) != 2:
            raise BadRowError("bad_type", "'history' must be a list of pairs")
        messages += [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
    messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return {"messages": messages, "tools": record.get("tools")}


def _sharegpt_turn(turn: Any) -> dict[str, Any]:
    if not isinstance(turn, Mapping):
        raise BadRowError("bad_type", "a turn of 'conversations' must be an object")
    speaker, said = str(turn.get("from", turn.get("role"))), turn.get("value", turn.get("content"))
    if speaker == "function_call":
        calls = listed(said) or [said]
        functions = [call if isinstance(call, Mapping) else {"arguments": str(call)} for call in calls]
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"type": "function", "function": f} for f in functions],
        }
    if speaker.lower() not in _SHAREGPT_ROLES:
        raise BadRowError("bad_role", f"'from' must be one of {', '.join(_SHAREGPT_ROLES)}; is {speaker[:60]!r}")
    return {**{key: turn[key] for key in ("name", "tool_calls", "tool_call_id") if key in turn},
            "role": _SHAREGPT_ROLES[speaker.lower()], "content": said}  # fmt: skip


def _text(record: Record, name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise BadRowError("bad_type", f"{name!r} must be a string; is a {type(value).__name__}")
