"""augment: copies that repeat themselves, rows of every form, and labels evened out."""

import io
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS, TASKS
from modelmint.core.stage import StageContext
from modelmint.core.tables import column, read
from modelmint.data.augment import AugmentInputs, AugmentOutputs, AugmentSpec, augment

from .conftest import reasons_of, rows_of

Rows = list[dict[str, Any]]
WORDS = ["where", "is", "the", "money", "that", "my", "bank", "lost", "while", "it", "was", "shut", "for", "a", "day"]
TEXTS: Rows = [
    {"_row": f"id{number}", "text": f"case {number} " + " ".join(WORDS[number % 7 :]), "label": "ab"[number % 10 == 0]}
    for number in range(100)
]


@pytest.fixture
def grown(desk: StagingDesk, context: StageContext, tmp_path: Path) -> Callable[..., AugmentOutputs]:
    """``grown(rows, task="chat", copies=1)``"""
    numbers = itertools.count()

    def run(rows: Rows, task: str = "text-classification", seed: int = 17, **spec: Any) -> AugmentOutputs:
        given = [{"_row": f"r{number}", **row} for number, row in enumerate(rows)]
        known = {} if task.startswith("tabular") else {field.name: field.type for field in FORMS[task].columns}
        plain = pa.Table.from_pylist([{name: row[name] for name in row if name not in known} for row in given])
        schema = pa.schema([*plain.schema, *(pa.field(*one) for one in known.items())])
        data = desk.dataset("train", pa.Table.from_pylist(given, schema=schema), facts={"task": task})
        scratch = tmp_path / f"scratch{next(numbers)}"
        scratch.mkdir()
        ctx = replace(context, scratch=scratch, seed=seed)
        return augment(AugmentSpec(**spec), AugmentInputs(train=data), ctx)

    return run


Grown = Callable[..., AugmentOutputs]


def copies_in(outputs: AugmentOutputs) -> dict[str, dict[str, Any]]:
    return {row["_row"]: row for row in rows_of(outputs.train) if row["_of"]}


def test_old_rows_stay_as_they_were_and_copies_name_the_row_they_came_from(grown: Grown) -> None:
    rows = rows_of(grown(TEXTS, copies=2).train)
    old = [{name: row[name] for name in ("_row", "text", "label")} for row in rows if row["_of"] is None]
    assert old == TEXTS
    assert all(row["_row"].rpartition("~")[0] == row["_of"] for row in rows if row["_of"])


def test_every_row_has_an_id_of_its_own(grown: Grown) -> None:
    ids = column(grown(TEXTS, copies=3, balance="oversample").train, "_row")
    assert len(ids) == len(set(ids)) > 300


def test_copies_differ_from_their_row_and_keep_its_label(grown: Grown) -> None:
    parents = {row["_row"]: row for row in TEXTS}
    copies = copies_in(grown(TEXTS, copies=2)).values()
    assert all(row["text"] != parents[row["_of"]]["text"] for row in copies)
    assert all(row["label"] == parents[row["_of"]]["label"] for row in copies)


def test_the_order_of_rows_does_not_change_the_copies(grown: Grown) -> None:
    assert copies_in(grown(TEXTS, copies=2)) == copies_in(grown(TEXTS[::-1], copies=2))


def test_fewer_rows_do_not_change_the_copies_of_the_others(grown: Grown) -> None:
    few, all_of_them = copies_in(grown(TEXTS[:30], copies=1)), copies_in(grown(TEXTS, copies=1))
    assert few.items() <= all_of_them.items()


def test_another_seed_gives_other_copies(grown: Grown) -> None:
    assert copies_in(grown(TEXTS, copies=1)) != copies_in(grown(TEXTS, copies=1, seed=18))


def test_two_runs_give_equal_digests(grown: Grown) -> None:
    first, second = (grown(TEXTS, copies=1, balance="oversample") for _ in range(2))
    assert (first.train.digest, first.augmentation.digest) == (second.train.digest, second.augmentation.digest)


def test_texts_of_too_few_words_are_left_alone_and_counted(grown: Grown) -> None:
    outputs = grown([{"text": f"yes {number}", "label": "a"} for number in range(10)], copies=1)
    assert outputs.train.num_rows == 10
    assert outputs.augmentation.facts["unchanged"] == 10


def test_oversampling_brings_rare_labels_to_the_ratio(grown: Grown) -> None:
    outputs = grown(TEXTS, balance="oversample", ratio=0.5)
    assert outputs.train.facts["labels"] == {"a": 90, "b": 45}


def test_oversampling_repeats_what_cannot_be_changed(grown: Grown) -> None:
    rows = [{"text": f"w{number}", "label": "b" if number < 3 else "a"} for number in range(12)]
    outputs = grown(rows, balance="oversample")
    assert outputs.train.facts["labels"] == {"a": 9, "b": 9}
    assert outputs.augmentation.facts["new_rows"]["repeated"] == 6


