"""`modelmint export`: an artifact's own files, or a model in a format that others open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from modelmint.cli.options import as_json, open_workspace, output

FORMATS = ("hf", "adapter", "merged", "onnx", "openvino", "gguf", "edge")


@click.command()
@click.argument("identifier", metavar="ID")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "form",
    type=click.Choice(FORMATS),
    help="hf: transformers opens it; adapter, merged: what LoRA and its kin trained; onnx, openvino, gguf: one model "
    "file and its tokenizer; edge: the chosen variant with a runner that needs no PyTorch.",
)
@click.option("--variant", metavar="NAME", help="For edge: another variant than the chosen one.")
@click.option("--base", metavar="BASE", help="For adapter: the base's folder or name, if not where the model says.")
@click.option("--force", is_flag=True, help="Replace an earlier export; never another folder.")
@as_json
@click.pass_obj
def export(
    home: Path | None,
    identifier: str,
    folder: Path,
    form: str | None,
    variant: str | None,
    base: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Walk away with an artifact: its files and manifest.json, or a model --as a format that others open."""
    from modelmint.cli.progress import telling

    workspace = open_workspace(home)
    if form is None:
        if variant or base or force:
            raise click.UsageError("--variant, --base and --force belong to --as")
        path = workspace.export(identifier, folder)
        output({"path": str(path)}, as_json, lambda body: click.echo(body["path"]))
        return
    with telling(f"export {form}") as say:
        body = workspace.export_model(identifier, folder, form, variant=variant, base=base, force=force, say=say)
    output(body, as_json, _show)


def _show(body: Mapping[str, Any]) -> None:
    from modelmint.core.formats import size

    click.echo(f"{body['format']} in {body['path']}: {size(body['size_bytes'])}")
    for file in body["files"]:
        click.echo(f"  {size(file['size_bytes']):>8}  {file['path']}")
    for name, found in body["checks"].items():
        click.echo(f"checked: {name.replace('_', ' ')}: {_found(found)}")
    for note in body["notes"]:
        click.echo(f"! {note}")


def _found(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
