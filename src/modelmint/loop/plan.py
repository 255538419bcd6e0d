"""A compiled recipe: what a run does, as JSON in the run's row."""

from collections.abc import Callable, Mapping, Sequence
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
    engine: str | None = None
    """Where it runs: ``local`` or ``ray``; None leaves it to MODELMINT_RAY_ADDRESS. Never part of the identity."""

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

    def pinned(self, identify: Callable[[str], str]) -> "Plan":
        """The plan with the ids that names of one's own stand for now: moving a name later does not change it."""
        steps = [
            step.with_wiring(
                {
                    role: [{"artifact": identify(ref["artifact"])} if "artifact" in ref else ref for ref in refs]
                    for role, refs in step.wiring.items()
                }
            )
            for step in self.steps
        ]
        inputs = {role: [identify(item) for item in items] for role, items in self.inputs.items()}
        return replace(self, inputs=inputs, steps=steps)

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> "Plan":
        return cls(**{**value, "steps": [Step(**step) for step in value["steps"]]})
