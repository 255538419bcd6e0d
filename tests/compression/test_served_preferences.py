"""A chat model that was tuned to preferences is made smaller, proven and served like any chat model."""

import dataclasses
from pathlib import Path

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compress import CompressInputs, CompressSpec, compress
from modelmint.core.stage import StageContext
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from tests.tiny_causal import learner, pairs, write_causal
from tests.training.tasks.made import rows_of

pytest.importorskip("onnxruntime_genai")


@pytest.mark.slow
def test_what_was_tuned_to_preferences_passes_parity_on_its_own_rows(
    context: StageContext, desk: StagingDesk, tmp_path: Path
) -> None:
    ctx = dataclasses.replace(context, num_threads=1)
    learn = learner(ctx, write_causal(tmp_path / "base"), task="preference", validation=pairs(20, seed=9))
    model = learn(pairs(24), learning_rate=3e-3).model
    validation, test = (rows_of(desk, name, "preference", pairs(20, seed=seed)) for name, seed in (("v", 5), ("t", 6)))
    made = compress(
        CompressSpec(**{"try": ["genai-fp32"], "timed_rows": 2}),
        CompressInputs(model=model, validation=validation, test=test),
        ctx,
    )
    assert made.compression.facts["variants"][0]["agreement"] == 1.0
    facts = parity(ParitySpec(adversarial_rows=12), ParityInputs(model=model, variant=made.variant, test=test), ctx)
    assert (facts.parity.facts["refused"], facts.parity.facts["agreement"]) == ([], 1.0)
