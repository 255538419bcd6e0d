"""What every format shares: the folder, what is refused, checksums, the audit log, and the command."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from modelmint.catalog.audit import entries
from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.types import Model
from tests.compression.exports.conftest import Publish, Walk


@pytest.fixture
def model(classifier: Model) -> Model:
    return classifier


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder, by its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_sums_are_those_of_every_other_file(model: Model, walk: Walk, tmp_path: Path) -> None:
    told = walk(model, tmp_path / "out", "hf")
    found = digests(tmp_path / "out")
    lines = (tmp_path / "out" / "SHA256SUMS").read_text().splitlines()
    assert dict(line.split("  ")[::-1] for line in lines) == {k: v for k, v in found.items() if k != "SHA256SUMS"}
    assert {file["path"]: file["sha256"] for file in told["files"]} == found


def test_exporting_twice_gives_equal_bytes(model: Model, walk: Walk, tmp_path: Path) -> None:
    for name in ("one", "two"):
        walk(model, tmp_path / name, "onnx")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_folder_with_something_in_it_is_refused(model: Model, walk: Walk, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="must be new or empty"):
        walk(model, tmp_path, "hf")


def test_force_never_replaces_what_no_export_wrote(model: Model, walk: Walk, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"replaces only what an export wrote"):
        walk(model, tmp_path / "out", "hf", force=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_force_replaces_an_earlier_export_whole(model: Model, walk: Walk, tmp_path: Path) -> None:
    walk(model, tmp_path / "out", "hf")
    walk(model, tmp_path / "out", "onnx", force=True)
    assert (tmp_path / "out" / "model.onnx").is_file()
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_an_export_that_fails_leaves_the_folder_as_it_was(model: Model, walk: Walk, tmp_path: Path) -> None:
    walk(model, tmp_path / "out", "hf")
    before = digests(tmp_path / "out")
    with pytest.raises(InputError, match=r"must be merged for this model.*every weight was trained"):
        walk(model, tmp_path / "out", "adapter", force=True)
    assert digests(tmp_path / "out") == before
    assert not list(tmp_path.glob(".out*"))


def test_an_unknown_format_names_those_there_are(model: Model, walk: Walk, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="must be one of hf, adapter, merged, onnx, openvino, gguf, edge; got 'tflite'"
    ):
        walk(model, tmp_path / "out", "tflite")


def test_a_model_that_is_not_there_is_not_found(model: Model, walk: Walk, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    other = type(model)(**{**vars(model), "id": "model_00000000000000000000000000"})
    with pytest.raises(NotFoundError):
        walk(other, tmp_path / "out", "hf")


def test_an_export_is_in_the_audit_log(model: Model, walk: Walk, catalog: Catalog, tmp_path: Path) -> None:
    walk(model, tmp_path / "out", "hf")
    entry = entries(catalog, limit=1)[0]
    assert (entry["action"], entry["subject"], entry["about"]) == ("model.export", model.id, {"format": "hf"})


def test_the_card_has_the_figures_and_the_gates_of_the_evaluation(
    model: Model, walk: Walk, desk: object, publish: Publish, tmp_path: Path
) -> None:
    facts = {
        "num_rows": 200,
        "metrics": {"accuracy": {"value": 0.91, "low": 0.87, "high": 0.94, "n": 200}},
        "gates": [{"name": "accuracy", "allowed": ">= 0.9", "value": 0.91, "passed": True, "reason": ""}],
        "refused": [],
        "warnings": [{"name": "few", "message": "a warning | with a bar"}],
    }
    desk.report("evaluation", facts)  # type: ignore[attr-defined]
    publish({model.id: "model"})
    walk(model, tmp_path / "out", "hf")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| accuracy | 0.91 (0.87 to 0.94) | 200 |" in text
    assert "| evaluation | accuracy | &gt;= 0.9 | 0.91 | passed |" in text
    assert "a warning \\| with a bar" in text


def test_the_text_of_the_base_s_licence_goes_along(model: Model, walk: Walk, base: Path, tmp_path: Path) -> None:
    walk(model, tmp_path / "out", "merged", base=str(base))
    assert (tmp_path / "out" / "licences" / "LICENSE").read_text() == (base / "LICENSE").read_text()


def test_the_format_table_and_the_command_name_the_same() -> None:
    from modelmint.cli.export import FORMATS as TYPED
    from modelmint.compression.exports.export import FORMATS

    assert tuple(FORMATS) == TYPED


def test_the_mark_says_what_it_is_without_an_id(model: Model, walk: Walk, tmp_path: Path) -> None:
    walk(model, tmp_path / "out", "hf")
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (told["format"], told["method"], told["model_digest"]) == ("hf", "full", model.digest)
    assert model.id not in (tmp_path / "out" / "README.md").read_text()
