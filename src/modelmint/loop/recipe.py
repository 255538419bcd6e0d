"""The spec of a run: a YAML file with a named list of stages.

    name: customer-service
    params: {data: questions.csv, base: starter}
    stages:
      - collect: {source: "${data}", text: question, label: intent}
      - clean
      - train: {base: "${base}", epochs: 6}
        as: small            # a name of its own, where a verb stands twice
        from: {train: clean.data}
        timeout_s: 3600
        engine: ray          # of a stage that can run on Ray: at MODELMINT_RAY_ADDRESS, or one started for the stage

Compiling gives a `Plan`: every spec validated, every input wired to the newest earlier output of its name.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from modelmint.core.errors import RecipeError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON
from modelmint.loop.document import Document, Path_, read_document
from modelmint.loop.plan import Plan, Step
from modelmint.loop.stages import ENGINES, Verb, verbs
from modelmint.loop.wiring import wire

KEYS = {
    "name": "the run's name",
    "about": "a line for people",
    "params": "values that --set may change",
    "seed": "a whole number",
    "inputs": "role: artifact id, to start from what is in the catalog",
    "stages": "the list of stages",
}
STAGE_KEYS = ("as", "from", "timeout_s", "engine")
DEFAULT_SEED = 17
_PARAM = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def compile_recipe(
    file: Path, *, settings: Sequence[str] = (), name: str | None = None, until: str | None = None
) -> Plan:
    """Read, check and wire a recipe.

    Args:
        settings: ``param=value`` or ``stage.key=value``, as given with ``--set``; paths in them are relative to the
            working folder, those in the recipe to the recipe's own folder.
        until: the last stage to run.

    Raises:
        RecipeError: naming file, line and key, what is allowed and what was given.
    """
    document = read_document(file)
    return compile_document(document, settings=settings, name=name, until=until)


def compile_document(
    document: Document, *, settings: Sequence[str] = (), name: str | None = None, until: str | None = None
) -> Plan:
    """The same, of a recipe that is already read."""
    top = _top(document)
    seed = _seed(document, top)
    params = dict(_mapping(document, top.get("params"), ("params",)))
    entries = [_entry(document, item, index) for index, item in enumerate(top["stages"])]
    for setting in settings:
        _set(setting, params, entries)
    steps = [_step(document, entry, params) for entry in entries]
    steps = _seen(document, entries, steps)
    inputs = {
        str(role): [str(item) for item in (ids if isinstance(ids, list) else [ids])]
        for role, ids in _mapping(document, top.get("inputs"), ("inputs",)).items()
    }
    if "overrides" in inputs:
        remedy = 'Take it out. Where a gate refuses: `modelmint override RUN --reason "..."`.'
        raise document.error(("inputs", "overrides"), "a person gives them, for one run; no recipe does", remedy=remedy)
    wired = wire(document, [entry.verb for entry in entries], steps, [entry.sources for entry in entries], inputs)
    return Plan(
        name=name or str(top.get("name") or document.file.stem),
        seed=seed,
        params=_shown(params),
        inputs=inputs,
        steps=_until(wired, until),
    )


class _Entry:
    """One item of `stages`, as written."""

    def __init__(
        self,
        *,
        name: str,
        verb: Verb,
        spec: dict[str, Any],
        path: Path_,
        sources: Mapping[str, str],
        timeout_s: float | None,
        engine: str | None,
    ) -> None:
        self.name, self.verb, self.spec, self.path, self.sources = name, verb, spec, path, sources
        self.timeout_s, self.engine = timeout_s, engine


class _Given(str):
    """A string that came with --set: a path in it is relative to the working folder."""

    __slots__ = ()


def _top(document: Document) -> dict[str, Any]:
    top = document.value
    if not isinstance(top, dict) or not isinstance(top.get("stages"), list) or not top["stages"]:
        raise document.error(
            (),
            f"must be a mapping with a list named stages; got {_kind(top)}",
            remedy="Begin with:\n    name: my-model\n    stages:\n      - collect: {source: data.csv}",
        )
    for key in top:
        if key not in KEYS:
            raise document.error((key,), f"unknown key; a recipe has {', '.join(KEYS)}", remedy=_meant(key, KEYS))
    return top


def _entry(document: Document, item: Any, index: int) -> _Entry:
    """``clean``, ``clean: {...}`` or ``{train: {...}, as: small, from: {...}, timeout_s: 60}``."""
    table, path = verbs(), ("stages", index)
    item = {item: None} if isinstance(item, str) else item
    if not isinstance(item, dict):
        raise document.error(path, f"must be a verb or a mapping of a verb to its spec; got {_kind(item)}")
    named = [key for key in item if key not in STAGE_KEYS]
    unknown = [key for key in named if key not in table]
    if unknown or len(named) != 1:
        given = unknown[0] if unknown else ", ".join(named) or "none"
        raise document.error(
            (*path, given), f"must be one verb of {', '.join(table)}; got {given}", remedy=_meant(given, table)
        )
    verb = table[named[0]]
    timeout_s = item.get("timeout_s")
    if timeout_s is not None and (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or timeout_s <= 0
    ):
        raise document.error((*path, "timeout_s"), f"must be a number of seconds above 0; got {timeout_s!r}")
    return _Entry(
        name=str(item.get("as") or verb.name),
        verb=verb,
        path=(*path, verb.name),
        timeout_s=timeout_s,
        engine=_engine(document, item.get("engine"), verb, path),
        spec=dict(_mapping(document, item[verb.name], (*path, verb.name))),
        sources={
            str(role): str(source) for role, source in _mapping(document, item.get("from"), (*path, "from")).items()
        },
    )


def _engine(document: Document, engine: Any, verb: Verb, path: Path_) -> str | None:
    if engine is None or engine in verb.engines:
        return engine if engine is None else str(engine)
    able = [other.name for other in verbs().values() if engine in other.engines]
    raise document.error(
        (*path, "engine"),
        f"must be one of {', '.join(verb.engines)} for {verb.name}; got {engine!r}",
        remedy=f"Only {', '.join(able)} can run on {engine}." if able else _meant(engine, ENGINES),
    )


def _set(setting: str, params: dict[str, Any], entries: Sequence[_Entry]) -> None:
    key, equals, text = setting.partition("=")
    target, dot, rest = key.partition(".")
    stages = {entry.name: entry for entry in entries}
    if not equals or (target not in stages if dot else target not in params):
        raise RecipeError(
            f"--set {setting}: must be param=value with a param of {', '.join(params) or '(none)'}, "
            f"or stage.key=value with a stage of {', '.join(stages)}",
            parameter="--set",
            remedy=_meant(target, [*params, *stages]),
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    value = _Given(value) if isinstance(value, str) else value
    if not dot:
        params[target] = value
        return
    place, names = stages[target].spec, rest.split(".")
    for part in names[:-1]:
        inner = place.get(part)
        place[part] = place = dict(inner) if isinstance(inner, dict) else {}
    place[names[-1]] = value


def _step(document: Document, entry: _Entry, params: Mapping[str, Any]) -> Step:
    filled = _fill(document, entry.spec, params, entry.path)
    spec = _validated(
        document, entry, {key: _located(document, entry.verb.spec, key, value) for key, value in filled.items()}
    )
    return Step(
        name=entry.name,
        verb=entry.verb.name,
        version=entry.verb.version,
        spec=spec.identity(),
        wiring={},
        timeout_s=entry.timeout_s,
        engine=entry.engine,
    )


def _seen(document: Document, entries: Sequence[_Entry], steps: Sequence[Step]) -> list[Step]:
    """Fill the specs of verbs that look at other verbs' specs in the same recipe."""
    seen = []
    for entry, step in zip(entries, steps, strict=True):
        others = {
            verb: other.spec
            for verb in entry.verb.sees
            if entry.spec.get(verb) is None
            for other in steps
            if other.verb == verb
        }
        seen.append(step.with_spec(_validated(document, entry, step.spec | others).identity()) if others else step)
    return seen


