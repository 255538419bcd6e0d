from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from modelmint.core import tables
from modelmint.core.errors import DataError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.evaluate import EvaluateInputs, EvaluateOutputs, EvaluateSpec, evaluate

from .conftest import TOPICS, questions

Evaluated = Callable[..., EvaluateOutputs]


@pytest.fixture
def evaluated(
    context: StageContext, dataset: Callable[..., Dataset], model: Callable[..., Model], trained_folder: Path
) -> Evaluated:
    """Evaluate the trained classifier: ``evaluated(spec, test=rows, live=model, model=model)``."""

    def run(
        spec: EvaluateSpec | None = None, test: list[dict[str, Any]] | None = None, **models: Model
    ) -> EvaluateOutputs:
        inputs = EvaluateInputs(
            train=dataset(questions(200, seed=1)),
            test=dataset(test or questions(300, seed=2, wrong=0.05)),
            **{"model": model(trained_folder), **models},
        )
        return evaluate(spec or EvaluateSpec(), inputs, context)

    return run


def test_a_trained_model_has_figures_with_intervals_beside_the_baseline(evaluated: Evaluated) -> None:
    report = evaluated().evaluation
    figure = report.facts["metrics"]["accuracy"]
    assert figure["n"] == 300
    assert 0.85 < figure["low"] <= figure["value"] <= figure["high"] < 1.0
    assert report.facts["baseline"]["metrics"]["accuracy"]["value"] > 0.8
    assert report.facts["refused"] == []


def test_predictions_are_one_row_a_test_row_and_agree_with_the_accuracy(evaluated: Evaluated) -> None:
    made = evaluated()
    rows = tables.read(made.predictions).to_pylist()
    assert [*rows[0]] == ["_row", "label", "predicted", "score", "correct", "baseline"]
    assert sum(row["correct"] for row in rows) / 300 == pytest.approx(
        made.evaluation.facts["metrics"]["accuracy"]["value"], abs=1e-6
    )


def test_the_same_inputs_give_the_same_digests(evaluated: Evaluated) -> None:
    first, second = evaluated(), evaluated()
    assert first.evaluation.digest == second.evaluation.digest
    assert first.predictions.digest == second.predictions.digest


def test_the_surest_errors_are_the_wrong_labels_of_the_test_set(evaluated: Evaluated) -> None:
    clean, errors = questions(300, seed=2), evaluated().evaluation.facts["errors"]
    assert errors == sorted(errors, key=lambda error: -error["score"])
    assert {error["predicted"] == clean[int(error["_row"][1:])]["label"] for error in errors[:5]} == {True}


def test_a_gate_out_of_reach_refuses_with_the_figure(evaluated: Evaluated) -> None:
    spec = EvaluateSpec.model_validate({"gates": {"accuracy": [">= 0.5", ">= baseline + 0.5"]}})
    facts = evaluated(spec).evaluation.facts
    assert [gate["passed"] for gate in facts["gates"]] == [True, False]
    assert "accuracy: must be >= baseline + 0.5" in facts["refused"][0]


def test_a_gate_on_the_live_model_blocks_where_there_is_none(evaluated: Evaluated) -> None:
    spec = EvaluateSpec.model_validate({"gates": {"accuracy": ">= live - 0.01"}})
    assert "there is no live to compare" in evaluated(spec).evaluation.facts["refused"][0]


