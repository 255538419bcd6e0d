"""collect on sources that are no lines of text: each becomes a dataset of its task, bad files go to quarantine."""

import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pytest

from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.data.clean import CleanInputs, CleanSpec, clean
from modelmint.data.collect import CollectInputs, CollectSpec, collect, fingerprint
from modelmint.data.deidentify import DeidentifyInputs, DeidentifySpec, deidentify
from modelmint.data.export import export
from modelmint.data.preflight import PreflightInputs, PreflightSpec, preflight

from . import files_made as make
from .conftest import reasons_of, rows_of, texts_of

Collected = Callable[..., Any]


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def test_a_folder_of_images_is_collected_with_its_splits(collected: Collected, tmp_path: Path) -> None:
    files = {
        f"{split}/{label}/{at}.png": make.image(shade=at)
        for split in ("train", "test")
        for label in "ab"
        for at in (1, 2)
    }
    outputs = collected(write(tmp_path / "set", {**files, "train/a/3.png": b"no", "README.md": "about"}))
    assert outputs.data.facts["task"] == "image-classification"
    assert {(row["image"], row["label"], row["_split"]) for row in rows_of(outputs.data)} == {
        (data, name.split("/")[1], name.split("/")[0]) for name, data in files.items()
    }
    assert reasons_of(outputs.quarantine) == ["not_an_image"]
    with outputs.collection.files.open("report.html") as page:
        assert page.read().count(b'src="data:image/png;base64,') == 5


def test_rows_of_a_folder_keep_their_ids_when_files_are_added(collected: Collected, tmp_path: Path) -> None:
    folder = write(tmp_path / "set", {"a/2.png": make.image(shade=2), "b/2.png": make.image(shade=3)})
    before = {row["_row"] for row in rows_of(collected(folder).data)}
    write(folder, {"a/1.png": make.image(shade=1)})
    assert before < {row["_row"] for row in rows_of(collected(folder).data)}


def test_spoken_digits_are_collected_from_their_archive(collected: Collected, shared: Path, tmp_path: Path) -> None:
    few = tmp_path / "recordings.zip"
    with zipfile.ZipFile(shared / "fsdd" / "recordings.zip") as source, zipfile.ZipFile(few, "w") as target:
        for name in source.namelist()[::50]:
            target.writestr(name, source.read(name))
    outputs = collected(few, file_pattern=r"(?P<label>\d)_(?P<speaker>[a-z]+)_\d+\.wav$", group="speaker")
    assert outputs.data.facts["task"] == "audio-classification"
    assert {row["_group"] for row in rows_of(outputs.data)} == {
        "george",
        "jackson",
        "lucas",
        "nicolas",
        "theo",
        "yweweler",
    }


def test_idx_images_are_collected(collected: Collected, shared: Path) -> None:
    outputs = collected(shared / "fashion_mnist_small", max_rows=50)
    assert outputs.data.facts["splits"] == {"test": 50, "train": 50}


def test_a_folder_a_label_of_texts_is_classification(collected: Collected, tmp_path: Path) -> None:
    files = {"spam/1.txt": "buy now", "spam/2.txt": "win money", "ham/1.txt": "see you", "ham/2.pdf": "no"}
    outputs = collected(write(tmp_path / "mail", files))
    assert outputs.data.facts["labels"] == {"ham": 1, "spam": 2}
    assert reasons_of(outputs.quarantine) == ["bad_pdf"]


def test_chunks_of_documents_stay_together(collected: Collected, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"1.md": "One sentence. " * 30, "2.pdf": make.pdf("机器学习需要数据。", "第二页。")}
    outputs = collected(write(tmp_path / "books", files), cut="chunk", chunk_chars=100, group="file")
    assert outputs.data.facts["task"] == "text-generation"
    assert {row["_group"] for row in rows_of(outputs.data)} == {"1.md", "2.pdf"}


