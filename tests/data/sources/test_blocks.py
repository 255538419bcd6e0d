"""Reading many rows at once gives what reading row by row gives: the same rows, ids and quarantine, for any text."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.data.collect import CollectSpec
from modelmint.data.quarantine import Quarantine
from modelmint.data.sources.blocks import Block
from modelmint.data.sources.census import Census
from modelmint.data.sources.intake import Intake
from modelmint.data.sources.parts import part_of
from modelmint.data.sources.places import local_files
from modelmint.data.sources.plan import plan_of, reading_of
from modelmint.data.sources.readers import format_named, read_rows
from modelmint.data.sources.rows import Reading, SourceFile
from tests.data.conftest import rows_of

Write = Callable[..., Path]

PIECES = [
    "a",
    "b c",
    "héllo",
    "我们",
    "",
    " ",
    "\u3000",
    "\x1f",
    "\x85",
    "\xa0",
    "x" * 40,
    "\0",
    "\ufeff",
    "tab\there",
    "'",
    "0",
]
ODD = ['"', '""', '"""', "\r", "\r\n", "\n", ",", ";", '",', '"\n', "\\", "{", "}", "[", "]", "\udcff"]


def csv_text(draw: random.Random, odd: float) -> str:
    """Rows of three cells, some of them quoted, some of them broken."""

    def cell() -> str:
        text = "".join(draw.choice(ODD if draw.random() < odd else PIECES) for _ in range(draw.randrange(4)))
        if draw.random() < 0.4:
            return f'"{text.replace(chr(34), chr(34) * 2)}"'
        return text

    end = draw.choice(["\n", "\r\n"])
    rows = [
        ",".join(cell() for _ in range(3 if draw.random() > odd / 3 else draw.randrange(5)))
        for _ in range(draw.randrange(150))
    ]
    return "text,label,group" + end + end.join(rows) + draw.choice(["", end])


def jsonl_text(draw: random.Random, odd: float) -> str:
    """Objects, some with other values, other keys, or broken."""
    values = [None, 1, 1.5, True, [1], {"a": 1}, "\0", "\ud83d", float("nan"), "", " "]

    def line(number: int) -> str:
        record: dict[str, Any] = {
            "text": "".join(draw.choice(PIECES) for _ in range(draw.randrange(4))),
            "label": draw.choice(["x", "y", " z "]),
            "group": str(number % 7),
        }
        if draw.random() < odd:
            record[draw.choice(["text", "label", "group", "other"])] = draw.choice(values)
        if draw.random() < odd / 3:
            record.pop(draw.choice(list(record)))
        written = json.dumps(record, ensure_ascii=draw.random() < 0.5)
        broken = draw.random()
        if broken < odd / 10:
            return draw.choice([written[:-1], written + written, written.replace('"text"', '"label"'), "[1]", "",
                                '{"text": "a", "other": Inf}', '{"text": "a", "other": NaN}', "  " + written,
                                '{"text": "a", "label": "x",\n"group": "1"}', '{"text": "a\\udc00", "label": "x"}'])  # fmt: skip
        return written

    end = draw.choice(["\n", "\r\n"])
    return end.join(line(number) for number in range(100 + draw.randrange(150))) + draw.choice(["", end])


