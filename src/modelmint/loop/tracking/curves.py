"""The curves of a training, as points, from its report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelmint.core.types import Report

MB = 1_000_000
Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curves:
    """Name -> points (x, y): `steps` by step, `epochs` by epoch (or round); `by_time` is the loss by seconds of steps."""

    steps: dict[str, Points] = field(default_factory=dict)
    epochs: dict[str, Points] = field(default_factory=dict)
    by_time: Points = field(default_factory=list)


def curves_of(training: Report) -> Curves:
    """All that the report has: what it lacks (boosted trees make no steps) is left out."""
    facts, pace = training.facts, training.measured.get("pace", {})
    curve = facts["curve"]
    places = [float(point["step"]) for point in curve]
    steps = {
        name: _points(places, [point[name] for point in curve])
        for name in ("loss", "gradient_norm", "learning_rate")
        if curve
    }
    paced = [float(step) for step in pace.get("step", ())]
    for name in ("examples_per_s", "tokens_per_s"):
        if name in pace:
            steps[name] = _points(paced, pace[name])
    held = pace.get("gpu_memory_bytes", pace.get("memory_bytes"))
    if held:
        steps["memory_mb"] = _points(paced, [value / MB for value in held])
    losses = [point["loss"] for point in curve]
    seconds = pace.get("seconds", ())
    return Curves(
        steps=steps,
        epochs=_by_epoch(facts["history"]),
        by_time=_points(seconds, losses) if len(seconds) == len(losses) else [],
    )


def _by_epoch(history: Sequence[dict[str, Any]]) -> dict[str, Points]:
    names = [name for name in (history[-1] if history else {}) if name != "epoch"]
    found = {
        name: [(float(row["epoch"]), float(row[name])) for row in history if isinstance(row.get(name), int | float)]
        for name in names
    }
    return {name: points for name, points in found.items() if points}


def _points(places: Sequence[float], values: Sequence[float]) -> Points:
    return [(float(x), float(y)) for x, y in zip(places, values, strict=True)]