def test_a_model_as_good_as_the_live_one_passes_without_gates_of_its_own(
    evaluated: Evaluated, model: Callable[..., Model], trained_folder: Path
) -> None:
    facts = evaluated(live=model(trained_folder)).evaluation.facts
    assert facts["live"]["difference"]["accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 300}
    assert (facts["refused"], [gate["name"] for gate in facts["gates"]]) == (
        [],
        ["accuracy", "accuracy against live", "slices against live"],
    )


def test_a_model_much_worse_than_the_live_one_is_refused_twice(
    evaluated: Evaluated, model: Callable[..., Model], trained_folder: Path, untrained_folder: Path
) -> None:
    facts = evaluated(model=model(untrained_folder), live=model(trained_folder)).evaluation.facts
    assert facts["live"]["p_value"] < 0.001
    assert [reason.split(";")[0] for reason in facts["refused"]][1] == (
        "accuracy: must not be significantly worse than that of the live model"
    )


def test_labels_that_the_live_model_does_not_know_do_not_make_a_new_model_look_better(
    evaluated: Evaluated, model: Callable[..., Model], trained_folder: Path
) -> None:
    live = model(trained_folder, labels=["card", "cash", "old", "rate"])
    facts = evaluated(live=live).evaluation.facts["live"]
    assert facts["difference"]["accuracy"]["low"] > 0.1
    assert facts["known"]["accuracy"] == facts["known"]["live_accuracy"]
    assert [*facts["unknown_labels"]] == ["loan"]


def test_no_row_that_the_live_model_knows_blocks(
    evaluated: Evaluated, model: Callable[..., Model], trained_folder: Path
) -> None:
    facts = evaluated(live=model(trained_folder, labels=["k", "l", "m", "n"])).evaluation.facts
    assert "cannot be computed blocks" in facts["refused"][0]


def test_a_label_that_the_model_cannot_give_counts_as_wrong_and_is_said(evaluated: Evaluated) -> None:
    test = [*questions(200, seed=5), *({"text": "coins", "label": "new"} for _ in range(50))]
    facts = evaluated(test=test).evaluation.facts
    assert facts["metrics"]["accuracy"]["value"] <= 0.8
    assert any("50 test rows have labels" in warning["message"] for warning in facts["warnings"])


def test_without_a_baseline_there_is_none(evaluated: Evaluated) -> None:
    made = evaluated(EvaluateSpec(baseline="none"))
    assert made.evaluation.facts["baseline"] is None
    assert set(tables.column(made.predictions, "baseline")) == {None}


def test_an_empty_test_set_is_refused_at_once(
    context: StageContext, dataset: Callable[..., Dataset], model: Callable[..., Model], trained_folder: Path
) -> None:
    rows = dataset(questions(5, seed=1))
    empty = context.desk.dataset("empty", tables.read(rows).slice(0, 0))
    with pytest.raises(DataError, match="test: must have at least one row"):
        evaluate(EvaluateSpec(), EvaluateInputs(model=model(trained_folder), train=rows, test=empty), context)


def test_a_model_that_diverged_is_an_error_and_not_a_figure(
    evaluated: Evaluated, model: Callable[..., Model], trained_folder: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(trained_folder, tmp_path / "diverged")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor * float("nan") for name, tensor in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(StageError, match="finite numbers; for 300 of 300"):
        evaluated(model=model(folder))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gates": {"accurcy": ">= 0.9"}}, "must name one of accuracy"),
        ({"gates": {"accuracy": 0.9}}, ">= 0.90"),
        ({"gates": {"accuracy": ">= baseline"}, "baseline": "none"}, "a gate compares with it"),
    ],
)
def test_a_wrong_spec_is_refused_before_anything_runs(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        EvaluateSpec.model_validate(given)


def test_the_figures_are_per_class_for_every_label(evaluated: Evaluated) -> None:
    assert [row["label"] for row in evaluated().evaluation.facts["per_class"]] == sorted(TOPICS)


def test_every_figure_has_an_interval_and_a_count_and_the_report_a_page(evaluated: Evaluated) -> None:
    report = evaluated().evaluation
    figures = report.facts["metrics"]
    assert {"accuracy", "macro_f1", "micro_f1", "auc", "log_loss", "ece"} <= set(figures)
    assert all(one["low"] <= one["value"] <= one["high"] and one["n"] == 300 for one in figures.values())
    assert "report.html" in set(report.paths())


def test_labels_that_the_model_does_not_know_are_told_apart_by_its_sureness(evaluated: Evaluated) -> None:
    test = [*questions(200, seed=5), *({"text": "please help today", "label": "other"} for _ in range(50))]
    figures = evaluated(test=test).evaluation.facts["metrics"]
    assert figures["out_of_scope_auroc"]["value"] > 0.6
    assert figures["out_of_scope_fpr"]["n"] == 50


def test_a_slice_is_a_gate_and_is_named_in_the_facts(evaluated: Evaluated) -> None:
    test = [{**row, "source": "app" if at % 3 else "phone call"} for at, row in enumerate(questions(300, seed=2))]
    spec = EvaluateSpec.model_validate(
        {"slices": ["source"], "gates": {"accuracy[source=phone call]": ">= 0.5", "accuracy[source=fax]": ">= 0.5"}}
    )
    facts = evaluated(spec, test=test).evaluation.facts
    assert [gate["passed"] for gate in facts["gates"]] == [True, False]
    assert {"source", "label"} <= {one["column"] for one in facts["slices"]["judged"]}


def test_test_rows_that_were_trained_on_are_leaks(evaluated: Evaluated) -> None:
    spec = EvaluateSpec.model_validate({"gates": {"leaks": 0}})
    facts = evaluated(spec, test=[*questions(200, seed=5), *questions(200, seed=1)[:20]]).evaluation.facts
    assert facts["leaks"]["num_rows"] >= 20
    assert facts["refused"][0].startswith("leaks: must be <= 0; it is ")


def test_time_size_and_cost_are_measured_where_a_gate_asks(evaluated: Evaluated) -> None:
    gates = {"p50_ms": "<= 10000", "size_mb": "<= 100", "cost_per_million": "<= 100000 USD"}
    report = evaluated(EvaluateSpec.model_validate({"gates": gates})).evaluation
    assert report.facts["refused"] == []
    assert report.measured["p50_ms"] > 0


def test_a_slice_s_column_that_is_not_there_is_an_error(evaluated: Evaluated) -> None:
    with pytest.raises(DataError, match="slices: must name columns of the test rows; 'lang' is none of"):
        evaluated(EvaluateSpec(slices=("lang",)))


def test_a_gap_needs_its_protected_column() -> None:
    with pytest.raises(ValidationError, match="protected: must name gender"):
        EvaluateSpec.model_validate({"gates": {"fairness_gap[gender]": "<= 0.05"}})