def _validated(document: Document, entry: _Entry, values: Mapping[str, Any]) -> Spec:
    fields = entry.verb.spec.keys()
    if strange := next((key for key in values if key not in fields), None):
        raise document.error(
            (*entry.path, strange),
            f"unknown key; {entry.verb.name} takes {', '.join(fields)}",
            remedy=_meant(strange, fields),
        )
    try:
        return entry.verb.spec.model_validate(dict(values))
    except ValidationError as error:
        # A misspelt key is both unknown and missing: say the first.
        first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        path = (*entry.path, *first["loc"])
        if first["type"] == "extra_forbidden":
            given = str(first["loc"][-1])
            raise document.error(
                path, f"unknown key; {entry.verb.name} takes {', '.join(fields)}", remedy=_meant(given, fields)
            ) from error
        if first["type"] == "missing":
            about = (fields[str(first["loc"][0])].description or "").partition("\n")[0]
            raise document.error(path, f"is needed: {about}") from error
        if first["type"] == "union_tag_invalid":
            tags, given = first["ctx"]["expected_tags"], str(first["ctx"]["tag"])
            known = [tag.strip(" '") for tag in tags.split(",")]
            raise document.error(
                path, f"must be one of {', '.join(known)}; got {given}", remedy=_meant(given, known)
            ) from error
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        message = message.replace("a valid tuple", "a list").replace("a valid dictionary", "a mapping")
        # Neither a secret is shown nor a whole spec, which may hold one.
        shown = bool(first["loc"]) and (str(first["loc"][0]) not in fields or fields[str(first["loc"][0])].repr)
        shown = shown and "; got " not in message
        raise document.error(path, message + (f"; got {first['input']!r:.200}" if shown else "")) from error