def test_no_row_gets_more_copies_than_allowed(grown: Grown) -> None:
    outputs = grown([*TEXTS, {"_row": "x", "text": " ".join(WORDS), "label": "c"}], balance="oversample", max_copies=4)
    assert outputs.train.facts["labels"]["c"] == 5
    assert "short" in {one["name"] for one in outputs.augmentation.facts["warnings"]}


def test_undersampled_rows_are_in_quarantine_and_can_be_put_back(grown: Grown) -> None:
    outputs = grown(TEXTS, balance="undersample", ratio=0.5)
    assert outputs.train.facts["labels"] == {"a": 20, "b": 10}
    assert reasons_of(outputs.quarantine) == ["undersampled"] * 70
    put_back = [json.loads(cells) for cells in column(outputs.quarantine, "cells")]
    kept = {row["_row"] for row in rows_of(outputs.train)}
    assert sorted({row["_row"] for row in put_back} | kept) == sorted(str(row["_row"]) for row in TEXTS)


def test_undersampling_does_not_depend_on_the_order_of_rows(grown: Grown) -> None:
    first, second = (grown(rows, balance="undersample") for rows in (TEXTS, TEXTS[::-1]))
    assert set(column(first.train, "_row")) == set(column(second.train, "_row"))


def test_weights_make_labels_weigh_the_same_and_are_one_on_average(grown: Grown) -> None:
    rows = rows_of(grown(TEXTS, balance="weights").train)
    mass = Counter[str]()
    for row in rows:
        mass[row["label"]] += row["_weight"]
    assert mass["a"] == pytest.approx(mass["b"])
    assert np.mean([row["_weight"] for row in rows]) == pytest.approx(1)


def test_weights_take_those_that_rows_came_with_into_account(grown: Grown) -> None:
    rows = [row | {"_weight": 2.0 if number % 3 else 0.5} for number, row in enumerate(TEXTS)]
    weighted = {row["_row"]: row["_weight"] for row in rows_of(grown(rows, balance="weights").train)}
    assert weighted["id1"] / weighted["id3"] == pytest.approx(4)
    assert np.mean(list(weighted.values())) == pytest.approx(1)


def test_without_weights_there_is_no_such_column(grown: Grown) -> None:
    assert "_weight" not in grown(TEXTS, copies=1).train.facts["columns"]


def test_augmenting_twice_is_refused(grown: Grown) -> None:
    with pytest.raises(DataError, match="they were augmented before"):
        grown(rows_of(grown(TEXTS, copies=1).train), copies=1)


def test_a_dataset_without_rows_is_refused(desk: StagingDesk, context: StageContext) -> None:
    data = desk.dataset("train", [], schema=pa.schema([("_row", pa.string()), ("text", pa.string())]))
    with pytest.raises(DataError, match="no rows"):
        augment(AugmentSpec(), AugmentInputs(train=data), context)


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def picture(number: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def sound(number: int) -> bytes:
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, 0.3 * np.sin(np.arange(800) * (0.05 + number / 500)), 8000, format="WAV")
    return stream.getvalue()


def row_of(task: str, number: int) -> dict[str, Any]:
    text, label = f"case {number} {' '.join(WORDS)}", "aab"[number % 3]
    return {
        "text-classification": lambda: {"text": text, "label": label},
        "text-pair-classification": lambda: {"text": text, "text_pair": f"other {text}", "label": label},
        "multi-label-classification": lambda: {"text": text, "labels": ["a", "b"][: number % 3]},
        "text-regression": lambda: {"text": text, "label": float(number)},
        "text-retrieval": lambda: {"query": f"why {text}", "positive": text, "negative": None},
        "recommendation": lambda: {"user": f"u{number % 5}", "item": f"i{number}", "rating": 4.0, "time": float(number)},
        "text-generation": lambda: {"text": text},
        "text2text-generation": lambda: {"text": text, "target": f"answer {number}"},
        "token-classification": lambda: {
            "tokens": ["Ann", *text.split()],
            "tags": ["B-PER", *["O"] * len(text.split())],
        },
        "question-answering": lambda: {"question": text, "context": text, "answer": "case", "answer_start": 0},
        "chat": lambda: {"messages": chat(text)},
        "preference": lambda: {"prompt": chat(text), "chosen": chat("a"), "rejected": chat("b")},
        "tabular-classification": lambda: {"age": 20 + number % 50, "pay": number * 1.5, "town": "xyz"[number % 3], "label": label},
        "tabular-regression": lambda: {"age": number, "label": float(number)},
        "image-classification": lambda: {"image": picture(number), "label": label},
        "audio-classification": lambda: {"audio": sound(number), "label": label},
    }[task]()  # fmt: skip


