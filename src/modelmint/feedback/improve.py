"""improve: the recipe that learns from feedback.

It is the recipe of the live revision with another beginning: the feedback instead of a source, the live model to start
from and to be measured against, and the same test set. The gates are those that let the live revision through, and the
new model must not be worse than the live one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core.errors import InputError
from modelmint.core.types import JSON

KEPT = ("evaluate", "compress", "parity", "report", "deploy")
NEEDED = ("train", "validation", "test", "model")


def improvement(
    *, endpoint: str, steps: Sequence[Mapping[str, Any]], roles: Mapping[str, Sequence[str]], feedback: str
) -> JSON:
    """The recipe, as a document.

    Args:
        steps: the stages of the run that made the live revision: verb and spec.
        roles: that run's artifacts by role.
        feedback: the id of a snapshot of the feedback.

    Raises:
        InputError: the live revision was not made by a run that trained.
    """
    missing = [role for role in NEEDED if not roles.get(role)]
    if missing:
        raise InputError(
            f"endpoint: the run behind {endpoint} must have made {', '.join(NEEDED)}; it lacks {', '.join(missing)}",
            parameter="endpoint",
            remedy="Deploy a model from a whole recipe first.",
        )
    specs = {step["verb"]: dict(step["spec"]) for step in steps}
    stages: list[JSON] = [{"deidentify": specs["deidentify"]}] if "deidentify" in specs else []
    stages += [{"curate": specs.get("curate", {})}, {"train": specs["train"] | _warm(specs["train"])}]
    stages += [{verb: specs[verb]} for verb in KEPT if verb in specs]
    return {
        "name": f"improve-{endpoint}",
        "stages": stages,
        "inputs": {
            "data": feedback,
            "train": roles["train"][0],
            "validation": roles["validation"][0],
            "test": roles["test"][0],
            "start": roles["model"][0],
            "live": roles["model"][0],
        },
    }


def _warm(spec: Mapping[str, Any]) -> JSON:
    """A start from the live model needs fewer and smaller steps than one from a base; what is null `train` sees to."""
    epochs, rate = spec.get("epochs"), spec.get("learning_rate")
    halved = {"epochs": max(1, round(epochs / 2))} if epochs else {}
    return {**halved, "learning_rate": rate / 2} if rate else halved
