"""Bodies: smaller models that answer as a trained one does. Each is a folder that `training` opens like any model.

A body's name is one of `BODIES` or several of them joined by `+`, made one upon the other from left to right:
`layers-3+vocabulary`. What is smaller is then exported and quantized like any model. Nothing heavy is imported here.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from modelmint.core.errors import InputError
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset

BODIES: dict[str, str] = {
    "vocabulary": "only the tokens that the training and unlabelled texts use, and single characters",
    "vocabulary-N": "as `vocabulary`, and the first of the others until there are N",
    "layers-N": "N of the layers, trained again to answer as the whole model does",
    "neurons-P": "P per cent of the neurons of each feed-forward pair, trained again likewise",
    "static": "a vector a token and a pair of tokens, their mean, one linear layer; trained to answer as the model does",
    "base-NAME": "another base (`text-cnn`, `lstm`, `transformer` or one of the catalogue; of chats `transformer`), trained likewise",
}
"""Name pattern, and what it keeps of the model."""


class BodyOptions(Spec):
    """How a smaller body learns to answer as the trained model does."""

    epochs: int | None = Field(default=None, ge=1, le=1_000)
    """How often every row is seen; null is the body's own."""
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    """The peak learning rate; null is the body's own."""
    temperature: float = Field(default=1.0, ge=0.1, le=100)
    """What both models' logits are divided by: higher teaches more of how alike the wrong labels are."""
    max_new_tokens: int = Field(default=256, ge=1, le=8_192)
    """Chats: an answer that the trained model writes is cut there, and then left out."""
    state_weight: float = Field(default=1.0, ge=0, le=1_000)
    """How much the mean states of the layers count beside the answers, where both models are as wide."""


@dataclass(frozen=True, kw_only=True)
class BodyInputs:
    """`folder` is a trained model's. Nothing is learned from the validation rows; they choose the best epoch.

    `unlabelled` has texts alone, on which the trained model is the teacher.
    """

    folder: Path
    train: Dataset
    validation: Dataset
    unlabelled: Dataset | None = None
    options: BodyOptions = field(default_factory=BodyOptions)


def make_body(name: str, given: BodyInputs, ctx: StageContext) -> Path:
    """Make the body, or give the folder of it that this stage has made already.

    Beside the folder lies what was done: `facts_of`. Equal models, rows, options and seeds give equal folders.

    Raises:
        InputError: there is no such body, or the model's task, family or tokenizer does not allow it.
        StageError: the deadline passed, or the loss is no finite number.
    """
    from modelmint.compression.bodies.making import make

    folder, done = given.folder, ""
    for step in check_name(name).split("+"):
        done = f"{done}+{step}" if done else step
        made = ctx.scratch / "bodies" / done
        if not facts_path(made).exists():
            ctx.check()
            ctx.say(0, 0, f"making {done}")
            make(step, done, folder, given, ctx, made)
        folder = made
    return folder


def facts_of(folder: Path) -> JSON:
    """What was done to make a body: its steps, parameters and sizes before and after, and how often it agrees."""
    facts: JSON = json.loads(facts_path(folder).read_text(encoding="utf-8"))
    return facts


def facts_path(folder: Path) -> Path:
    """Where the facts of a body's folder lie."""
    return folder.with_name(f"{folder.name}.json")


def check_name(name: str) -> str:
    """The name, if it is one of a body.

    Raises:
        InputError: it is not.
    """
    steps = name.split("+")
    wrong = next((step for step in steps if not any(re.fullmatch(one, step) for one in _PATTERNS)), None)
    if wrong is None and len(set(steps)) == len(steps):
        return name
    raise InputError(
        f"try: a body must be one of {', '.join(BODIES)}, or several joined by +, each once; got {name!r}",
        parameter="try",
        remedy="`layers-3+vocabulary` keeps three layers and the tokens that the texts use.",
    )


_PATTERNS = [
    re.escape(name)
    .replace(r"\-NAME", "-[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
    .replace(r"\-N", "-[1-9][0-9]{0,6}")
    .replace(r"\-P", "-[1-9][0-9]?")
    for name in BODIES
]
