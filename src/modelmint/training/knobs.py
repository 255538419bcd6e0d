"""The knobs of the loop with their values: what was set, else what the method, the architecture or the task says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.spec import ClassWeights, Optimizer, Precision, Schedule, TrainSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Knobs:
    """What `TrainSpec` calls by the same names, none of it null but where null means something.

    The defaults are those of fine-tuning an encoder of text, found on Banking77 (docs/log.md).
    """

    epochs: int = 4
    min_steps: int = 300
    max_steps: int | None = None
    batch_size: int = 32
    micro_batch_size: int | None = None
    optimizer: Optimizer = "adamw"
    learning_rate: float = 2e-4
    head_learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: Schedule = "linear"
    warmup: float = 0.06
    label_smoothing: float = 0.1
    encoder_dropout: float = 0.0
    head_dropout: float = 0.1
    max_grad_norm: float = 1.0
    max_tokens: int = 128
    freeze_embeddings: bool = False
    class_weights: ClassWeights = "none"
    ema: float = 0.0
    patience: int = 2
    precision: Precision = "auto"
    gradient_checkpointing: bool = False

    def to_json(self) -> JSON:
        return asdict(self)


NAMES = tuple(field.name for field in fields(Knobs))


def resolve(spec: TrainSpec, task: str, *, reads: frozenset[str], defaults: Mapping[str, Any]) -> Knobs:
    """Every knob's value.

    Args:
        task: its name, for errors.
        reads: the knobs that mean something to the task.
        defaults: where they differ from those of `Knobs`; the later of the method's and the task's wins.

    Raises:
        InputError: a knob was set that the task does not read.
    """
    given = {name: value for name in NAMES if (value := getattr(spec, name)) is not None}
    if strange := sorted(set(given) - reads):
        raise InputError(
            f"{strange[0]}: must be left out, since {task} has no use for it; got {given[strange[0]]!r}",
            parameter=strange[0],
            remedy=f"It reads {', '.join(sorted(reads))}.",
        )
    return Knobs(**{**defaults, **given})
