"""The generated parts of docs/training.md, read off the table of tasks and the specs of methods and architectures."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from modelmint.core.spec import Spec
from modelmint.training.knobs import NAMES, Knobs
from modelmint.training.methods.spec import AnyMethod
from modelmint.training.scratch.spec import Architecture, TokenizerSpec
from modelmint.training.tasks import TASKS, Task

Fields = Callable[[Mapping[str, Any]], str]
Table = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]


def training_parts(table: Table, fields: Callable[..., str]) -> dict[tuple[str, str], str]:
    """(page, name of the part) -> its Markdown."""
    page = "training.md"
    return {
        (page, "tasks"): table(("task", "rows", "what a model answers", "from nothing"), (_task(task) for task in TASKS.values())),
        (page, "options"): "\n\n".join(text for task in TASKS.values() if (text := _options(task, fields))),
        (page, "defaults"): table(("task", "knobs that are not those of the first"), (_defaults(task) for task in TASKS.values())),
        (page, "methods"): "\n\n".join(_spec(one, fields) for one in get_args(AnyMethod)),
        (page, "architectures"): "\n\n".join(
            _spec(one, fields) for one in (*get_args(get_args(Architecture)[0]), TokenizerSpec)
        ),
    }  # fmt: skip


def _task(task: Task) -> tuple[str, ...]:
    forms = ", ".join(f"`{form}`" for form in task.forms)
    return f"`{task.name}`", forms, task.answer, ", ".join(f"`{name}`" for name in task.architectures) or "–"


def _options(task: Task, fields: Callable[..., str]) -> str:
    options = getattr(task.learner(), "Options", None)
    if options is None:
        return ""
    return f"### Options of {task.name}\n\n{_fields(options, fields)}"


def _defaults(task: Task) -> tuple[str, ...]:
    general = Knobs()
    own = {name: value for name, value in {**task.defaults}.items() if getattr(general, name) != value}
    nothing = {name: value for name, value in task.from_nothing.items() if {**task.defaults}.get(name) != value}
    unread = [name for name in NAMES if name not in task.reads]
    said = [
        ", ".join(f"`{name}: {_said(value)}`" for name, value in own.items()),
        "from nothing " + ", ".join(f"`{name}: {_said(value)}`" for name, value in nothing.items()) if nothing else "",
        "does not read " + ", ".join(f"`{name}`" for name in unread) if unread else "",
    ]
    return f"`{task.name}`", "; ".join(part for part in said if part) or "none"


def _spec(spec: type[Spec], fields: Callable[..., str]) -> str:
    names = [str(name) for name in get_args(spec.model_fields["name"].annotation)]
    about = " ".join((spec.__doc__ or "").split())
    return f"**{', '.join(f'`{name}`' for name in names)}**: {about}\n\n{_fields(spec, fields)}".rstrip()


def _fields(spec: type[Spec], fields: Callable[..., str]) -> str:
    schema = spec.model_json_schema()
    known = {name: field.get_default(call_default_factory=True) for name, field in spec.model_fields.items()}
    kept = {
        name: part for name, part in schema.get("properties", {}).items() if name != "name" or spec is TokenizerSpec
    }
    return str(fields({**schema, "properties": kept}, schema.get("$defs", {}), known))


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
