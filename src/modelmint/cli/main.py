"""`modelmint`: the commands. Answers go to standard output, progress and errors to standard error.

Heavy imports stand inside the commands, so that ``modelmint --help`` answers at once.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from modelmint import __version__
from modelmint.cli import tracking
from modelmint.cli.advise import advise
from modelmint.cli.data import COMMANDS
from modelmint.cli.export import export
from modelmint.cli.options import as_json, exit_with, limit, open_workspace, output
from modelmint.cli.override import override
from modelmint.core.errors import ModelmintError

Command = Callable[..., Any]


def main() -> None:
    """The entry point: our errors become one message and their exit code."""
    try:
        modelmint.main(standalone_mode=False)
    except ModelmintError as error:
        _fail(error)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="modelmint")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="The one folder of this installation  [MODELMINT_HOME, else ~/.modelmint].",
)
@click.pass_context
def modelmint(context: click.Context, home: Path | None) -> None:
    """From raw domain data to a paid model API that is gated, monitored and improves.

    \b
    modelmint run recipe.yaml            raw data to a deployed model
    modelmint up                         serve what is deployed
    modelmint predict ENDPOINT TEXT      ask it
    """
    context.obj = home


@modelmint.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A param, or stage.key, of the recipe.")
@click.option("--name", help="A name for the run.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--fresh", is_flag=True, help="Run every stage again, whatever the catalog has.")
@as_json
@click.pass_obj
def run(
    home: Path | None,
    recipe: Path,
    settings: Sequence[str],
    name: str | None,
    until: str | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Run a recipe: what is known is taken from the catalog, the rest is computed."""
    from modelmint.cli.progress import watching
    from modelmint.cli.show import show_run

    with watching() as watch:
        summary = open_workspace(home).run(recipe, settings=settings, name=name, until=until, fresh=fresh, watch=watch)
    output(summary, as_json, show_run)
    exit_with(summary)


@modelmint.command()
@click.argument("run_id", metavar="RUN")
@as_json
@click.pass_obj
def resume(home: Path | None, run_id: str, as_json: bool) -> None:
    """Watch a run to its end; it goes on where it stopped if it was killed."""
    from modelmint.cli.progress import watching
    from modelmint.cli.show import show_run

    with watching() as watch:
        summary = open_workspace(home).resume(run_id, watch=watch)
    output(summary, as_json, show_run)
    exit_with(summary)


@modelmint.command()
@click.argument("run_id", metavar="RUN")
@as_json
@click.pass_obj
def cancel(home: Path | None, run_id: str, as_json: bool) -> None:
    """Stop a run within two seconds; what its finished stages made stays."""
    head = open_workspace(home).cancel(run_id)
    output(
        head,
        as_json,
        lambda body: click.echo(f"{body['run']}: {body['status'] if body['status'] == 'cancelled' else 'stopping'}"),
    )


@modelmint.command()
@click.option("--host", help="The address to listen on  [MODELMINT_HOST, else 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="  [MODELMINT_PORT, else 8000].")
@click.pass_obj
def up(home: Path | None, host: str | None, port: int | None) -> None:
    """Start the server and a worker, and keep both alive until Ctrl-C."""
    from modelmint.cli.up import up as start_up

    start_up(_settings(home), host=host, port=port)


@modelmint.command()
@click.argument("endpoint")
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@as_json
@click.pass_obj
def predict(home: Path | None, endpoint: str, texts: tuple[str, ...], as_json: bool) -> None:
    """Ask a deployed endpoint; it is recorded like every request."""
    from modelmint.cli.show import show_predictions

    output(open_workspace(home).predict(endpoint, list(texts)), as_json, lambda body: show_predictions(texts, body))


@modelmint.command()
@click.argument("prediction")
@click.option("--label", help="The right label.")
@click.option("--rating", type=click.IntRange(-1, 1), help="1 good, -1 bad.")
@click.option("--comment")
@as_json
@click.pass_obj
def feedback(
    home: Path | None, prediction: str, label: str | None, rating: int | None, comment: str | None, as_json: bool
) -> None:
    """Say what was right about a prediction."""
    body = open_workspace(home).feedback(prediction, label=label, rating=rating, comment=comment)
    output(body, as_json, lambda answer: click.echo(f"{answer['id']}: recorded"))


@modelmint.command()
@click.argument("endpoint")
@as_json
@click.pass_obj
def improve(home: Path | None, endpoint: str, as_json: bool) -> None:
    """Train on the feedback, compare with the live model on the same test set, and promote or refuse."""
    from modelmint.cli.progress import watching
    from modelmint.cli.show import show_run

    with watching() as watch:
        summary = open_workspace(home).improve(endpoint, watch=watch)
    output(summary, as_json, show_run)
    exit_with(summary)


@modelmint.command()
@click.argument("endpoint")
@click.option("--to", "revision", type=click.IntRange(1), help="A revision; the one before when left out.")
@as_json
@click.pass_obj
def rollback(home: Path | None, endpoint: str, revision: int | None, as_json: bool) -> None:
    """Switch an endpoint back, at once."""
    body = open_workspace(home).rollback(endpoint, revision)
    output(body, as_json, lambda answer: click.echo(f"{answer['endpoint']}: revision {answer['revision']}"))


@modelmint.command()
@click.argument("identifier", metavar="ID")
@as_json
@click.pass_obj
def show(home: Path | None, identifier: str, as_json: bool) -> None:
    """Show a run or an artifact by its id."""
    from modelmint.cli.show import show_anything

    output(open_workspace(home).show(identifier), as_json, show_anything)


@modelmint.command()
@click.argument("identifier", metavar="ID")
@as_json
@click.pass_obj
def lineage(home: Path | None, identifier: str, as_json: bool) -> None:
    """Print what an artifact was made from, as a tree."""
    from modelmint.cli.show import show_tree

    output(open_workspace(home).lineage(identifier), as_json, show_tree)


@modelmint.command()
def schema() -> None:
    """Print the JSON schema of recipes."""
    from modelmint.loop.schema import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))


