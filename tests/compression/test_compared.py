"""What a variant's answers are worth: each task by its own measure; and whole compressions of the other tasks."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compared import Rows, agreement, task_of
from modelmint.compression.compress import CompressInputs, CompressSpec, compress
from modelmint.core.errors import DataError, InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from tests.tiny_base import write_base
from tests.tiny_spans import learner_of
from tests.tiny_texts import numbers, pairs, sets, with_pair_template


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "rows", "metric"),
    [
        ("text-pair-classification", pairs, "accuracy"),
        ("multi-label-classification", sets, "micro_f1"),
        ("text-regression", numbers, "rmse"),
    ],
)
def test_a_task_is_compared_by_its_own_measure(
    task: str, rows: Callable[..., list[dict[str, Any]]], metric: str, context: StageContext, desk: StagingDesk,
    dataset: Callable[..., Dataset], tmp_path: Path,
) -> None:  # fmt: skip
    base = with_pair_template(write_base(tmp_path / "base", num_spare_tokens=5))
    model = learner_of(context, desk, task, base=str(base))(rows(60), rows(60, seed=9)).model
    inputs = CompressInputs(
        model=model,
        validation=dataset(rows(20, seed=3)),
        test=dataset(rows(60, seed=4)),
        train=dataset(rows(60)),
    )
    spec = CompressSpec(
        try_=("onnx-fp32", "onnx-int8-static"), timed_rows=5, gates={"accuracy_drop": "<= 0.2", "agreement": ">= 0.7"}
    )
    facts = compress(spec, inputs, dataclasses.replace(context, num_threads=1)).compression.facts
    assert (facts["metric"], facts["failed"]) == (metric, [])
    assert facts["variants"][0]["agreement"] == 1
    assert facts["chosen"]


def test_an_error_that_grows_is_a_drop_as_a_share_of_it() -> None:
    rows = Rows(task="text-regression", columns={"text": ["a", "b"], "label": [1.0, 3.0]})
    near, far = ([{"value": 1 + by}, {"value": 3 + by}] for by in (0.5, 0.6))
    assert rows.drop(near, far, seed=1) == pytest.approx(0.2)


def test_sets_of_labels_agree_in_any_order() -> None:
    assert agreement([{"labels": ["a", "b"]}, {"labels": []}], [{"labels": ["b", "a"]}, {"labels": ["a"]}]) == 0.5


def test_numbers_agree_when_they_are_near_beside_how_far_they_spread() -> None:
    trained = [{"value": 0.0}, {"value": 10.0}]
    assert agreement(trained, [{"value": 0.2}, {"value": 11.0}]) == 0.5


def test_a_task_that_no_engine_serves_is_refused(model: Model) -> None:
    manifest = {**model.manifest, "facts": {**model.facts, "task": "masked-language-model"}}
    with pytest.raises(InputError, match=r"must be for text-classification, .*; model is for masked-language-model"):
        task_of(dataclasses.replace(model, manifest=manifest))


def test_rows_of_another_task_are_refused(dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="test: must have at least one row, and a text and a labels in each; got no"):
        Rows.read(dataset([{"text": "a", "label": "b"}]), "multi-label-classification", "test", limit=9, seed=1)
