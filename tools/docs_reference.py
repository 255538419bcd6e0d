"""Writes the generated parts of docs/: verbs, HTTP routes, commands, settings and errors, each read off the code.

    python tools/docs_reference.py

A part stands between ``<!-- generated:begin NAME -->`` and ``<!-- generated:end NAME -->``; the rest of a page is
written by hand. `tools/check_docs.py` fails when a part is not what this script would write.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from docs_training import training_parts

from modelmint.api.app import create_app
from modelmint.cli.main import modelmint
from modelmint.core import errors, settings
from modelmint.loop.recipe import KEYS
from modelmint.loop.stages import BUILT_IN, Role, Verb

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
METHODS = ("get", "post", "put", "patch", "delete")

Schema = Mapping[str, Any]


def main() -> int:
    for (page, name), text in parts().items():
        file = DOCS / page
        before = file.read_text(encoding="utf-8")
        after = replaced(before, name, text)
        if after is None:
            print(f"docs/{page}: has no place for the part {name}")
            return 1
        if after != before:
            file.write_text(after, encoding="utf-8")
            print(f"docs/{page}: {name} written")
    return 0


def parts() -> dict[tuple[str, str], str]:
    """(page, name of the part) -> its Markdown."""
    return {
        ("reference/recipe.md", "keys"): _keys(),
        ("reference/recipe.md", "verbs"): "\n\n".join(_verb(verb) for verb in BUILT_IN),
        ("reference/http.md", "routes"): "\n\n".join(_routes(_openapi())),
        ("reference/cli.md", "commands"): "\n\n".join(_command(path, command) for path, command in commands().items()),
        ("reference/settings.md", "settings"): _settings(),
        ("reference/errors.md", "tree"): _tree(),
        ("reference/errors.md", "kinds"): _kinds(),
        **training_parts(table, _fields),
    }


def replaced(page: str, name: str, text: str) -> str | None:
    """The page with that part between its markers; None where it has no such markers."""
    begin, end = f"<!-- generated:begin {name} -->", f"<!-- generated:end {name} -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    return f"{head}{begin}\n\n{text}\n\n{end}{tail}" if found and closed else None


def commands() -> dict[str, click.Command]:
    """Every command by its whole name (``keys create``), the bare one first."""
    found: dict[str, click.Command] = {"": modelmint}
    for name, command in modelmint.commands.items():
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": below for inner, below in command.commands.items()}
    return found


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table; empty where there are no rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines]) if lines else ""


def _keys() -> str:
    return table(("key", "meaning"), ((f"`{key}`", about) for key, about in KEYS.items()))


def _verb(verb: Verb) -> str:
    schema = verb.spec.model_json_schema()
    about = f"*{verb.about[0].upper()}{verb.about[1:].rstrip('?.')}.*"
    lines = [
        f"### {verb.name}",
        "",
        about,
        "",
        _flat(schema.get("description", "")),
        "",
        f"- takes: {_roles(verb.inputs, 'all of them') or 'nothing from the catalog'}",
        f"- makes: {_roles(verb.outputs, 'one or more')}",
    ]
    defaults = {name: field.get_default(call_default_factory=True) for name, field in verb.spec.keys().items()}
    fields = _fields(schema, schema.get("$defs", {}), defaults)
    return "\n".join([*lines, *(["", fields] if fields else [])])


def _roles(roles: Mapping[str, Role], many: str) -> str:
    told = []
    for role in roles.values():
        note = many if role.many else "where there is one" if role.optional else ""
        told.append(f"`{role.name}` ({role.kind.__name__}{', ' + note if note else ''})")
    return ", ".join(told)


def _fields(schema: Schema, definitions: Schema, defaults: Mapping[str, Any] | None = None) -> str:
    needed, known = schema.get("required", []), defaults or {}
    return table(
        ("field", "allowed", "default", "meaning"),
        (
            (
                f"`{name}`",
                _allowed(field, definitions),
                "needed" if name in needed else _code(_said(known.get(name, field.get("default")))),
                _flat(field.get("description", "")),
            )
            for name, field in schema.get("properties", {}).items()
        ),
    )


def _allowed(schema: Schema, definitions: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        owner = next((verb.name for verb in BUILT_IN if verb.spec.__name__ == name), None)
        return f"the fields of [{owner}](recipe.md#{owner})" if owner else _allowed(definitions[name], definitions)
    mixed = schema.get("anyOf") or [one for one in schema.get("oneOf", ()) if "$ref" not in one]
    if mixed:  # choices that are told apart by their kind, not by a name
        return " or ".join(_allowed(choice, definitions) for choice in schema.get("anyOf") or schema["oneOf"])
    if "oneOf" in schema or "enum" in schema or "const" in schema:
        return _choices(schema, definitions)
    kind = schema.get("type")
    if kind == "array":
        inner = schema.get("items") or {}
        least = f"at least {schema['minItems']}; " if "minItems" in schema else ""
        return f"a list ({least}each: {_allowed(inner, definitions)})" if inner else "a list"
    if kind == "object":
        return _mapping(schema, definitions)
    return WORDS.get(str(kind), "anything") + _limits(schema)


def _choices(schema: Schema, definitions: Schema) -> str:
    if "oneOf" not in schema:
        return ", ".join(_code(_said(value)) for value in schema.get("enum", [schema.get("const")]))
    kinds = [definitions[choice["$ref"].rsplit("/", 1)[-1]]["properties"]["name"] for choice in schema["oneOf"]]
    return f"a name, or a mapping with `name` and more: {', '.join(_choices(kind, definitions) for kind in kinds)}"


def _mapping(schema: Schema, definitions: Schema) -> str:
    if schema.get("properties"):
        inner = (f"`{name}`: {_allowed(field, definitions)}" for name, field in schema["properties"].items())
        return f"a mapping ({', '.join(inner)})"
    values = schema.get("additionalProperties")
    return f"a mapping of names to {_allowed(values, definitions)}" if isinstance(values, Mapping) else "a mapping"


def _limits(schema: Schema) -> str:
    told = [
        f"{word} {_number(schema[key])}"
        for key, word in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in schema
    ]
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if least == most:
        told.append(f"of {least} character{'' if least == 1 else 's'}")
    else:
        told += ["not empty"] if least == 1 else [f"at least {least:,} characters"] if least else []
        told += [f"at most {most:,} character{'' if most == 1 else 's'}"] if most is not None else []
    if "pattern" in schema:
        told.append(f"matches {_code(schema['pattern'])}")
    if "format" in schema:
        told.append(str(schema["format"]))
    return f" {', '.join(told)}" if told else ""


def _number(value: float) -> str:
    return f"{value:,g}" if abs(value) < 1e6 and value != int(value) else f"{int(value):,}"


def _openapi() -> Schema:
    application = create_app(settings.Settings.read({}, home=ROOT / ".demo"))  # opens nothing before it is started
    schema: Schema = application.openapi()
    return schema


def _routes(schema: Schema) -> Iterator[str]:
    definitions = schema["components"]["schemas"]
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                yield _route(f"{method.upper()} {path}", operations[method], definitions)


def _route(title: str, operation: Schema, definitions: Schema) -> str:
    scopes = [scope for choice in operation.get("security", []) for names in choice.values() for scope in names]
    permission = f"`{'`, `'.join(dict.fromkeys(scopes))}`" if scopes else "none; it needs no key"
    lines = [f"### {title}", "", _flat(operation.get("description", "")), "", f"- permission: {permission}"]
    given = table(
        ("parameter", "in", "allowed", "default"),
        (
            (
                f"`{each['name']}`",
                each["in"],
                _allowed(each["schema"], definitions),
                "needed" if each.get("required") else _code(_said(each["schema"].get("default"))),
            )
            for each in operation.get("parameters", [])
        ),
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = definitions[body["$ref"].rsplit("/", 1)[-1]] if body else {}
    return "\n\n".join(text for text in ("\n".join(lines), given, _fields(fields, definitions)) if text)


def _command(path: str, command: click.Command) -> str:
    context = click.Context(modelmint, info_name="modelmint", terminal_width=100, help_option_names=["-h", "--help"])
    names = path.split()
    for depth, name in enumerate(names):
        inner = commands()[" ".join(names[: depth + 1])]
        context = click.Context(inner, info_name=name, parent=context, terminal_width=100)
    return f"### modelmint {path}".rstrip() + f"\n\n```text\n{command.get_help(context).rstrip()}\n```"


def _settings() -> str:
    rows = [line for line in (settings.__doc__ or "").splitlines() if line.startswith("| MODELMINT_")]
    split = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    return table(
        ("variable", "default", "meaning"),
        (
            (", ".join(f"`{name.strip()}`" for name in names.split(",")), default, meaning)
            for names, default, meaning in split
        ),
    )


def _tree() -> str:
    drawn = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    return f"```text\n{drawn}\n```"


def _kinds() -> str:
    importlib.import_module("modelmint.api.errors")  # those of HTTP
    return table(
        ("error", "`code`", "HTTP status", "exit code"),
        (
            (f"{'&nbsp;' * 4 * depth}{kind.__name__}", f"`{kind.code}`", str(kind.http_status), str(kind.exit_code))
            for depth, kind in _kind(errors.ModelmintError, 0)
        ),
    )


def _kind(kind: type[errors.ModelmintError], depth: int) -> Iterator[tuple[int, type[errors.ModelmintError]]]:
    yield depth, kind
    for below in kind.__subclasses__():
        if below.__module__.startswith("modelmint."):
            yield from _kind(below, depth + 1)


def _said(value: Any) -> str:
    """A JSON value as a person would write it in a recipe."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(_said(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_said(item)}" for key, item in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e-3 and value else str(value)


def _code(text: str) -> str:
    """Code in a table cell: a pipe would end the cell."""
    if not text:
        return "empty"
    if "|" not in text and "`" not in text:
        return f"`{text}`"
    return "<code>" + "".join(f"&#{ord(each)};" if each in "|`<>&*_\\[]" else each for each in text) + "</code>"


def _flat(text: str) -> str:
    """One line, which a table cell can hold; ``double`` backticks become `single` ones."""
    return re.sub(r"``([^`]+)``", r"`\1`", " ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
