"""Training the tiny base: one thread, since with more of them something so small only waits."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import questions, write_base

Rows = list[dict[str, Any]]
SCHEMA = pa.schema([(name, pa.string()) for name in ("_row", "text", "label")])


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5)


@pytest.fixture
def learn(
    context: StageContext, desk: StagingDesk, dataset: Callable[..., Dataset], base: Path
) -> Callable[..., TrainOutputs]:
    """``learn(rows, validation_rows, start=model, say=..., epochs=3)``: train on the tiny base."""

    def run(
        rows: Rows,
        validation: Rows | None = None,
        *,
        start: Model | None = None,
        context_changes: Any = None,
        **spec: Any,
    ) -> TrainOutputs:
        wanted = {
            "base": str(base),
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "head_learning_rate": 1e-2,
            "max_tokens": 16,
            "min_steps": 0,
            "precision": "fp32",
            "encoder_dropout": 0.1,
            **spec,
        }
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        held_out = questions(60, seed=99) if validation is None else validation
        inputs = TrainInputs(
            train=dataset(rows),
            validation=desk.dataset(
                "validation", pa.Table.from_pylist([{"_row": "v", **row} for row in held_out], schema=SCHEMA)
            ),
            start=start,
        )
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        return train(TrainSpec(**wanted), inputs, given)

    return run
