"""The edge bundle: its runner, alone in a folder, answers as the serving engine does, and notices what is not whole."""

import csv
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.exports import runner
from modelmint.core.errors import InputError
from modelmint.core.types import Model
from modelmint.serving.engines import answers, open_engine
from tests.compression.exports.conftest import Publish, Trained, Walk
from tests.tiny_variant import publish_variant, write_variant

TEXTS = ["money back please", "where is it?", "", "你好 hello"]


@pytest.fixture
def model(classifier: Model, desk: StagingDesk, publish: Publish, tmp_path: Path) -> Model:
    """A trained model with two variants, of which `compress` chose the second."""
    for name in ("onnx-fp32", "onnx-int8"):
        facts = {"task": "text-classification", "engine": "onnx", "variant": name}
        desk.model(name, write_variant(tmp_path / name), facts=facts)
    desk.report("compression", {"chosen": "onnx-int8"})
    publish({classifier.id: "model"}, made_by="run_2")
    return classifier


@pytest.fixture
def bundle(model: Model, walk: Walk, tmp_path: Path) -> Path:
    walk(model, tmp_path / "bundle", "edge")
    return tmp_path / "bundle"


def run(folder: Path, *words: str, given: str = "", python: str = sys.executable) -> list[dict[str, Any]]:
    """What ``python run.py`` says, by a Python that sees nothing of ours."""
    done = subprocess.run(
        [python, "-I", str(folder / "run.py"), *words], input=given, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(folder: Path) -> list[dict[str, Any]]:
    engine = open_engine(folder, 1)
    return [{"text": text, **answers(engine.predict([text]), engine.labels)[0]} for text in TEXTS]


def test_the_runner_has_sixty_lines_and_three_packages() -> None:
    text = Path(runner.__file__).read_text()
    assert len(text.splitlines()) <= 60
    assert "torch" not in text.lower().replace("pytorch", "")


def test_texts_as_arguments_are_answered_as_the_engine_does(bundle: Path, tmp_path: Path) -> None:
    assert run(bundle, *TEXTS) == expected(tmp_path / "onnx-int8")


def test_lines_and_a_column_of_a_csv_are_answered_alike(bundle: Path, tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows([["id", "said"], *([at, text] for at, text in enumerate(TEXTS))])
    by_lines = run(bundle, given="\n".join(TEXTS))
    assert run(bundle, "--csv", str(tmp_path / "rows.csv"), "--column", "said") == by_lines


def test_a_column_that_is_not_there_is_named(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,said\n1,hello\n")
    with pytest.raises(RuntimeError, match=r"must have the columns \['text'\]; it has \['id', 'said'\]"):
        run(bundle, "--csv", str(tmp_path / "rows.csv"))


def test_a_bundle_moved_without_its_tokenizer_is_refused(bundle: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(bundle, tmp_path / "moved", ignore=shutil.ignore_patterns("tokenizer.json"))
    with pytest.raises(RuntimeError, match=r"tokenizer\.json is missing or was changed"):
        run(moved, "hello")


def test_a_changed_file_is_refused(bundle: Path) -> None:
    about = json.loads((bundle / "model.json").read_text())
    (bundle / "model.json").write_text(json.dumps(about | {"labels": about["labels"][::-1]}))
    with pytest.raises(RuntimeError, match=r"model\.json is missing or was changed"):
        run(bundle, "hello")


def test_the_chosen_variant_goes_out_unless_another_is_named(model: Model, walk: Walk, tmp_path: Path) -> None:
    told = [walk(model, tmp_path / "chosen", "edge"), walk(model, tmp_path / "named", "edge", variant="onnx-fp32")]
    assert [one["checks"]["variant"] for one in told] == ["onnx-int8", "onnx-fp32"]


def test_a_variant_can_be_given_by_its_own_id(model: Model, walk: Walk, catalog: Catalog, tmp_path: Path) -> None:
    (variant,) = [one for one in catalog.list("model") if one.facts.get("variant") == "onnx-fp32"]
    assert isinstance(variant, Model)
    assert walk(variant, tmp_path / "out", "edge")["checks"]["variant"] == "onnx-fp32"
    with pytest.raises(InputError, match="must be the trained model itself for hf; got the variant onnx-fp32"):
        walk(variant, tmp_path / "hf", "hf")


def test_a_variant_that_is_not_there_names_those_there_are(model: Model, walk: Walk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be one of onnx-fp32, onnx-int8; got onnx-int4"):
        walk(model, tmp_path / "out", "edge", variant="onnx-int4")


def test_a_model_without_variants_says_how_to_make_one(classifier: Model, walk: Walk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have a variant for serving") as caught:
        walk(classifier, tmp_path / "out", "edge")
    assert "modelmint stage compress" in str(caught.value.remedy)


def test_a_variant_without_its_model_is_refused(catalog: Catalog, walk: Walk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say which trained model"):
        walk(publish_variant(catalog, tmp_path), tmp_path / "out", "edge")


def test_the_readme_is_in_english_and_chinese(bundle: Path) -> None:
    text = (bundle / "README.md").read_text(encoding="utf-8")
    assert "## How to use it" in text
    assert "## 用法" in text


@pytest.mark.slow
def test_it_runs_in_an_empty_environment(bundle: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "-r", str(bundle / "requirements.txt")],
        capture_output=True,
        text=True,
        timeout=280,
    )
    if done.returncode:
        pytest.skip(f"the pinned packages cannot be had here: {done.stderr.strip().splitlines()[-1][:200]}")
    names = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "modelmint"} & {one["name"] for one in json.loads(names.stdout)}
    assert run(bundle, *TEXTS, python=python) == expected(tmp_path / "onnx-int8")


@pytest.mark.parametrize("form", ["text-pair-classification", "multi-label-classification", "text-regression"])
def test_every_kind_of_answer_is_that_of_the_engine(
    form: str, trained: Trained, desk: StagingDesk, publish: Publish, walk: Walk, tmp_path: Path
) -> None:
    from modelmint.compression.export import export_onnx
    from tests.tiny_texts import numbers, pairs, sets

    rows = {"text-pair-classification": pairs, "multi-label-classification": sets, "text-regression": numbers}[form]
    made = trained(form, rows(32)).model
    files = shutil.copytree(made.files.folder(), tmp_path / "files")
    export_onnx(files, files / "model.onnx")
    about = json.loads((files / "modelmint.json").read_text()) | {"engine": "onnx", "variant": "onnx-fp32"}
    (files / "modelmint.json").write_text(json.dumps(about))
    desk.model("onnx-fp32", files, facts={"engine": "onnx", "variant": "onnx-fp32"})
    publish({made.id: "model"})
    told = walk(made, tmp_path / "out", "edge", variant="onnx-fp32")
    words = ["one text\tanother"] if form == "text-pair-classification" else ["the plastic card"]
    (answer,) = run(tmp_path / "out", *words)
    assert told["checks"]["same_answers_as_the_engine"]
    assert {"label", "labels", "value"} & answer.keys()
