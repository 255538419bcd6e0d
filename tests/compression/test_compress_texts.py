"""Variants of a real language model of letters, compared along texts, timed and chosen."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compared_texts import TextRows, ask_trained
from modelmint.compression.compress import CompressInputs, CompressOutputs, CompressSpec, compress
from modelmint.core.errors import DataError, InputError
from modelmint.core.stage import StageContext
from modelmint.serving.writers import open_writer
from modelmint.training.tasks.language_model import load_language_model
from tests.tiny_causal import rows_of
from tests.tiny_language import language_folder, sayings, trained_language

pytest.importorskip("onnxruntime_genai")
Made = Callable[..., CompressOutputs]


@pytest.fixture
def made(context: StageContext, desk: StagingDesk) -> Made:
    def run(test: Any = None, **spec: Any) -> CompressOutputs:
        def dataset(name: str, num_rows: int, seed: int) -> Any:
            return rows_of(context, "text-generation", name, sayings(num_rows, seed=seed))

        inputs = CompressInputs(
            model=trained_language(desk),
            validation=dataset("validation", 210, 5),
            test=dataset("test", 30, 6) if test is None else rows_of(context, "text-generation", "test", test),
        )
        given = CompressSpec(**{"timed_rows": 2, **spec})
        return compress(given, inputs, dataclasses.replace(context, num_threads=1))

    return run


@pytest.mark.slow
def test_every_form_is_tried_measured_and_one_is_chosen(made: Made) -> None:
    outputs = made(gates={"accuracy_drop": "<= 0.5"})
    facts = outputs.compression.facts
    exact, *others = facts["variants"]
    assert [one["name"] for one in facts["variants"]] == ["genai-fp32", "genai-int8", "genai-int4-mixed", "genai-int4"]
    assert (exact["agreement"], exact["failures"], facts["metric"]) == (1.0, [], "perplexity")
    assert abs(exact["accuracy_drop"]) < 1e-3
    assert exact["size_bytes"] > others[0]["size_bytes"] > others[-1]["size_bytes"]
    assert not open_writer(outputs.variant.files.folder(), num_threads=1).answers_chats


def test_the_trained_models_loss_is_that_of_evaluate(context: StageContext, desk: StagingDesk) -> None:
    model, rows = trained_language(desk), [{"text": "one two three four five six " * 3}, *sayings(8, seed=3)]
    read = TextRows.read(rows_of(context, "text-generation", "test", rows), model, "test", limit=20, seed=0)
    (asked,) = ask_trained(model, [read], dataclasses.replace(context, num_threads=1))
    scored = load_language_model(language_folder()).score([row["text"] for row in rows])
    assert [one["tokens"] for one in asked] == [tokens for _, tokens in scored]
    assert [one["loss"] for one in asked] == pytest.approx([loss for loss, _ in scored], abs=1e-3)


def test_a_form_of_models_that_label_is_refused(made: Made) -> None:
    with pytest.raises(InputError, match=r"a model for text-generation has the forms genai-fp32"):
        made(**{"try": ["onnx-int8"]})


def test_empty_texts_are_refused(made: Made) -> None:
    with pytest.raises(DataError, match="something to predict"):
        made([{"text": ""}])
