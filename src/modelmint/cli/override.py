"""`modelmint override`: a person lets a refused gate pass."""

from pathlib import Path

import click

from modelmint.cli.options import as_json, exit_with, open_workspace, output


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--reason", required=True, help="Why it may pass, in words; kept for good.")
@click.option("--stage", help="The stage that was refused; it may be left out.")
@click.option("--by", "actor", help="Who says so, in front of the account's name on this machine.")
@as_json
@click.pass_obj
def override(home: Path | None, run_id: str, reason: str, stage: str | None, actor: str | None, as_json: bool) -> None:
    """Let a refused gate of a run pass, with a reason, and go on with the run; the verdicts stay as they are.

    It is of this run alone: the same recipe, run again, is refused again.
    """
    from modelmint.cli.progress import watching
    from modelmint.cli.show import show_run

    with watching() as watch:
        summary = open_workspace(home).override(run_id, reason=reason, stage=stage, by=actor, watch=watch)
    output(summary, as_json, show_run)
    exit_with(summary)
