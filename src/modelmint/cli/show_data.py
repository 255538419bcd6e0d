"""What people see of sources, versions and licences, from the same bodies that `--json` prints."""

from collections.abc import Sequence
from typing import Any

from modelmint.cli.show import Body, console, list_rows, titled_table
from modelmint.core.formats import size

MAX_CHARS = 60


def show_peek(body: Body) -> None:
    """What a source is, its columns, a few rows, and the recipe line that would read it."""
    out = console()
    rows = "" if body["num_rows"] is None else f"{'about ' if body['rows_estimated'] else ''}{body['num_rows']:,} rows"
    facts = [body["format"], body["dialect"], body["encoding"], rows, size(body["size_bytes"] or 0)]
    out.print(f"[bold]{_escaped(body['source'])}[/]  {', '.join(str(fact) for fact in facts if fact)}", highlight=False)
    out.print(f"read as [bold]{body['task']}[/]", highlight=False)
    table = titled_table(None, "column", "type", "is", ">missing", "for example")
    for column in body["columns"]:
        shown = "; ".join(_cut(example, 40) for example in column["examples"][:3])
        table.add_row(_cut(column["name"]), column["type"], column["role"] or "", f"{column['missing']:,}", shown)
    out.print(table)
    for row in body["sample"][:3]:
        said = {_cut(name): _cut(value) for name, value in row.items() if not name.startswith("_")}
        out.print("  " + "  ".join(f"[dim]{name}:[/] {value}" for name, value in said.items()), highlight=False)
    for warning in body["warnings"]:
        out.print(f"[yellow]![/] {_escaped(warning)}", highlight=False)
    spec = ", ".join(f"{key}: {_yaml(value)}" for key, value in body["spec"].items())
    out.print(
        f"in a recipe:  - collect: {{{spec}}}",
        highlight=False,
        markup=False,
        no_wrap=True,
        overflow="ignore",
        crop=False,
    )


def show_diff(body: Body) -> None:
    """Counts, then labels that changed, then examples."""
    out, rows = console(), body["rows"]
    out.print(f"{rows['before']:,} rows before, {rows['after']:,} after", highlight=False)
    table = titled_table(None, "rows", ">number")
    for kind in ("same", "moved", "added", "removed", "relabelled", "changed"):
        if rows[kind]:
            table.add_row(kind, f"{rows[kind]:,}")
    out.print(table)
    columns = body["columns"]
    for kind in ("added", "removed"):
        if columns[kind]:
            out.print(f"columns {kind}: {_escaped(', '.join(columns[kind]))}", highlight=False)
    for column in columns["retyped"]:
        out.print(f"column {_escaped(column['name'])}: {column['before']} -> {column['after']}", highlight=False)
    if body["label_changes"]:
        table = titled_table("labels that changed", "from", "to", ">rows")
        for change in body["label_changes"][:20]:
            table.add_row(_cut(change["from"]), _cut(change["to"]), f"{change['rows']:,}")
        out.print(table)
    changed = [each for each in body["labels"] if each["before"] != each["after"]]
    if changed:
        table = titled_table("rows of each label", "label", ">before", ">after")
        for each in sorted(changed, key=lambda one: -abs(one["after"] - one["before"]))[:20]:
            table.add_row(_cut(each["label"]), f"{each['before']:,}", f"{each['after']:,}")
        out.print(table)
    for kind, sign in (("removed", "[red]-[/]"), ("added", "[green]+[/]")):
        for row in body["examples"][kind]:
            out.print(f"{sign} {_cut(row['text'], 100)}  [dim]{_cut(row['label'])}[/]", highlight=False)
    for row in body["examples"]["changed"]:
        out.print(f"[red]-[/] {_cut(row['before']['text'], 100)}", highlight=False)
        out.print(f"[green]+[/] {_cut(row['after']['text'], 100)}", highlight=False)


def show_export(body: Body) -> None:
    out = console()
    out.print(f"{body['rows']:,} rows as {body['format']} in {body['path']}", highlight=False, markup=False)
    for note in body["notes"]:
        out.print(f"[yellow]![/] {_escaped(note)}", highlight=False)


def show_sets(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {
            "name": "name",
            "task": "task",
            "languages": lambda body: ", ".join(body["languages"]),
            ">rows": lambda body: f"{body['rows']:,}" if body["rows"] else "",
            "licence": lambda body: f"{body['licence']}{'' if body['licence_certain'] else ' (?)'}",
            "may be sold": "may_be_sold",
            "collect: {source: ...}": lambda body: f"open:{body['name']}" if body["hub"] else body["url"],
        },
        empty="No set fits. Leave out --task, --language or --sellable.",
    )


def show_aliases(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {"name": "name", "kind": "kind", "artifact": "artifact", "since": lambda body: body["changed_at"][:19]},
        empty="No names yet. Give one with: modelmint alias NAME ID",
    )


def show_licences(body: Body) -> None:
    """The verdict, then the parents that it rests on."""
    out = console()
    colour = {"yes": "green", "conditions": "yellow", "no": "red"}.get(body["may_be_sold"], "yellow")
    out.print(f"{body['id']} {body['name']}: may be sold: [bold {colour}]{body['may_be_sold']}[/]", highlight=False)
    table = titled_table(None, "because of", "id", "licence", "verdict", "why")
    for parent in body["because"]:
        table.add_row(parent["name"], parent["artifact"], parent["licence"], parent["verdict"], parent["why"])
    out.print(table)
    for duty in body["obligations"]:
        out.print(f"- {duty}", highlight=False, markup=False)
    out.print("[dim]This is no legal advice.[/]", highlight=False)


def _cut(value: Any, most: int = MAX_CHARS) -> str:
    text = " ".join(str(value).split())
    return _escaped(text if len(text) <= most else f"{text[: most - 1]}…")


def _escaped(text: Any) -> str:
    """Text of a user's: brackets in it are no markup."""
    from rich.markup import escape

    return str(escape(str(text)))


def _yaml(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value.isidentifier() else value
