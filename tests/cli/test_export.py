"""`modelmint export`, as typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import InputError
from modelmint.core.types import Model
from tests.tiny_causal import write_causal

Run = Callable[..., Any]


@pytest.fixture
def writer(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> Model:
    """A language model in the catalog of the command's home."""
    folder = write_causal(tmp_path / "writer")
    about = {"task": "text-generation", "base": "tiny", "max_tokens": 64, "stop_ids": [256]}
    (folder / "modelmint.json").write_text(json.dumps(about))
    model = desk.model("writer", folder, facts=about, licences=["MIT"])
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    return model


def test_a_model_goes_out_as_a_format(run: Run, writer: Model, tmp_path: Path) -> None:
    told = json.loads(run("export", writer.id, str(tmp_path / "out"), "--as", "hf", "--json"))
    assert told["size_bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert (told["format"], told["model"]) == ("hf", writer.id)


def test_a_person_sees_sizes_and_notes(run: Run, writer: Model, tmp_path: Path) -> None:
    text = run("export", writer.id, str(tmp_path / "out"), "--as", "merged")
    assert f"merged in {tmp_path / 'out'}" in text
    assert "model.safetensors" in text
    assert "! The model was trained in a way that is not on record" in text


def test_without_a_format_the_artifact_s_own_files_are_copied(run: Run, writer: Model, tmp_path: Path) -> None:
    run("export", writer.id, str(tmp_path / "out"))
    assert {"manifest.json", "model.safetensors"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_options_of_formats_want_a_format(run: Run, writer: Model, tmp_path: Path) -> None:
    with pytest.raises((click.UsageError, SystemExit)):
        run("export", writer.id, str(tmp_path / "out"), "--force")


def test_what_does_not_fit_the_model_is_refused_and_leaves_nothing(run: Run, writer: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have a variant for serving"):
        run("export", writer.id, str(tmp_path / "out"), "--as", "edge")
    assert not (tmp_path / "out").exists()
