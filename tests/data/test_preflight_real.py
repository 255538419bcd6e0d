"""Preflight on real data sets of three tasks, against figures that were published or counted by hand."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.data.preflight import PreflightInputs, PreflightSpec, preflight

SENTENCES, PROBLEMS, QUESTIONS = "conll2003/train.jsonl.gz", "gsm8k/train.jsonl.gz", "squad_v11_dev/dev.jsonl.gz"


def lines(path: Path, most: int) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for _, line in zip(range(most), stream, strict=False):
            yield json.loads(line)


def facts_of(task: str, rows: list[dict[str, Any]], desk: StagingDesk, context: StageContext, **spec: Any) -> JSON:
    table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)])
    inputs = PreflightInputs(data=desk.dataset(task, table, facts={"task": task}, licences=["MIT"]))
    return preflight(PreflightSpec(near=False, max_rows_sampled=200, **spec), inputs, context).preflight.facts


def test_the_entities_of_conll_are_those_that_were_published(
    shared: Path, desk: StagingDesk, context: StageContext
) -> None:
    rows = [{"tokens": row["tokens"], "tags": row["ner"]} for row in lines(shared / SENTENCES, 20_000)]
    facts = facts_of("token-classification", rows, desk, context)
    assert facts["labels"]["counts"] == {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600}


def test_half_of_the_tags_of_conll_are_lost_at_sixteen_tokens(
    shared: Path, desk: StagingDesk, context: StageContext
) -> None:
    rows = [{"tokens": row["tokens"], "tags": row["ner"]} for row in lines(shared / SENTENCES, 2_000)]
    targets = facts_of("token-classification", rows, desk, context, base="starter", max_tokens=16)["targets"]
    assert targets["total"] == sum(tag != "O" for row in rows for tag in row["tags"])
    assert 0.25 < targets["share"] < 0.6


def test_the_answers_of_gsm8k_are_cut_by_a_short_limit(shared: Path, desk: StagingDesk, context: StageContext) -> None:
    rows = [
        {"messages": [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]}
        for row in lines(shared / PROBLEMS, 500)
    ]
    short = facts_of("chat", rows, desk, context, base="starter", max_tokens=128)
    whole = facts_of("chat", rows, desk, context, base="starter", max_tokens=512)
    assert (whole["targets"]["lost"], short["targets"]["total"]) == (0, whole["targets"]["total"])
    assert 0.35 < short["targets"]["share"] < 0.65
    assert short["targets"]["rows_untrainable"] > 0


@pytest.mark.parametrize(("max_tokens", "low", "high"), [(128, 0.1, 0.35), (384, 0.0, 0.02)])
def test_answers_of_squad_outside_the_window_are_counted(
    shared: Path, desk: StagingDesk, context: StageContext, max_tokens: int, low: float, high: float
) -> None:
    rows = [
        {
            "question": row["question"],
            "context": row["context"],
            "answer": row["answers"]["text"][0],
            "answer_start": row["answers"]["answer_start"][0],
        }
        for row in lines(shared / QUESTIONS, 1_500)
    ]
    targets = facts_of("question-answering", rows, desk, context, base="starter", max_tokens=max_tokens)["targets"]
    assert targets["total"] == len(rows)
    assert low <= targets["share"] <= high
