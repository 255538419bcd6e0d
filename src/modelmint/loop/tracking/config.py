"""The configuration of a side, flat: ``train.method.rank``, with what the training made of the knobs that were not set."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core.types import JSON
from modelmint.loop.tracking.sides import Side


def config_of(side: Side) -> JSON:
    """Dotted key -> a plain value: the specs of its stages, what it learned from, and the code and machine."""
    found: JSON = {} if side.seed is None else {"seed": side.seed}
    for role, dataset in side.data.items():
        found |= {f"data.{role}.rows": dataset.num_rows, f"data.{role}.digest": dataset.digest}
    verbs = [step.verb for step in side.steps]
    trained = _trained_by(side)
    for step in side.steps:
        name = step.verb if verbs.count(step.verb) == 1 else step.name
        seen = {key for key in step.spec if key in (each.verb for each in side.steps)}  # a copy of another stage's spec
        spec = flat({key: value for key, value in step.spec.items() if key not in seen})
        if step.name == trained:
            spec = _resolved(side, spec)
        found |= {f"{name}.{key}": value for key, value in spec.items()}
        found[f"code.{name}"] = step.version
    if trained is None:
        found |= {f"train.{key}": value for key, value in _resolved(side, {}).items()}
    made = side.training.measured.get("made_with", {}) if side.training is not None else {}
    return found | {f"code.{key}": value for key, value in made.items()}


def differences(sides: Sequence[Side]) -> list[JSON]:
    """``{"key", "values"}`` of what is not the same on all sides; None where a side has no such key."""
    configs = [config_of(side) for side in sides]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    stages = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys.sort(key=lambda key: stages.index(key.partition(".")[0]))
    rows = [{"key": key, "values": [config.get(key) for config in configs]} for key in keys]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"][1:])]


def flat(value: Mapping[str, Any], under: str = "") -> JSON:
    """Nested mappings as dotted keys; a list of plain values stays one value, as JSON."""
    found: JSON = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            found |= flat(inner, f"{under}{key}.")
        else:
            plain = inner is None or isinstance(inner, str | int | float | bool)
            found[f"{under}{key}"] = inner if plain else json.dumps(inner, ensure_ascii=False, sort_keys=True)
    return found


def _trained_by(side: Side) -> str | None:
    """The last stage that trains made the training of a side."""
    return next((step.name for step in reversed(side.steps) if step.verb == "train"), None)


def _resolved(side: Side, spec: JSON) -> JSON:
    """The flat spec with what the training used in place of what it was told, or was not told."""
    if side.training is None:
        return spec
    facts = side.training.facts
    used = flat({**facts["hyperparameters"], **{name: facts[name] for name in ("precision", "base", "task")}})
    inner = {key.rpartition(".")[0] for key in used}  # `options.model: linear` has become `options.model.name`
    return {key: value for key, value in spec.items() if key not in inner} | used
