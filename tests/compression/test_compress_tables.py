"""Forms of a table's model: as it was trained, measured beside it; what is neither smaller nor faster is refused."""

import dataclasses
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compress import CompressInputs, CompressSpec, compress
from modelmint.compression.variants import default_forms, fitting
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from tests.training.tasks.made import fit, rows_of
from tests.training.tasks.media import customers

WHOLE: dict[str, Any] = {"min_steps": None, "precision": None}
TASK = "tabular-classification"


@pytest.fixture
def model(context: StageContext, desk: StagingDesk) -> Model:
    ctx = dataclasses.replace(context, num_threads=1)
    return fit(ctx, desk, TASK, customers(120), customers(60, seed=9), **WHOLE).model


def test_boosted_trees_are_measured_as_they_were_trained(
    model: Model, context: StageContext, desk: StagingDesk
) -> None:
    sets = {name: rows_of(desk, name, TASK, customers(60, seed=4)) for name in ("validation", "test")}
    spec = CompressSpec(timed_rows=8, gates={"size_mb": "<= 1", "agreement": ">= 1"})
    report = compress(
        spec, CompressInputs(model=model, **sets), dataclasses.replace(context, num_threads=1)
    ).compression
    (variant,) = report.facts["variants"]
    assert (report.facts["metric"], variant["name"], variant["agreement"]) == ("auc", "lightgbm-fp64", 1.0)
    assert variant["size_bytes"] == report.facts["model"]["size_bytes"] > 1_000
    assert report.facts["chosen"] == "lightgbm-fp64"


@pytest.mark.parametrize(
    ("made_by", "forms"), [("lightgbm", ("lightgbm-fp64",)), ("linear", ("numpy-fp64",)), ("network", ("onnx-fp32",))]
)
def test_what_is_tried_is_the_model_as_trained(model: Model, made_by: str, forms: tuple[str, ...]) -> None:
    assert default_forms(_by(model, made_by)) == forms


@pytest.mark.parametrize(
    ("made_by", "form", "said"),
    [
        ("lightgbm", "onnx-fp32", "a model for tabular-classification by lightgbm has the forms lightgbm-fp64; got 'onnx-fp32'"),
        ("linear", "lightgbm-fp64", "by linear has the forms numpy-fp64"),
        ("network", "onnx-int8-static", "by network has the forms onnx-fp32, onnx-int8"),
        ("lightgbm", "layers-3/lightgbm-fp64", "a model of a table has no smaller bodies"),
    ],
)  # fmt: skip
def test_a_form_that_gains_nothing_is_refused_by_name(model: Model, made_by: str, form: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fitting([form], _by(model, made_by), TASK)


def _by(model: Model, made_by: str) -> Model:
    return dataclasses.replace(model, manifest={**model.manifest, "facts": {**model.facts, "engine": made_by}})
