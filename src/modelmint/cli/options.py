"""What every command shares: the options, the workspace, and how it ends."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from modelmint.workspace import Workspace

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, for scripts.")
limit = click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first."
)


def open_workspace(home: Path | None) -> "Workspace":
    """The installation that the command works on."""
    from modelmint.workspace import Workspace

    return Workspace(home=home)


def output(body: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """The answer on standard output: one JSON document, or for people."""
    if as_json:
        click.echo(json.dumps(body, ensure_ascii=False, indent=2, default=str))
    else:
        render(body)


def values(settings: Sequence[str]) -> dict[str, object]:
    """``KEY=VALUE`` words as a mapping; values are YAML."""
    import yaml

    found: dict[str, object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"must be KEY=VALUE; got {setting}", param_hint="--set")
        found[key] = yaml.safe_load(text)
    return found


def exit_with(summary: dict[str, Any]) -> None:
    """0 only when every stage and gate passed, 2 for wrong input, 3 for a refused gate, 1 for the rest."""
    if summary["status"] == "succeeded":
        return
    error = summary["error"] or {"message": summary["status"], "code": summary["status"], "remedy": None}
    click.echo(f"{summary['status']}: {error['message']}", err=True)
    if error.get("remedy"):
        click.echo(f"  {error['remedy']}", err=True)
    sys.exit(_exit_code(error["code"]))


def _exit_code(code: str) -> int:
    from modelmint.core.errors import from_dict

    return from_dict({"error": {"message": "", "code": code}}).exit_code
