"""Parity against real HTTP servers in this process: one that answers from the model, and some that do not."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model, Report
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.evaluation.predict import predict

from .conftest import questions
from .endpoint import served

Judge = Callable[..., Report]


@pytest.fixture
def judge(
    context: StageContext, dataset: Callable[..., Dataset], model: Callable[..., Model], trained_folder: Path
) -> Judge:
    """Run parity against a server: ``judge(break_answers, num_rows=, spec=)``; the server answers from the model."""

    def run(
        broken: Callable[[list[str], list[dict[str, Any]]], tuple[int, Any]] | None = None,
        *,
        num_rows: int = 240,
        spec: ParitySpec | None = None,
        seen: list[Any] | None = None,
    ) -> Report:
        trained = model(trained_folder)
        rows = [{**row, "text": f"{row['text']} {at}"} for at, row in enumerate(questions(num_rows, seed=3))]
        texts = [str(row["text"]) for row in rows]
        found = predict(trained, texts, context)
        known = dict(zip(texts, zip(found.predicted, found.scores, strict=True), strict=True))

        def answers(asked: list[str]) -> tuple[int, Any]:
            given = [{"label": known[text][0], "score": known[text][1]} for text in asked]
            return broken(asked, given) if broken else (200, {"predictions": given})

        ctx = replace(context, serve=lambda _variant: served(answers, seen if seen is not None else []))
        inputs = ParityInputs(model=trained, variant=trained, test=dataset(rows))
        return parity((spec or ParitySpec()).model_copy(update={"adversarial_rows": 0}), inputs, ctx).parity

    return run


def test_an_endpoint_that_answers_like_the_model_passes(judge: Judge) -> None:
    report = judge()
    assert (report.facts["refused"], report.facts["agreement"], report.facts["num_rows"]) == ([], 1.0, 240)
    assert report.measured["p95_ms"] >= report.measured["p50_ms"] > 0


def test_the_real_server_passes_with_a_variant_that_knows_the_same(
    context: StageContext,
    dataset: Callable[..., Dataset],
    model: Callable[..., Model],
    trained_folder: Path,
    exported_folder: Path,
) -> None:
    inputs = ParityInputs(
        model=model(trained_folder),
        variant=model(exported_folder, engine="onnx", variant="onnx-fp32"),
        test=dataset(questions(200, seed=3)),
    )
    facts = parity(ParitySpec(), inputs, context).parity.facts
    assert (facts["agreement"], facts["refused"]) == (1.0, [])


def test_requests_are_single_texts_and_lists_of_several_sizes_at_the_same_time(judge: Judge) -> None:
    def slow(_texts: list[str], given: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.01)
        return 200, {"predictions": given}

    seen: list[Any] = []
    judge(slow, seen=seen)
    assert {len(one) if isinstance(one, list) else "bare" for one, _ in seen} >= {"bare", 1, 2, 3, 5, 8}
    assert max(at_once for _, at_once in seen) > 1


def test_wrong_labels_on_5_of_100_rows_are_refused_and_listed(judge: Judge) -> None:
    def wrong(texts: list[str], given: list[dict[str, Any]]) -> tuple[int, Any]:
        for text, one in zip(texts, given, strict=True):
            if int(text.split()[-1]) % 20 == 0:
                one["label"] = "loan" if one["label"] != "loan" else "card"
        return 200, {"predictions": given}

    facts = judge(wrong).facts
    assert (facts["agreement"], len(facts["disagreements"])) == (0.95, 12)
    assert "agreement: must be >= 0.99; it is 0.9500" in facts["refused"]


def test_a_server_that_mixes_up_the_rows_of_a_request_is_refused(judge: Judge) -> None:
    assert judge(lambda _texts, given: (200, {"predictions": given[::-1]})).facts["agreement"] < 0.9


def test_one_failed_request_is_enough_to_refuse_and_its_reason_is_told(judge: Judge) -> None:
    def failing(texts: list[str], given: list[dict[str, Any]]) -> tuple[int, Any]:
        broken = any(text.endswith(" 7") for text in texts)
        return (500, {"error": {"message": "the engine fell over"}}) if broken else (200, {"predictions": given})

    facts = judge(failing).facts
    assert facts["num_failed_rows"] >= 1
    assert any("HTTP 500: the engine fell over" in reason for reason in facts["refused"])


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda _texts, given: (200, {"predictions": [*given, given[0]]}), "another number of predictions"),
        (lambda _texts, given: (200, {"predictions": [{"label": "card"} for _ in given]}), "no label or no score"),
        (lambda _texts, given: (200, {"predictions": [{**one, "score": float("nan")} for one in given]}), "no score"),
        (lambda _texts, _given: (200, ["card"]), "no list of predictions"),
        (lambda _texts, _given: (200, b"<html>"), "not JSON"),
        (lambda _texts, _given: (200, None), "no answer: RemoteProtocolError"),
    ],
)
def test_an_answer_that_is_no_answer_counts_as_a_disagreement(judge: Judge, broken: Any, reason: str) -> None:
    facts = judge(broken).facts
    assert (facts["agreement"], facts["accuracy_served"], facts["num_failed_rows"]) == (0.0, 0.0, 240)
    assert reason in facts["failures"][0]["reason"] + facts["failures"][-1]["reason"]


def test_a_server_that_hangs_is_given_up_and_the_rest_counts_as_failed(judge: Judge) -> None:
    def hanging(_texts: list[str], given: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {"predictions": given}

    facts = judge(hanging, spec=ParitySpec(request_timeout_s=0.1)).facts
    assert facts["num_failed_rows"] == 240
    reasons = {failure["reason"] for failure in facts["failures"]}
    assert reasons == {"no answer: ReadTimeout", "not sent, after 20 failed requests"}


def test_a_key_that_is_refused_is_told(judge: Judge) -> None:
    facts = judge(lambda _texts, _given: (401, {"error": {"message": "wrong key"}})).facts
    assert any("HTTP 401: wrong key" in reason for reason in facts["refused"])


def test_fewer_than_200_test_rows_are_all_replayed_and_said(judge: Judge) -> None:
    facts = judge(num_rows=40).facts
    assert facts["num_rows"] == 40
    assert "fewer than 200" in facts["notes"][0]


def test_a_large_test_set_is_sampled_by_the_seed(judge: Judge) -> None:
    first, second = (judge(spec=ParitySpec(num_rows=200)) for _ in range(2))
    assert first.facts["num_rows"] == 200
    assert first.digest == second.digest
