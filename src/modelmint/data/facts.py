"""What a dataset's facts say on its way through this room."""

from collections.abc import Mapping
from typing import Any

from modelmint.core.types import Dataset

_CARRIED = ("task", "language", "licence", "stand_ins")


def carried(dataset: Dataset) -> dict[str, Any]:
    """The facts that stay true of every dataset made from this one."""
    facts = dataset.facts
    return {"task": "text-classification", **{name: facts[name] for name in _CARRIED if name in facts}}


def counted(labels: Mapping[str, int]) -> dict[str, int]:
    """Label counts in the order of their names, without those that are zero."""
    return {name: int(count) for name, count in sorted(labels.items()) if count}


def warning(name: str, message: str) -> dict[str, str]:
    """One entry of a `warnings` fact."""
    return {"name": name, "message": message}
