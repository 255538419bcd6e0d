"""What `peek` found, as JSON that can be written to a terminal."""

from collections.abc import Mapping
from typing import Any

from modelmint.core.types import JSON
from modelmint.data.quarantine import printable
from modelmint.data.sources.encodings import undecoded
from modelmint.data.sources.guesses import ColumnGuess


def column_told(one: ColumnGuess, role: str | None) -> JSON:
    """A column, and what it is used as."""
    return {
        "name": one.name,
        "type": one.kind,
        "role": role,
        "missing": one.missing,
        "distinct": one.num_distinct,
        "examples": list(one.examples),
    }


def printable_told(value: Any) -> Any:
    """The same, with what could not be decoded as escapes: it is to be written to a terminal, or as JSON."""
    if isinstance(value, str):
        return printable(value) if undecoded(value) else value
    if isinstance(value, Mapping):
        return {printable_told(name): printable_told(each) for name, each in value.items()}
    return [printable_told(each) for each in value] if isinstance(value, list | tuple) else value


def words_of(cell: Any) -> str:
    """A list of tokens or messages as one text."""
    if isinstance(cell, list):
        return " ".join(str(each.get("content") or "") if isinstance(each, Mapping) else str(each) for each in cell)
    return str(cell)