def _fill(document: Document, value: Any, params: Mapping[str, Any], path: Path_) -> Any:
    """Put the params' values where ``${name}`` stands."""
    if isinstance(value, dict):
        return {key: _fill(document, item, params, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(document, item, params, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _PARAM.findall(value):
        if name not in params:
            raise document.error(
                path,
                f"${{{name}}} must be a param of {', '.join(params) or '(none are declared)'}",
                remedy=_meant(name, params) or f"Declare it: params: {{{name}: ...}}",
            )
    whole = _PARAM.fullmatch(value)
    return params[whole[1]] if whole else _PARAM.sub(lambda match: str(params[match[1]]), value)


def _located(document: Document, spec: type[Spec], key: str, value: Any) -> Any:
    """A field marked as a path, made absolute where something is there; a hub's name stays as it is."""
    field = spec.keys().get(key)
    marked = field is not None and isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("path")
    if not marked or not isinstance(value, str) or not value:
        return value
    if marked == "with a slash" and "/" not in value:  # a name of the catalogue, whatever lies in the folder
        return value
    base = Path.cwd() if isinstance(value, _Given) else document.file.parent
    path = (base / Path(value).expanduser()).absolute()
    return str(path.resolve()) if path.exists() else str(value)


def _until(steps: Sequence[Step], until: str | None) -> list[Step]:
    names = [step.name for step in steps]
    if until is None:
        return list(steps)
    if until not in names:
        raise RecipeError(
            f"--until: must be a stage of {', '.join(names)}; got {until}",
            parameter="--until",
            remedy=_meant(until, names),
        )
    return list(steps[: names.index(until) + 1])


def _seed(document: Document, top: Mapping[str, Any]) -> int:
    seed = top.get("seed", DEFAULT_SEED)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise document.error(("seed",), f"must be a whole number from 0 to 2^32 - 1; got {seed!r}")
    return seed


def _mapping(document: Document, value: Any, path: Path_) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise document.error(path, f"must be a mapping; got {_kind(value)}")
    return value or {}


def _shown(params: Mapping[str, Any]) -> JSON:
    return {key: str(value) if isinstance(value, str) else value for key, value in params.items()}


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r:.80}"


def _meant(given: str, allowed: Any) -> str | None:
    close = difflib.get_close_matches(str(given), [str(key) for key in allowed], n=1)
    return f"Did you mean {close[0]!r}?" if close else None
