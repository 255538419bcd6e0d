"""What is searched: knobs of a training by their dotted names, and the training with values put in their places."""

import difflib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelmint.core.errors import InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON
from modelmint.training.knobs import Knobs
from modelmint.training.spec import TrainSpec

if TYPE_CHECKING:
    from modelmint.training.searching.spec import Range
    from modelmint.training.tasks import Task

INSIDE = ("architecture", "tokenizer", "method", "options")
"""Fields of `train` that have parts of their own."""
NOT_SEARCHED = {
    "task": "it decides what the score means",
    "base": "the search would not know which weights it has read; `train` each base in a recipe of its own",
    "workers": "it is a matter of machines, and trials train on one",
}
Space = Mapping[str, "Range | tuple[Any, ...]"]


def check_space(space: Space, train: TrainSpec | None) -> None:
    """Whether every name is a knob, unset in `train`, that takes every end and choice. Options are the task's to judge.

    Args:
        train: None where it is not known yet; then names alone are looked at.

    Raises:
        InputError: naming the knob.
    """
    for key, sought in space.items():
        _check_name(key, space)
        if isinstance(sought, tuple) and len({json.dumps(choice, sort_keys=True) for choice in sought}) < len(sought):
            raise _error(key, f"must have choices that differ; got {list(sought)!r}", "Take the second of the two out.")
        if train is None:
            continue
        if key.partition(".")[0] in ("architecture", "tokenizer") and train.base != "none":
            raise _error(
                key,
                f"must go with base: none, since a base brings its own; got {train.base!r}",
                "Set train.base to none.",
            )
        if (given := set_value(train, key)) is not None:
            raise _error(
                key,
                f"must be set in train or searched, not both; train has {given!r}",
                f"Take {key} out of train, or out of search.space.",
            )
        if not key.startswith("options"):
            for value in ends(sought):
                placed(train, {key: value})


def check_reads(space: Space, train: TrainSpec, task: "Task", options: type[Spec] | None) -> None:
    """Whether the task has a use for every knob and option, and its options take every end and choice.

    Raises:
        InputError: naming the knob.
    """
    from modelmint.training.train import options_of

    for key, sought in space.items():
        for value in ends(sought):
            tried = placed(train, {key: value}, options)
            try:
                task.knobs(task.begun(tried))
                options_of(task, task.learner(), tried.options)
            except InputError as error:
                raise _error(key, error.message.partition(": ")[2], error.remedy or "") from error


def default_values(space: Space, train: TrainSpec, knobs: Knobs, options: type[Spec] | None) -> JSON:
    """What the knobs are without a search, of those whose value is one that would be tried."""
    body = train.identity() | knobs.to_json()
    body["options"] = {} if options is None else options(**train.options).model_dump(mode="json")
    found = {}
    for key, sought in space.items():
        value = _at(body, key)
        if isinstance(value, dict) and isinstance(sought, tuple) and value not in sought:
            value = value.get("name")
        if isinstance(sought, tuple) and value in sought:
            found[key] = value
        if not isinstance(sought, tuple) and isinstance(value, int | float) and _is_within(value, sought):
            found[key] = value
    return found


def placed(train: TrainSpec, values: Mapping[str, Any], options: type[Spec] | None = None) -> TrainSpec:
    """The training with values in the places that their dotted names say.

    Args:
        options: of the task; fills what is around a value inside `options`.

    Raises:
        InputError: a value does not fit its knob.
    """
    body = train.identity()
    for key, value in values.items():
        *way, last = key.split(".")
        place = body
        for depth, part in enumerate(way):
            inner = place.get(part)
            if inner is None and way[0] == "options" and options is not None:
                inner = _default(options, way[1 : depth + 1])
            if isinstance(inner, str):
                inner = {"name": inner}
            if not isinstance(inner, dict):
                raise _error(
                    key, f"must be a part of something that train names; {part} is {inner!r}", f"Name train.{part}."
                )
            place[part] = place = dict(inner)
        place[last] = value
    try:
        return TrainSpec.model_validate(body)
    except ValidationError as error:
        raise _misfit(values, error) from error


def set_value(train: TrainSpec, key: str) -> Any:
    """What `train` says of a knob that is not its default; None where it says nothing."""
    root, _, rest = key.partition(".")
    body, default = train.identity(), TrainSpec().identity()
    if root in ("architecture", "method", "tokenizer") and rest and isinstance(body[root], dict):
        default = TrainSpec.model_validate({root: {"name": body[root]["name"]}}).identity()
    ours, others = _at(body, key), _at(default, key)
    return None if ours == others else ours


def is_whole(train: TrainSpec, key: str, sought: "Range", options: type[Spec] | None = None) -> bool:
    """Whether a range is of whole numbers: its ends are, and its knob takes no others."""
    if any(
        isinstance(number, float) and not number.is_integer() for number in (sought.low, sought.high, sought.step or 1)
    ):
        return False
    try:
        between = placed(train, {key: sought.low + 0.5}, options)
        if options is not None:
            options.model_validate(between.options)
    except (InputError, ValidationError):
        return True
    return False


def ends(sought: "Range | tuple[Any, ...]") -> tuple[Any, ...]:
    """The values that every other lies between, or all of them."""
    return sought if isinstance(sought, tuple) else (sought.low, sought.high)


def written(value: Any) -> str:
    """A value in a word: ``0.00031``, ``16``, ``lora``."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_name(key: str, space: Space) -> None:
    root, dot, rest = key.partition(".")
    if root in NOT_SEARCHED:
        raise _error(key, f"cannot be searched: {NOT_SEARCHED[root]}", f"Set train.{root}.")
    names = [name for name in TrainSpec.model_fields if name not in NOT_SEARCHED]
    if root not in names:
        near = difflib.get_close_matches(root, names, n=1)
        known = f"It takes {', '.join(names)}, and parts of {', '.join(INSIDE)} behind a dot."
        raise _error(key, "must be a knob of train", f"Did you mean {near[0]!r}?" if near else known)
    if dot and (root not in INSIDE or not rest or "" in rest.split(".")):
        raise _error(key, f"must be a knob of train; {root} has no part {rest!r}", f"Parts have {', '.join(INSIDE)}.")
    if key == "options":
        raise _error(key, "must name one of the options", "Write options.NAME.")
    if within := next((other for other in space if key.startswith(f"{other}.")), None):
        raise _error(key, f"cannot be searched together with {within}, of which it is a part", "Keep one of the two.")


def _is_within(value: float, sought: "Range") -> bool:
    num_steps = (value - sought.low) / sought.step if sought.step else 0.0
    return sought.low <= value <= sought.high and abs(num_steps - round(num_steps)) < 1e-9


def _default(options: type[Spec], way: list[str]) -> Any:
    whole: Any = options().model_dump(mode="json")
    for part in way:
        whole = whole.get(part) if isinstance(whole, dict) else None
    return whole


def _at(body: JSON, key: str) -> Any:
    place: Any = body
    for part in key.split("."):
        place = place.get(part) if isinstance(place, dict) else None
    return place


def _misfit(values: Mapping[str, Any], error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    key = next((key for key in values if key.partition(".")[0] == str(first["loc"][0])), next(iter(values)))
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if first["type"] == "extra_forbidden":
        message = f"must be a part of {key.rpartition('.')[0]}, and is none"
    return _error(
        key,
        f"{message}; got {values[key]!r}",
        "Mend its range or choices: `train` in docs/reference says what it takes.",
    )


def _error(key: str, problem: str, remedy: str) -> InputError:
    return InputError(f"space.{key}: {problem}", parameter=f"space.{key}", remedy=remedy)
