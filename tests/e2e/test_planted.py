"""Every defect that examples/customer-service/planted.json lists is found by the data stages."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.tables import read
from modelmint.workspace import Workspace

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "customer-service"
REASONS = {
    "missing_label": "missing_label",
    "empty_text": "empty_text",
    "bad_width": "bad_width",
    "nul": "nul_byte",
    "not_utf8": "undecodable",
    "too_long": "too_long",
}


@pytest.fixture(scope="module")
def planted() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "planted.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The rows that the recipe's stages up to de-identification keep and put aside, `stage.role` -> rows."""
    with Workspace(tmp_path_factory.mktemp("planted") / "home") as workspace:
        recipe = FOLDER / "recipe.yaml"
        summary = workspace.run(recipe, until="deidentify", settings=["collect.keep=[id]", "preflight.suspects=false"])
        assert summary["status"] == "succeeded", summary["error"]
        yield {
            f"{stage['name']}.{role}": read(workspace.catalog.dataset(ids[0])).to_pylist()
            for stage in summary["stages"]
            for role, ids in stage["roles"].items()
            if ids[0].startswith("ds_")
        }


def ids_of(rows: list[dict[str, Any]], column: str = "id") -> set[str]:
    return {str(row[column]) for row in rows}


def test_every_broken_row_is_in_quarantine_with_its_reason(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    wanted: dict[str, int] = {}
    for row in planted["broken"]:
        if row["kind"] in REASONS:
            wanted[REASONS[row["kind"]]] = wanted.get(REASONS[row["kind"]], 0) + 1
    found: dict[str, int] = {}
    for row in tables["collect.quarantine"]:
        found[row["reason"]] = found.get(row["reason"], 0) + 1
    assert found == wanted


def test_no_row_is_lost(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    kept, aside = len(tables["deidentify.data"]), len(tables["collect.quarantine"]) + len(tables["clean.quarantine"])
    assert kept + aside == planted["rows"]


def test_every_duplicate_is_dropped_and_its_original_kept(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    kept = ids_of(tables["clean.data"])
    assert not kept & {pair["id"] for pair in planted["duplicates"]}
    assert {pair["of"] for pair in planted["duplicates"]} <= kept


def test_every_label_conflict_is_put_aside(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    conflicting = {identifier for group in planted["label_conflicts"] for identifier in group["ids"]}
    assert not ids_of(tables["clean.data"]) & conflicting
    assert sum(row["reason"] == "label_conflict" for row in tables["clean.quarantine"]) == len(conflicting)


def test_every_piece_of_personal_data_is_masked(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    text = {row["id"]: row["text"] for row in tables["deidentify.data"]}
    left = [
        row
        for row in planted["personal_data"]
        if row["value"] in text.get(row["id"], "") or "[" not in text.get(row["id"], "[")
    ]
    assert not left


def test_nothing_else_is_masked(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    text = {row["id"]: row["text"] for row in tables["deidentify.data"]}
    personal = ids_of(planted["personal_data"])
    assert all(row["text_part"] in text[row["id"]] for row in planted["not_personal"] if row["id"] not in personal)
    before = {row["id"]: row["text"] for row in tables["clean.data"]}
    changed = {identifier for identifier, after in text.items() if after != before[identifier]}
    assert changed <= personal


def test_the_mojibake_is_mended(planted: dict[str, Any], tables: dict[str, Any]) -> None:
    (broken,) = [row for row in planted["broken"] if row["kind"] == "mojibake"]
    with (FOLDER / "questions.csv").open(encoding="utf-8", errors="replace", newline="") as stream:
        before = next(
            line
            for line in csv.reader(line.replace("\0", "") for line in stream if len(line) < 10_000)
            if line[0] == broken["id"]
        )[4]
    after = next(row["text"] for row in tables["clean.data"] if row["id"] == broken["id"])
    assert "â€" in before
    assert "â€" not in after
