"""`modelmint data …` and what belongs to it: looking at sources and versions, walking away, names, pins, licences."""

from collections.abc import Sequence
from pathlib import Path

import click

from modelmint.cli.options import as_json, exit_with, open_workspace, output, values
from modelmint.core.errors import NotFoundError


@click.group()
def data() -> None:
    """Look at sources, compare versions, export; `modelmint stage` runs a single station."""


@data.command()
@click.argument("source")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="What you know: task=chat, text=body, ...")
@as_json
@click.pass_obj
def peek(home: Path | None, source: str, settings: Sequence[str], as_json: bool) -> None:
    """Show what a source holds and how it would be read, before it is imported."""
    from modelmint.cli.show_data import show_peek

    output(open_workspace(home).peek(source, **values(settings)), as_json, show_peek)


@data.command()
@click.argument("before")
@click.argument("after")
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page with plots to this file.")
@as_json
@click.pass_obj
def diff(home: Path | None, before: str, after: str, html: Path | None, as_json: bool) -> None:
    """What changed from one version of a dataset to another: rows, labels, columns, statistics."""
    from modelmint.cli.show_data import show_diff
    from modelmint.data.pages.diff import diff_page

    body = open_workspace(home).diff(before, after)
    if html is not None:
        html.write_text(diff_page(body, before=before, after=after), encoding="utf-8")
    output(body, as_json, show_diff)


@data.command()
@click.argument("dataset")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", help="csv, jsonl, parquet, excel, openai, sharegpt, trl, conll, ...: by TARGET's suffix."
)
@click.option("--ids", is_flag=True, help="Also write the columns that are ours: _row, _group, ...")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@as_json
@click.pass_obj
def export(
    home: Path | None, dataset: str, target: Path, form: str | None, ids: bool, overwrite: bool, as_json: bool
) -> None:
    """Write a dataset to a file or folder that others read."""
    from modelmint.cli.progress import telling
    from modelmint.cli.show_data import show_export

    with telling(f"export {dataset}") as say:
        body = open_workspace(home).export_dataset(dataset, target, form, ids=ids, overwrite=overwrite, say=say)
    output(body, as_json, show_export)


@data.command()
@click.option("--task", help="Only sets for this task, such as text-classification.")
@click.option("--language", help="Only sets in this language, such as zh.")
@click.option("--sellable", is_flag=True, help="Only sets whose licence lets a model be sold, perhaps on conditions.")
@as_json
@click.pass_obj
def sets(home: Path | None, task: str | None, language: str | None, sellable: bool, as_json: bool) -> None:  # noqa: ARG001
    """Well-known open data sets: what they hold, their licence, and whether a model from them may be sold."""
    from modelmint.cli.show_data import show_sets
    from modelmint.data.sources.open_sets import find

    output(
        [each.to_dict() for each in find(task=task, language=language, sellable=sellable or None)], as_json, show_sets
    )


