"""The report of collect, and the facts of provenance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.data.collect import CollectSpec
from modelmint.data.sources.places import shown

Write = Callable[..., Path]
Collected = Callable[..., Any]

ROWS = "text,label\n" + "".join(f"Where is my card number {n}?,{'ab'[n % 2]}\n" for n in range(40))


def test_report_counts_what_came_in(write: Write, collected: Collected) -> None:
    facts = collected(write("a.csv", ROWS + "one,two,three\n")).collection.facts
    assert (facts["rows_read"], facts["rows_kept"], facts["labels"]) == (41, 40, {"a": 20, "b": 20})
    assert facts["quarantined"][0]["examples"][0]["raw"] == "one,two,three"


def test_lengths_are_exact(write: Write, collected: Collected) -> None:
    text = "text,label\n" + "".join(f"{'x' * n},{'ab'[n % 2]}\n" for n in range(1, 101))
    lengths = collected(write("a.csv", text)).collection.facts["lengths"]
    assert (lengths["p50"], lengths["p95"], lengths["max"], lengths["mean"]) == (50, 95, 100, 50.5)
    assert sum(rows for _, _, rows in lengths["histogram"]) == 100


def test_language_is_found_where_it_is_not_declared(write: Write, collected: Collected) -> None:
    facts = collected(write("a.csv", ROWS)).data.facts
    assert (facts["language"], facts["language_declared"]) == ("en", False)


def test_declared_language_that_is_not_found_is_warned_of(write: Write, collected: Collected) -> None:
    warnings = collected(write("a.csv", ROWS), language="zh-Hans").collection.facts["warnings"]
    assert any("declared as zh-Hans; most of the sampled texts are in en" in warning for warning in warnings)


def test_provenance_names_the_source_without_its_folder(write: Write, collected: Collected) -> None:
    data = collected(write("a.csv", ROWS), licence="CC-BY-4.0", consent="contract").data
    assert data.measured["provenance"] == {
        "source": "a.csv", "format": "csv", "dialect": "columns", "encoding": "utf-8", "revision": None,
        "licence": "CC-BY-4.0", "consent": "contract"}  # fmt: skip
    assert (data.facts["licence"], data.facts["consent"]) == ("CC-BY-4.0", "contract")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/ann/secret/a.csv", "a.csv"),
        ("https://user:pass@host.example/data/a.csv?token=x", "https://host.example/data/a.csv"),
        ("s3://bucket/a.parquet", "s3://bucket/a.parquet"),
        ("postgresql://ann@host/sales?sslmode=require", "postgresql://ann@host/sales"),
        ("owner/name", "owner/name"),
    ],
)
def test_shown_name_of_a_source_tells_no_secret(source: str, name: str) -> None:
    assert shown(source) == name


def test_consent_is_one_of_the_known_grounds() -> None:
    with pytest.raises(ValueError, match="legitimate_interest"):
        CollectSpec(source="a.csv", consent="because")  # type: ignore[arg-type]


def test_report_is_the_same_for_the_same_source(write: Write, collected: Collected) -> None:
    path = write("a.csv", ROWS)
    assert collected(path).collection.digest == collected(path).collection.digest


@pytest.mark.parametrize(
    ("name", "content", "task"),
    [
        ("a.jsonl", '{"query": "a", "response": "b"}\n' * 3, None),
        ("a.jsonl", '{"prompt": "a", "chosen": "b", "rejected": "c"}\n' * 3, None),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["X"]}\n{"tokens": ["a"], "tags": ["O"]}\n', None),
        ("a.csv", "a,b,label\n1,x,1\n2,,0\n", "tabular-classification"),
        ("a.csv", "a,b,label\n1,x,1\n2,,0\n", "tabular-regression"),
        ("a.txt", "One part.\n\nAnother <b>part</b>.\n", None),
    ],
)
def test_page_is_made_for_every_form(
    write: Write, collected: Collected, name: str, content: str, task: str | None
) -> None:
    report = collected(write(name, content), **({"task": task} if task else {})).collection
    with report.files.open("report.html") as stream:
        page = stream.read().decode()
    assert "The first rows" in page
    assert "<b>part" not in page