def taken(path: Path, context: StageContext, block_chars: int, **spec: Any) -> Any:
    """What an intake makes of a file: the rows, the quarantine and the counts, or the error."""
    whole = CollectSpec(source=str(path), text="text", label="label", **spec)
    try:
        plan = plan_of(whole, context.scratch, lambda _done, _total, _said: None)
        file = local_files(path)[0]
        how = replace(
            reading_of(whole, format_named(file.format)), columns=plan.columns, texts=True, block_chars=block_chars
        )
        plan = replace(plan, parts=(part_of(file, how),))
        census = Census(plan.form, plan.schema)
        with Quarantine(context.scratch) as quarantine:
            intake = Intake(spec=whole, plan=plan, ctx=context, quarantine=quarantine, census=census)
            batches = list(intake.batches())
        out = rows_of(quarantine.dataset(context.desk))
    except DataError as error:
        return str(error)
    return [
        [batch.num_rows for batch in batches],
        [row for batch in batches for row in batch.to_pylist()],
        out,
        intake.facts,
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("seed", range(14))
def test_blocks_give_the_same_rows_ids_and_quarantine(
    write: Write, context: StageContext, kind: str, seed: int
) -> None:
    draw = random.Random(seed)
    odd = draw.choice([0.0, 0.02, 0.1, 0.3])
    text = (csv_text if kind == "csv" else jsonl_text)(draw, odd)
    path = write(f"a.{kind}", text.encode("utf-8", "surrogateescape" if kind == "csv" else "surrogatepass"))
    spec = {"group": "group", "max_cell_chars": 60, "subject": "label", "subject_salt": "x" * 16}
    slow = taken(path, context, 0, **spec)
    for block_chars in (64, 700, 1 << 20):
        assert taken(path, context, block_chars, **spec) == slow


GOOD_LINE = '{"text": "good", "label": "%s"}'
ODD_LINES = {
    "no JSON number": ['{"text": "a", "label": "x", "other": Inf}'],
    "JSON as Python has it": ['{"text": "a", "label": "x", "other": NaN}'],
    "two on a line, one on two": [GOOD_LINE % "x" + " " + GOOD_LINE % "y", '{"text": "a",', '"label": "x"}'],
    "nested": ['{"text": "a", "label": "x", "other": ' + "[" * 5000 + "]" * 5000 + "}"],
    "nested too deep": ['{"text": "a", "label": "x", "other": ' + "[" * 200_000 + "]" * 200_000 + "}"],
    "named twice": ['{"text": "a", "label": "x", "text": "b"}'],
    "a number for a label": ['{"text": "a", "label": 1.50}'],
    "half of a pair": ['{"text": "\\ud83d", "label": "x"}', '{"text": "\\udc00", "label": "x"}'],
    "a pair": ['{"text": "\\ud83d\\ude00", "label": "x"}'],
    "a written NUL": ['{"text": "a\\u0000b", "label": "x"}'],
    "null": ['{"text": null, "label": "x"}', '{"text": "a", "label": null}', "{}"],
    "blank lines": ["", "\r", "  ", "\x0b"],
    "a mark in the middle": ["\ufeff" + GOOD_LINE % "x"],
    "a list": ['[{"text": "a", "label": "x"}]'],
}


@pytest.mark.parametrize("odd", ODD_LINES)
def test_odd_lines_are_read_as_one_by_one(write: Write, context: StageContext, odd: str) -> None:
    good = [GOOD_LINE % "xy"[number % 2] for number in range(150)]
    path = write("a.jsonl", "\n".join([*good, *ODD_LINES[odd], *good]))
    assert taken(path, context, 1 << 20) == taken(path, context, 0)


@pytest.mark.parametrize("quote", ["", "'"])
@pytest.mark.parametrize("seed", range(4))
def test_other_quotes_give_the_same_rows(write: Write, context: StageContext, quote: str, seed: int) -> None:
    path = write(
        "a.csv", csv_text(random.Random(seed), 0.05).replace('"', quote or '"').encode("utf-8", "surrogateescape")
    )
    assert taken(path, context, 700, quote=quote) == taken(path, context, 0, quote=quote)


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "cp1252", "utf-8"])
def test_other_encodings_give_the_same_rows(write: Write, context: StageContext, encoding: str) -> None:
    rows = "".join(f"größe {number},{'ab'[number % 2]},\n" for number in range(2000))
    path = write(
        "a.csv", f"text,label,group\n{rows}".encode(encoding) + (b"caf\xe9,a,\n" if encoding == "utf-8" else b"")
    )
    assert taken(path, context, 5000, encoding=encoding) == taken(path, context, 0, encoding=encoding)


def test_good_text_is_read_in_blocks(write: Write) -> None:
    rows = "".join(f'"row ""{number}"", of many",{number % 3}\r\n' for number in range(5000))
    path = write("a.csv", f"text,label\r\n{rows}")
    given = list(
        read_rows(SourceFile(path=path, key="data", split=None, format="csv"), Reading(columns=("text", "label")))
    )
    assert all(isinstance(one, Block) for one in given)


def test_one_stray_quote_leaves_most_rows_in_blocks(write: Write) -> None:
    rows = [f"row {number},{number % 3}" for number in range(100_000)]
    rows[50_000] = '"a "stray" quote",1'
    path = write("a.csv", "text,label\n" + "\n".join(rows))
    given = read_rows(SourceFile(path=path, key="data", split=None, format="csv"), Reading(columns=("text", "label")))
    assert sum(one.num_rows for one in given if isinstance(one, Block)) > 90_000


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_columns_of_texts_give_the_same_rows(write: Write, tmp_path: Path, context: StageContext, kind: str) -> None:
    texts = ["good", None, "", " ", "x" * 100, "a\0b", "größe"] * 3000
    table = pa.table({"text": texts, "label": ["x", " y ", "z"] * 7000, "group": [None, "g", ""] * 7000})
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=5000)
    spec = {"group": "group", "max_cell_chars": 60}
    assert taken(path, context, 1 << 20, **spec) == taken(path, context, 0, **spec)


def test_bad_utf8_in_parquet_costs_its_row_alone(tmp_path: Path, context: StageContext) -> None:
    texts = pa.Array.from_buffers(pa.string(), 3, pa.array([b"good", b"caf\xe9", b"fine"]).buffers())
    pq.write_table(pa.table({"text": texts, "label": ["x", "x", "y"]}), tmp_path / "a.parquet")
    _, rows, out, _ = taken(tmp_path / "a.parquet", context, 1 << 20)
    assert ([row["text"] for row in rows], [row["reason"] for row in out]) == (["good", "fine"], ["undecodable"])
