"""Without lm-eval, harness says what to install."""

import sys

import pytest

from modelmint.core.errors import UnavailableError
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.evaluation.harness import HarnessInputs, HarnessSpec, harness


def test_it_is_an_extra(context: StageContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    (context.scratch / "model").mkdir()
    (context.scratch / "model" / "modelmint.json").write_text("{}")
    model: Model = context.desk.model("model", context.scratch / "model")
    with pytest.raises(UnavailableError, match=r"not installed") as refused:
        harness(HarnessSpec(tasks=("hellaswag",)), HarnessInputs(model=model), context)
    assert "modelmint[harness]" in str(refused.value)
