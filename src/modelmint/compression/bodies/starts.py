"""What a pupil begins as: the trained model with a part cut out, or another model. Imports PyTorch."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelmint.compression.bodies.importance import answer_loss, neuron_importance
from modelmint.compression.bodies.layers import check_count, keep_layers, spaced
from modelmint.compression.bodies.neurons import keep_neurons, num_kept, pairs_of
from modelmint.compression.bodies.static import write_static
from modelmint.compression.bodies.step import Step
from modelmint.compression.bodies.students import student
from modelmint.compression.bodies.teacher import Teacher
from modelmint.core.errors import InputError
from modelmint.core.types import JSON

IMPORTANCE_ROWS = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A folder with an encoder and its tokenizer.

    `layers` are those of the trained model that its own stand for, in order; none where it is another model, which has
    no last layer yet. `told` goes into the facts, and `about` into modelmint.json where it differs.
    """

    folder: Path
    layers: Sequence[int] = ()
    told: JSON = field(default_factory=dict)
    about: JSON = field(default_factory=dict)


def start(step: Step, train: list[list[str]]) -> Start:
    """Make it in the scratch folder.

    Raises:
        InputError: the model's family does not allow it, or it reads pairs and the body cannot.
    """
    output = step.ctx.scratch / "bodies" / f"{step.name}.start"
    shutil.rmtree(output, ignore_errors=True)
    if step.kind == "layers":
        return _fewer_layers(step, output)
    if step.kind == "neurons":
        return _fewer_neurons(step, train, output)
    if len(train) > 1:
        raise InputError(
            f"try: {step.kind} is for models that read one text a row; this one reads pairs",
            parameter="try",
            remedy="`layers-3` is a smaller body for pairs.",
        )
    max_tokens = int(step.about["max_tokens"])
    if step.kind == "static":
        write_static(step.folder, train[0], output, max_tokens=max_tokens)
        return Start(folder=output)
    made = student(step.amount, train[0], step.folder, output, max_tokens=max_tokens, seed=step.ctx.seed)
    return Start(folder=made.folder, about=made.told)


def _fewer_layers(step: Step, output: Path) -> Start:
    num_layers, wanted = int(Teacher(step.folder).model.encoder.config.num_hidden_layers), int(step.amount)
    check_count(wanted, num_layers)
    kept = spaced(wanted, num_layers)
    keep_layers(step.folder, kept, output)
    told = {"layers": {"before": num_layers, "after": wanted, "kept": kept}}
    return Start(folder=output, layers=_origins(step, kept), told=told)


def _fewer_neurons(step: Step, train: list[list[str]], output: Path) -> Start:
    opened = Teacher(step.folder)
    encoder = opened.model.encoder
    pairs, width_name = pairs_of(encoder)
    width = int(getattr(encoder.config, width_name))
    kept = num_kept(int(step.amount), width)
    step.ctx.say(0, 0, f"{step.name}: which neurons matter")
    batches = [inputs for _, inputs in opened.batches([column[:IMPORTANCE_ROWS] for column in train])]
    downs = [encoder.get_submodule(pair.down) for pair in pairs]
    losses = (answer_loss(opened.model(**inputs), opened.by) for inputs in batches)
    found = neuron_importance(losses, downs, step.ctx.check)
    keep_neurons(step.folder, found, kept, output)
    told = {"neurons": {"before": width, "after": kept}}
    return Start(folder=output, layers=_origins(step, range(int(encoder.config.num_hidden_layers))), told=told)


def _origins(step: Step, kept: Sequence[int]) -> list[int]:
    """The trained model's layers that these of `step.folder` came from: steps before may have taken some out."""
    origins: list[int] | None = step.before().get("teacher_layers")
    return [origins[layer] for layer in kept] if origins else list(kept)
