"""The places of chats where the assistant speaks, each with what was said before it. Imports no PyTorch."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset

Messages: TypeAlias = Sequence[Mapping[str, Any]]
Chat: TypeAlias = tuple[Messages, str | None]
"""What was said, and the tools as JSON text."""


def chats_of(dataset: Dataset, role: str) -> list[Chat]:
    """The chats of rows with ``messages`` (and ``tools``), or with a ``text`` each, which is a user's question.

    Raises:
        DataError: the rows have neither.
    """
    names = [name for name in ("messages", "tools", "text") if name in dataset.facts["columns"]]
    if "messages" in names:
        table = tables.read(dataset, [name for name in names if name != "text"])
        chats = [messages or [] for messages in table.column("messages").to_pylist()]
        tools = table.column("tools").to_pylist() if "tools" in names else [None] * len(chats)
        return list(zip(chats, tools, strict=True))
    if "text" in names:
        texts = tables.read(dataset, ["text"]).column("text").to_pylist()
        return [([{"role": "user", "content": text}], None) for text in texts if text]
    raise DataError(
        f"{role}: must have chats in a column messages, or prompts in a column text; it has "
        f"{', '.join(dataset.facts['columns'])}",
        parameter=role,
        remedy="Collect the source as chats, or leave it out.",
    )


def prompts_of(chats: Sequence[Chat], *, last_only: bool = False) -> list[Chat]:
    """What stands before each answer of the assistant, and a chat that waits for one whole.

    Args:
        last_only: only the last place of each chat.
    """
    found = []
    for messages, tools in chats:
        places = [at for at, one in enumerate(messages) if at and one.get("role") == "assistant"]
        if messages and messages[-1].get("role") != "assistant":
            places.append(len(messages))
        found += [(messages[:at], tools) for at in places[-1 if last_only else 0 :]]
    return found
