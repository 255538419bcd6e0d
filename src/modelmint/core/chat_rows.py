"""Chats as rows hold them: whole, or as a prompt with the better and the worse answer."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Messages: TypeAlias = list[dict[str, Any]]
WHOLE = ("messages", "tools")
PREFERRED = ("prompt", "chosen")


def columns_of_chats(names: Sequence[str]) -> list[str]:
    """Which of a table's columns make chats; none where it holds none."""
    if "messages" in names:
        return [name for name in WHOLE if name in names]
    return [*PREFERRED] if set(PREFERRED) <= set(names) else []


def messages_of(row: Mapping[str, Any]) -> Messages:
    """What was said in a row: its messages, or its prompt with the answer that people preferred."""
    if "messages" in row:
        return list(row["messages"] or ())
    return [*(row["prompt"] or ()), *(row["chosen"] or ())]
