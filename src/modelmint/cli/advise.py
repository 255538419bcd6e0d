"""`modelmint advise`: which base to begin from, with reasons, and what to type next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from modelmint.cli.options import as_json, open_workspace, output, values
from modelmint.core.formats import percent, seconds, size

NUM_LINES = 3


@click.command()
@click.argument("dataset")
@click.option("--task", help="What to train for; left out, what the rows are for.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="The most that the training may take.")
@click.option("--money", "cost", metavar="AMOUNT", help='The most that it may cost, like "0.50 USD".')
@click.option("--sell/--no-sell", default=True, show_default=True, help="A model that may not be sold is of no use.")
@click.option("--only-local", is_flag=True, help="Only bases that are on this machine.")
@click.option(
    "--bases", multiple=True, type=click.Path(path_type=Path), help="A base's folder, or one that holds some."
)
@click.option("--seconds", "limit_s", default=120.0, show_default=True, type=click.FloatRange(10, 3600), help="How long to try.")  # fmt: skip
@click.option("--probes", default=3, show_default=True, type=click.IntRange(0, 20), help="How many are tried; 0: rank by what is known alone.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of a source, what you know: label=Churn.")
@as_json
@click.pass_obj
def advise(
    home: Path | None,
    dataset: str,
    task: str | None,
    minutes: float | None,
    cost: str | None,
    sell: bool,
    only_local: bool,
    bases: Sequence[Path],
    limit_s: float,
    probes: int,
    settings: Sequence[str],
    as_json: bool,
) -> None:
    """Rank every way to train for DATASET, with the reason for each.

    DATASET is an id, a name, a file or a folder. The first three that are on this machine are tried, for two minutes at most: some real steps, and a cheap look at what they will reach.
    Nothing is downloaded.
    """
    from modelmint.cli.progress import telling

    with telling("advise") as say:
        body = open_workspace(home).advise(
            dataset,
            task=task,
            minutes=minutes,
            cost=cost,
            sell=sell,
            only_local=only_local,
            bases=bases,
            limit_s=limit_s,
            num_probed=probes,
            said=values(settings),
            say=say,
        )
    output(body, as_json, show_advice)


def show_advice(body: Mapping[str, Any]) -> None:
    """The ranking, the reasons, and the recipe's lines."""
    from modelmint.cli.show import console, titled_table
    from modelmint.loop.estimates import past_in_words

    out = console()
    spoken = ", ".join(f"{name} {percent(share, 0)}" for name, share in list(body["languages"].items())[:3])
    facts = [body["task"], f"{body['num_rows']:,} rows to train on", *([spoken] if spoken else [])]
    out.print(f"[bold]{body['dataset']}[/]  {', '.join(facts)}", highlight=False)
    table = titled_table(None, ">", "begin from", ">size", ">time", ">memory", ">cost", ">served", ">at least", "sell")
    for one in body["advice"]:
        table.add_row(*_cells(one))
    out.print(table)
    for one in body["advice"]:
        out.print(f"{one['rank']:>2}. {one['name']}: {one['reason']}", highlight=False, markup=False)
    if cheap := body["cheap_way"]:
        from modelmint.training.reasons import figure

        out.print(f"Beside them: {cheap['how']} reaches {figure(cheap)} on {cheap['n']:,} rows.", highlight=False)
    for name, why in body["unusable"].items():
        out.print(f"{name}: cannot be used: {why}", highlight=False, markup=False)
    if said := past_in_words(body["past"]):
        out.print(said, highlight=False)
    out.print(f"Looked for {seconds(body['took_s'])}. In a recipe:", highlight=False)
    if body["collect"]:
        _line(out, "collect", body["collect"])
    for one in _first(body["advice"]):
        _line(out, "train", one["train"], f"    # {one['rank']}" + ("" if one["is_here"] else ", not here"))
    if any(not one["is_here"] for one in body["advice"]):
        out.print(
            "What is not here, on a machine without network: hf download NAME elsewhere, and `base: FOLDER`.",
            highlight=False,
        )


def _first(advice: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The best, and the best of those that are here."""
    shown = list(advice[:NUM_LINES])
    return shown + [each for each in advice if each["is_here"]][: not any(each["is_here"] for each in shown)]


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    about = "≈ " if one["seconds_are"] == "scaled" else ""
    reached = one["expected"]
    return (
        str(one["rank"]),
        one["name"] if one["is_here"] else f"{one['name']} [dim](not here)[/]",
        "" if one["size_bytes"] is None else size(one["size_bytes"]),
        "" if one["seconds"] is None else about + seconds(one["seconds"]),
        "" if one["memory_bytes"] is None else size(one["memory_bytes"]),
        one["cost"] or "",
        "" if one["served_per_s"] is None else f"{one['served_per_s']:,.0f}/s",
        "" if reached is None else f"{reached['low']:.3f}",
        "" if one["may_be_sold"] in ("yes", "conditions") else f"[yellow]{one['may_be_sold']}[/]",
    )


def _line(out: Any, verb: str, fields: Mapping[str, Any], note: str = "") -> None:
    import yaml

    flow = yaml.safe_dump(dict(fields), default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    out.print(
        f"  - {verb}: {flow.strip()}{note}", highlight=False, markup=False, no_wrap=True, overflow="ignore", crop=False
    )
