"""Embeddings and rerankers through `compress`: forms, figures, agreement, what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compress import CompressInputs, CompressSpec, compress
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from tests.tiny_base import questions, write_base
from tests.tiny_texts import with_pair_template
from tests.training.tasks.made import Rows, fit, rows_of
from tests.training.tasks.test_text_embedding import queries
from tests.training.tasks.test_text_reranking import pairs

TEXTS = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "max_tokens": 24}
CASES: dict[str, tuple[str, str, Any]] = {
    "embedding of labels": ("text-embedding", "text-classification", questions),
    "embedding of queries": ("text-embedding", "text-retrieval", queries),
    "ranking of queries": ("text-reranking", "text-retrieval", queries),
    "ranking of labelled pairs": ("text-reranking", "text-pair-classification", pairs),
}
TRIED = ("onnx-fp32", "onnx-int8", "onnx-int8-static")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_variants_are_held_against_the_trained_model_by_the_main_figure(
    case: str, context: StageContext, desk: StagingDesk, tmp_path: Path
) -> None:
    facts = compressed(*CASES[case], dataclasses.replace(context, num_threads=1), desk, tmp_path)
    assert facts["metric"] == ("recall_at_10" if "embedding" in case else "ndcg_at_10")
    exact = next(one for one in facts["variants"] if one["name"] == "onnx-fp32")
    assert (exact["agreement"], exact["accuracy_drop"]) == (1.0, pytest.approx(0, abs=0.01))
    assert ([one["name"] for one in facts["variants"]], facts["failed"]) == (list(TRIED), [])


def compressed(task: str, form: str, rows: Any, ctx: StageContext, desk: StagingDesk, work: Path, **spec: Any) -> JSON:
    """The facts of `compress` of a model of few rows."""
    base = str(with_pair_template(write_base(work / "base", num_spare_tokens=5)))
    model = fit(ctx, desk, form, rows(60), rows(30, seed=9), task=task, base=base, **TEXTS).model
    given: dict[str, Rows] = {"train": rows(60), "validation": rows(30, seed=9), "test": rows(40, seed=4)}
    sets = {name: rows_of(desk, name, form, some) for name, some in given.items()}
    wanted = CompressSpec(
        **{"try": TRIED, "timed_rows": 8, "calibration_rows": 16, "gates": {"agreement": ">= 0.5"}, **spec}
    )
    return compress(wanted, CompressInputs(model=model, **sets), ctx).compression.facts