LEFT_ALONE = {"text-generation", "question-answering", "chat", "preference", "recommendation", "tabular-regression"}


@pytest.mark.parametrize("task", TASKS)
def test_every_form_is_copied_or_left_alone_with_a_reason(grown: Grown, task: str) -> None:
    outputs = grown([row_of(task, number) for number in range(30)], task, copies=1)
    assert outputs.train.num_rows == (30 if task in LEFT_ALONE else 60)
    assert bool(outputs.augmentation.facts["left_alone"]) == (task in LEFT_ALONE)


@pytest.mark.parametrize("task", [task for task in TASKS if task not in LEFT_ALONE])
def test_copies_of_every_form_repeat_themselves_in_any_order(grown: Grown, task: str) -> None:
    rows = [{"_row": f"r{number}", **row_of(task, number)} for number in range(30)]
    assert copies_in(grown(rows, task, copies=1)) == copies_in(grown(rows[::-1], task, copies=1))


@pytest.mark.parametrize("balance", ["oversample", "undersample", "weights"])
def test_rows_without_one_label_each_are_not_evened_out(grown: Grown, balance: str) -> None:
    outputs = grown([row_of("chat", number) for number in range(5)], "chat", balance=balance)
    assert outputs.train.num_rows == 5
    assert "no_labels" in {one["name"] for one in outputs.augmentation.facts["warnings"]}


def test_entities_are_not_touched(grown: Grown) -> None:
    rows = [
        {"tokens": ["the", "Bank", "of", "China", *WORDS, "Paris"], "tags": ["O", "B-ORG", "I-ORG", "I-ORG", *["O"] * len(WORDS), "B-LOC"]}
        for _ in range(40)
    ]  # fmt: skip
    made = copies_in(grown(rows, "token-classification", copies=3)).values()
    entities = [[token for token, tag in zip(row["tokens"], row["tags"], strict=True) if tag != "O"] for row in made]
    assert len(entities) > 80
    assert all(one == ["Bank", "of", "China", "Paris"] for one in entities)


def test_slices_are_compared_before_and_after(grown: Grown) -> None:
    rows = [row | {"town": "xy"[number < 40]} for number, row in enumerate(TEXTS)]
    slices = grown(rows, balance="oversample", slices=["town"]).augmentation.facts["slices"]
    before, after = ({one["column"]: one for one in slices[when]} for when in ("before", "after"))
    assert [one["rows"] for one in before["town"]["groups"]] == [60, 40]
    assert [one["rates"]["b"][0] for one in before["town"]["groups"]] == [0.1, 0.1]
    assert after["town"]["groups"][0]["rates"]["b"][0] > 0.4


def test_a_slice_that_is_no_column_is_refused(grown: Grown) -> None:
    with pytest.raises(DataError, match="slices: must be columns of the data, length or language; 'city'"):
        grown(TEXTS, slices=["city"])


@pytest.mark.parametrize(
    ("task", "kind"), [("image-classification", "image/png"), ("audio-classification", "audio/wav")]
)
def test_the_page_shows_copies_of_images_and_recordings_beside_their_rows(grown: Grown, task: str, kind: str) -> None:
    report = grown([row_of(task, number) for number in range(9)], task, copies=1).augmentation
    with report.files.open("report.html") as page:
        assert page.read().decode().count(f"data:{kind};base64,") == 8


def test_groups_that_are_alike_are_said_to_be(grown: Grown) -> None:
    rows = [row | {"town": "xy"[number % 2]} for number, row in enumerate([*TEXTS[:40], *TEXTS[:40]])]
    rows = [{**row, "_row": f"r{number}", "label": "ab"[number // 2 % 2]} for number, row in enumerate(rows)]
    report = grown(rows, copies=1, slices=["town"]).augmentation
    with report.files.open("report.html") as page:
        assert "Every label is as frequent in each group" in page.read().decode()


def test_the_page_shows_copies_beside_their_rows(grown: Grown) -> None:
    report = grown(TEXTS, copies=1).augmentation
    with report.files.open("report.html") as stream:
        text = stream.read().decode()
    assert "How copies were changed" in text
    assert "id0~1" in text


def test_the_data_has_the_columns_it_came_with(grown: Grown) -> None:
    rows = [row | {"source": "web", "_group": f"g{number % 9}"} for number, row in enumerate(TEXTS)]
    table = read(grown(rows, copies=1).train)
    assert set(table.column_names) == {"_row", "text", "label", "source", "_group", "_of"}
    groups = {row["_row"]: row["_group"] for row in table.to_pylist()}
    assert all(groups[row["_row"]] == groups[row["_of"]] for row in table.to_pylist() if row["_of"])
