"""Record linkage: the published sets of duplicate records, and tables that have none."""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.tables import column, read
from modelmint.core.types import Dataset
from modelmint.data.deduplicate import DeduplicateInputs, DeduplicateOutputs, DeduplicateSpec, deduplicate

Pairs = set[tuple[int, int]]


@pytest.fixture
def done(desk: StagingDesk, context: StageContext) -> Callable[..., DeduplicateOutputs]:
    """``done(records, action="mark")``: what deduplicate makes of a table with these rows, all of one label."""

    def table(rows: list[dict[str, Any]], prefix: str) -> Dataset:
        ours = {"_row": [f"{prefix}{index}" for index in range(len(rows))], "label": ["a"] * len(rows)}
        cells = {name: [str(row.get(name) or "") for row in rows] for name in rows[0]}
        return desk.dataset("data", pa.table(ours | cells), facts={"task": "tabular-classification"})

    def run(rows: list[dict[str, Any]], known: list[dict[str, Any]] | None = None, **spec: Any) -> DeduplicateOutputs:
        inputs = DeduplicateInputs(data=table(rows, "r"), known=table(known, "k") if known else None)
        return deduplicate(DeduplicateSpec(**spec), inputs, context)

    return run


Done = Callable[..., DeduplicateOutputs]


def pairs_of(names: Iterable[Any]) -> Pairs:
    """All pairs of places with one name; None is no name."""
    places = defaultdict(list)
    for place, name in enumerate(names):
        if name is not None:
            places[name].append(place)
    return {pair for some in places.values() for pair in combinations(some, 2)}


def precision_and_recall(found: Pairs, true: Pairs) -> tuple[float, float]:
    return len(found & true) / max(len(found), 1), len(found & true) / len(true)


@pytest.mark.parametrize(
    ("name", "precision", "recall"),
    [("dataset1", 0.99, 0.99), pytest.param("dataset3", 0.99, 0.99, marks=pytest.mark.slow)],
)
def test_persons_with_typos_are_found(done: Done, shared: Path, name: str, precision: float, recall: float) -> None:
    with gzip.open(shared / f"febrl_dedup/{name}.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    truth = pairs_of([row["entity"] for row in rows])
    persons = [{key: cell for key, cell in row.items() if key not in ("rec_id", "entity")} for row in rows]
    found = pairs_of(column(done(persons, action="mark").data, "_cluster"))
    assert precision_and_recall(found, truth) >= (precision, recall)
    assert precision_and_recall(found, truth)[1] >= recall


@pytest.mark.parametrize(("name", "precision", "recall"), [("fodors_zagats", 0.9, 0.95), ("beer", 0.7, 0.7)])
def test_offers_of_one_thing_are_found(done: Done, shared: Path, name: str, precision: float, recall: float) -> None:
    records: dict[str, int] = {}
    test, rows = [], []
    for part in ("train", "dev", "test"):
        with gzip.open(shared / f"er_products/{name}_{part}.jsonl.gz", "rt") as stream:
            for pair in map(json.loads, stream):
                left, right = (
                    records.setdefault(f"{side} {json.dumps(pair[side])}", len(records)) for side in ("left", "right")
                )
                rows.append((left, pair["left"]))
                rows.append((right, pair["right"]))
                if part == "test":
                    test.append((left, right, pair["label"]))
    table = [row for _, row in sorted(dict(rows).items())]
    cluster = column(done(table, action="mark").data, "_cluster")
    found = {(one, other) for one, other, _ in test if cluster[one] and cluster[one] == cluster[other]}
    reached = precision_and_recall(found, {(one, other) for one, other, label in test if label})
    assert reached >= (precision, 0)
    assert reached[1] >= recall


@pytest.mark.parametrize("name", ["german_credit/all.csv", "telco_churn/all.csv.gz"])
def test_a_table_of_measured_values_loses_equal_rows_alone(done: Done, shared: Path, name: str) -> None:
    path = shared / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        rows = list(csv.DictReader(stream))[:2000]
    distinct = {tuple(row.items()) for row in rows}
    outputs = done(rows)
    assert outputs.data.num_rows == len(distinct)
    assert "Set `columns`" in outputs.deduplication.facts["left_alone"]


PEOPLE = [
    {"name": f"{first} {last}", "street": f"{number} {street} street", "born": f"19{number % 90 + 10}"}
    for number, (first, last, street) in enumerate(
        (first, last, street)
        for first in ("anna", "bruno", "carla", "dieter", "emma")
        for last in ("schmidt", "okafor", "lindgren", "tanaka")
        for street in ("harbour", "church", "station")
    )
]


def test_a_record_near_a_known_one_goes(done: Done) -> None:
    known = [{**PEOPLE[7], "name": PEOPLE[7]["name"].upper()}]
    outputs = done(PEOPLE, known=known)
    assert [row["reason"] for row in read(outputs.quarantine).to_pylist()] == ["near_known"]


def test_the_columns_that_are_named_are_those_that_are_compared(done: Done) -> None:
    outputs = done(PEOPLE, columns=["name", "street"], action="mark")
    assert outputs.deduplication.facts["columns"] == ["name", "street"]
