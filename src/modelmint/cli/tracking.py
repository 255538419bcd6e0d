"""`modelmint compare`: what became of trainings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from modelmint.cli.options import as_json, open_workspace, output

Body = Mapping[str, Any]


@click.command()
@click.argument("identifiers", metavar="ID ID...", nargs=-1, required=True)
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page with the curves to this file."
)
@as_json
@click.pass_obj
def compare(home: Path | None, identifiers: Sequence[str], page: Path | None, as_json: bool) -> None:
    """Compare runs, models or trainings: figures with intervals, what was set otherwise, what it took, curves."""
    workspace = open_workspace(home)
    body = workspace.compare(*identifiers)
    if page is not None:
        page.write_text(workspace.compare_page(body), encoding="utf-8")
    output(body, as_json, lambda found: _show(found, page))


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--mlflow", metavar="URI", help="A tracking server or store of MLflow  [MLFLOW_TRACKING_URI].")
@click.option("--tensorboard", type=click.Path(path_type=Path, file_okay=False), help="A folder for event files.")
@as_json
@click.pass_obj
def track(home: Path | None, runs: Sequence[str], mlflow: str | None, tensorboard: Path | None, as_json: bool) -> None:
    """Tell MLflow of runs, or write TensorBoard's event files: figures, curves and knobs, never rows or texts."""
    workspace = open_workspace(home)
    told = [workspace.track(run, mlflow=mlflow, tensorboard=tensorboard) for run in runs]
    output(told, as_json, _show_told)


COMMANDS: tuple[click.Command, ...] = (compare, track)


def _show_told(bodies: Sequence[Body]) -> None:
    for body in bodies:
        if "mlflow" in body:
            click.echo(f"{body['run']}: {told_mlflow(body['mlflow'])}")
        if "tensorboard" in body:
            click.echo(
                f"{body['run']}: {body['tensorboard']}  (tensorboard --logdir {Path(body['tensorboard']).parent})"
            )


def told_mlflow(told: Body) -> str:
    """A line on what became of sending a run."""
    if told["sent"] == "not":
        return f"MLflow was not told: {told['why']}\n  {told['remedy'] or ''}".rstrip()
    words = {"new": "told", "anew": "told anew", "was there": "knew it already"}
    return f"MLflow at {told['to']} {words[told['sent']]}: experiment {told['experiment']}, run {told['run_id']}"


def _show(body: Body, page: Path | None) -> None:
    from modelmint.cli.show import console, list_rows, titled_table
    from modelmint.loop.tracking import telling

    out, sides = console(), body["sides"]
    list_rows(
        sides,
        {
            "": "letter",
            "name": "name",
            "id": "id",
            "task": lambda side: side["task"] or "–",
            "base": lambda side: side["base"] or "–",
            "status": lambda side: side["status"] or "",
        },
        empty="",
    )
    _show_metrics(body)
    took = titled_table("what it took", "", *(f">{name}" for name in telling.columns(sides)))
    for row in body["took"]:
        first = row["values"][0]
        took.add_row(
            telling.TOOK.get(row["name"], row["name"]),
            *(telling.took(row["name"], one, first) for one in row["values"]),
        )
    out.print(took)
    config = titled_table("what was set otherwise", "key", *telling.columns(sides))
    for row in body["config"]:
        config.add_row(row["key"], *(_plain(telling.setting(row["key"], value)) for value in row["values"]))
    out.print(config if body["config"] else "[bold]what was set otherwise[/]: nothing", highlight=False)
    for note in body["notes"]:
        out.print(f"note: {note}", highlight=False, markup=False)
    for side, curves in zip(sides, body["curves"], strict=True):
        if curves["training"] and page is None:
            out.print(
                f"curves of {side['letter']}: modelmint show {curves['training']} --json  (facts.curve)",
                highlight=False,
            )
    if page is not None:
        out.print(f"page: {page}", highlight=False, markup=False)


def _show_metrics(body: Body) -> None:
    from modelmint.cli.show import console, titled_table
    from modelmint.loop.tracking import telling

    out, sides = console(), body["sides"]
    for of, title in (
        ("test", "test rows, with 95 % intervals"),
        ("validation", "validation rows, of the epoch that was kept"),
    ):
        rows = [row for row in body["metrics"] if row["of"] == of]
        others = (
            [side["letter"] for side in sides[1:]]
            if of == "test" and any(one["same_rows"] for one in body["paired"][1:])
            else []
        )
        table = titled_table(
            title, "figure", *(f">{name}" for name in telling.columns(sides)), *(f">{one} minus A" for one in others)
        )
        for row in rows:
            values = [telling.figure(row["name"], value) for value in row["values"]]
            deltas = [_delta(letter, row, row["differences"][at]) for at, letter in enumerate(others, start=1)]
            table.add_row(row["name"], *values, *deltas)
        if rows:
            out.print(table)
    for side, told in zip(sides[1:], body["paired"][1:], strict=True):
        out.print(telling.paired(side["letter"], told), highlight=False, markup=False)


def _delta(letter: str, row: Body, value: Body | None) -> str:
    from modelmint.loop.tracking import telling

    return "" if value is None else f"{telling.difference(row['name'], value)}, {telling.verdict(letter, row, value)}"


def _plain(text: str) -> str:
    from rich.markup import escape

    return str(escape(text))
