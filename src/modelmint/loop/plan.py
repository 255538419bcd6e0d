"""A compiled recipe: what a run does, as JSON in the run's row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

from modelmint.core.types import JSON

Ref: TypeAlias = dict[str, str]
"""``{"stage": name, "role": role}``, or ``{"artifact": id}`` for what the recipe takes from the catalog."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage of a plan."""

    name: str
    verb: str
    version: int
    spec: JSON
    wiring: Mapping[str, Sequence[Ref]]
    """role -> where its artifacts come from"""
    timeout_s: float | None = None

    def with_spec(self, spec: JSON) -> "Step":
        return replace(self, spec=spec)

    def with_wiring(self, wiring: Mapping[str, Sequence[Ref]]) -> "Step":
        return replace(self, wiring=wiring)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run."""

    name: str
    seed: int
    params: JSON
    inputs: Mapping[str, Sequence[str]]
    steps: Sequence[Step]
    fresh: bool = False
    """Run every stage again, whatever the catalog has."""

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> "Plan":
        return cls(**{**value, "steps": [Step(**step) for step in value["steps"]]})