@modelmint.command()
@limit
@as_json
@click.pass_obj
def runs(home: Path | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from modelmint.cli.show import show_runs

    output(open_workspace(home).runs(limit=limit), as_json, show_runs)


def _listing(kind: str) -> Command:
    @modelmint.command(name=f"{kind}s", help=f"List {kind}s, newest first.")
    @limit
    @as_json
    @click.pass_obj
    def listing(home: Path | None, limit: int, as_json: bool) -> None:
        from modelmint.cli.show import show_artifacts

        output(open_workspace(home).artifacts(kind, limit=limit), as_json, show_artifacts)

    return listing


for _kind in ("dataset", "model", "report"):
    _listing(_kind)


@modelmint.command()
@as_json
@click.pass_obj
def deployments(home: Path | None, as_json: bool) -> None:
    """List endpoints and the revision that each serves."""
    from modelmint.cli.show import show_deployments

    output(open_workspace(home).deployments(), as_json, show_deployments)


@modelmint.command()
@click.option("--endpoint", help="Only this endpoint.")
@as_json
@click.pass_obj
def usage(home: Path | None, endpoint: str | None, as_json: bool) -> None:
    """What was served and what it comes to."""
    from modelmint.cli.show import show_usage

    output(open_workspace(home).usage(endpoint), as_json, show_usage)


@modelmint.command()
@click.pass_obj
def gc(home: Path | None) -> None:
    """Remove stored bytes that no artifact holds (left by a crash at the wrong moment)."""
    click.echo(f"{open_workspace(home).collect_garbage()} blobs removed")


@modelmint.group()
def keys() -> None:
    """API keys: create, list, revoke."""


@keys.command("create")
@click.option("--name", default="key", show_default=True)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("predict", "feedback"),
    show_default=True,
    type=click.Choice(["predict", "feedback", "admin", "override"]),
)
@as_json
@click.pass_obj
def keys_create(home: Path | None, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a key; it is shown this once."""
    output(open_workspace(home).create_key(name, scopes), as_json, lambda body: click.echo(body["secret"]))


@keys.command("list")
@as_json
@click.pass_obj
def keys_list(home: Path | None, as_json: bool) -> None:
    """List keys, without their secrets."""
    from modelmint.cli.show import show_keys

    output(open_workspace(home).keys(), as_json, show_keys)


@keys.command("revoke")
@click.argument("key")
@click.pass_obj
def keys_revoke(home: Path | None, key: str) -> None:
    """End a key; it stops working within two seconds."""
    open_workspace(home).revoke_key(key)
    click.echo(f"{key}: revoked")


for _command in (*COMMANDS, *tracking.COMMANDS, advise, export, override):
    modelmint.add_command(_command)


def _settings(home: Path | None) -> Any:
    from modelmint.core.settings import Settings

    return Settings.read(home=home)


def _fail(error: ModelmintError) -> None:
    """The message on standard error; with --json also the one JSON shape on standard output."""
    click.echo(f"error: {error}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps(error.to_dict(), ensure_ascii=False, indent=2))
    sys.exit(error.exit_code)