class _Station(click.Command):
    """A command whose help, after the name of a verb, also tells that verb's inputs and keys."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        context.meta["modelmint.words"] = tuple(args)
        return super().parse_args(context, args)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        from modelmint.loop.stages import verbs

        words = context.meta.get("modelmint.words", ())
        verb = next((each for name, each in verbs().items() if name in words), None)
        if verb is None:
            with formatter.section("Verbs"):
                formatter.write_dl([(name, each.about) for name, each in verbs().items()])
            return
        with formatter.section(f"Inputs of {verb.name} (--input ROLE=ID)"):
            roles = [(role.name, "optional" if role.optional else "needed") for role in verb.inputs.values()]
            formatter.write_dl(roles or [("none", "")])
        with formatter.section(f"Keys of {verb.name} (--set KEY=VALUE)"):
            fields = verb.spec.keys().items()
            formatter.write_dl([(name, " ".join((field.description or "").split())) for name, field in fields])


@click.command(cls=_Station)
@click.argument("verb")
@click.option("--input", "inputs", multiple=True, metavar="ROLE=ID", help="An input, by id or name; may be repeated.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A key of the verb's spec.")
@as_json
@click.pass_obj
def stage(home: Path | None, verb: str, inputs: Sequence[str], settings: Sequence[str], as_json: bool) -> None:
    """Run one station by itself: modelmint stage clean --input data=ID --set quality=web"""
    from modelmint.cli.progress import watching
    from modelmint.cli.show import show_run

    roles: dict[str, list[str]] = {}
    for given in inputs:
        role, equals, identifier = given.partition("=")
        if not equals or not identifier:
            raise click.BadParameter(f"must be ROLE=ID, such as data=ds_…; got {given}", param_hint="--input")
        roles.setdefault(role, []).append(identifier)
    with watching() as watch:
        summary = open_workspace(home).run_stage(verb, roles, settings=settings, watch=watch)
    output(summary, as_json, show_run)
    exit_with(summary)


@click.command()
@click.argument("name", required=False)
@click.argument("identifier", metavar="ID", required=False)
@click.option("--remove", is_flag=True, help="Take the name away; the artifact stays.")
@as_json
@click.pass_obj
def alias(home: Path | None, name: str | None, identifier: str | None, remove: bool, as_json: bool) -> None:
    """List names of your own, point one to an artifact, or take one away."""
    from modelmint.cli.show_data import show_aliases

    workspace = open_workspace(home)
    if name is None or (identifier is None and not remove):
        named = [each for each in workspace.aliases() if name in (None, each["name"])]
        if name is not None and not named:
            raise NotFoundError(
                f"{name}: there is no such name", parameter="name", remedy=f"Give it: modelmint alias {name} ID"
            )
        output(named, as_json, show_aliases)
        return
    if remove:
        workspace.remove_alias(name)
        output({"name": name, "artifact": None}, as_json, lambda _: click.echo(f"{name}: taken away"))
        return
    body = workspace.alias(name, str(identifier))
    output(body, as_json, lambda _: click.echo(f"{name}: {body['artifact']}"))


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", default="", help="Why it is kept.")
@as_json
@click.pass_obj
def pin(home: Path | None, identifier: str, reason: str, as_json: bool) -> None:
    """Keep an artifact: it cannot be removed until it is unpinned."""
    body = open_workspace(home).pin(identifier, reason)
    output(body, as_json, lambda _: click.echo(f"{body['artifact']}: pinned"))


@click.command()
@click.argument("identifier", metavar="ID")
@as_json
@click.pass_obj
def unpin(home: Path | None, identifier: str, as_json: bool) -> None:
    """Take the pin off an artifact."""
    body = open_workspace(home).unpin(identifier)
    output(body, as_json, lambda _: click.echo(f"{body['artifact']}: unpinned"))


@click.command()
@click.argument("identifier", metavar="ID")
@as_json
@click.pass_obj
def remove(home: Path | None, identifier: str, as_json: bool) -> None:
    """Drop an artifact's key and bytes; its place in the lineage stays. Refused while it is pinned, named or served."""
    body = open_workspace(home).remove(identifier)
    output(body, as_json, lambda _: click.echo(f"{body['artifact']}: removed, {body['freed_bytes']:,} bytes freed"))


@click.command()
@click.argument("identifier", metavar="ID")
@as_json
@click.pass_obj
def licences(home: Path | None, identifier: str, as_json: bool) -> None:
    """May a model made from this be sold, and if not, because of which parent? (No legal advice.)"""
    from modelmint.cli.show_data import show_licences

    output(open_workspace(home).licences(identifier), as_json, show_licences)


@click.command()
@click.argument("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def pages(home: Path | None, run: str, folder: Path) -> None:
    """Write every page of a run into a new folder: open its index.html."""
    click.echo(open_workspace(home).pages(run, folder))


COMMANDS: tuple[click.Command, ...] = (data, stage, pages, alias, pin, unpin, remove, licences)