def test_chunks_are_grouped_by_their_document_unasked(collected: Collected, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"1.txt": "One sentence. " * 30, "2.txt": "Another one. " * 30}
    outputs = collected(write(tmp_path / "books", files), cut="chunk", chunk_chars=100)
    assert {row["_group"] for row in rows_of(outputs.data)} == {"1.txt", "2.txt"}


def test_one_pdf_is_collected_by_pages(collected: Collected, tmp_path: Path) -> None:
    write(tmp_path, {"a.pdf": make.pdf("first page", "第二页")})
    assert texts_of(collected(tmp_path / "a.pdf", cut="page").data) == ["first page", "第二页"]


def test_a_workbook_is_collected(collected: Collected, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in (["text", "label"], ["你好", "greet"], ["再见", "bye"], ["再见", 7]):
        book.active.append(line)
    book.save(tmp_path / "a.xlsx")
    assert [(row["text"], row["label"]) for row in rows_of(collected(tmp_path / "a.xlsx").data)] == [
        ("你好", "greet"),
        ("再见", "bye"),
        ("再见", "7"),
    ]


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table t (text text, label text, customer text)")
        connection.executemany(
            "insert into t values (?, ?, ?)", [(f"text {at}", "ab"[at % 2], "c") for at in range(10)]
        )
    connection.close()
    return f"sqlite:///{tmp_path}/a.db"


def test_a_query_is_collected(collected: Collected, database: str) -> None:
    outputs = collected(database, query="select * from t order by text", group="customer")
    assert outputs.data.facts["labels"] == {"a": 5, "b": 5}


def test_a_query_that_writes_is_refused(collected: Collected, database: str) -> None:
    with pytest.raises(InputError, match="begins with DELETE"):
        collected(database, query="delete from t")


def test_a_password_never_enters_a_recipe() -> None:
    with pytest.raises(InputError, match="holds a password") as caught:
        CollectSpec(source="postgresql://u:hunter2@localhost/x", query="select 1")
    assert "hunter2" not in str(caught.value)


def test_the_fingerprint_of_a_database_needs_no_run(database: str) -> None:
    spec = CollectSpec(source=database, query="select * from t")
    assert fingerprint(spec) == fingerprint(spec)


def test_a_store_of_objects_is_collected(collected: Collected) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/a.csv", b"text,label\nhello,a\nbye,b\n")
    assert texts_of(collected("memory://bucket/a.csv").data) == ["hello", "bye"]


def test_a_question_that_is_said_to_have_no_answer_is_kept_through_every_station(
    collected: Collected, context: StageContext, tmp_path: Path
) -> None:
    """As in SQuAD 2.0: an empty list, not a cell that was forgotten."""
    told = [
        {
            "question": f"Who wrote book {at}?",
            "context": f"Ada wrote book {at}. Call 020 7946 0018.",
            "answers": {"text": ["Ada"], "answer_start": [0]},
        }
        for at in range(9)
    ]
    told[3]["answers"] = {"text": [], "answer_start": []}
    path = tmp_path / "qa.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in told))
    outputs = collected(path)
    assert outputs.quarantine.num_rows == 0
    data = clean(CleanSpec(), CleanInputs(data=outputs.data), context).data
    data = deidentify(DeidentifySpec(), DeidentifyInputs(data=data), context).data
    preflight(PreflightSpec(), PreflightInputs(data=data), context)
    export(data, tmp_path / "back.json", "squad")
    back = rows_of(collected(tmp_path / "back.json").data)
    assert [(row["answer"], row["answer_start"]) for row in back] == [
        (None, None) if at == 3 else ("Ada", 0) for at in range(9)
    ]


def test_a_column_that_may_be_missing_is_not_asked_for_by_a_spec_that_was_written_out(
    context: StageContext, tmp_path: Path
) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"question": "who?", "context": "Ada."}\n' * 2 + '{"question": "when?", "context": "1843."}\n')
    given = CollectSpec(source=str(file), task="text-retrieval", query_column="question", positive="context")
    spec = CollectSpec.model_validate(given.model_dump(mode="json"))  # as a run keeps it
    assert collect(spec, CollectInputs(), context).data.num_rows == 3
