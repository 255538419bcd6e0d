"""Searching on the tiny base, in this process."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Report
from modelmint.training.search import SearchInputs, search
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import questions
from tests.training.conftest import SCHEMA, Rows

SPACE = {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "batch_size": [8, 16]}
HEAD = {"head_learning_rate": {"low": 1e-7, "high": 3e-2, "log": True}}
"""Of which the small end learns nothing."""
QUICK = {"learning_rate": 3e-3, "batch_size": 8}
"""Set in `train`, with which the large end of `HEAD` learns much in two epochs."""


class Searching:
    """``find(trials=3)``: a search on tiny rows; ``learn(study)``: the training that follows it."""

    def __init__(self, context: StageContext, desk: StagingDesk, dataset: Callable[..., Dataset], base: Path) -> None:
        self.context, self._desk, self._dataset, self._base = context, desk, dataset, base

    def find(
        self,
        *,
        rows: Rows | None = None,
        validation: Rows | None = None,
        train: dict[str, Any] | None = None,
        context_changes: Any = None,
        **spec: Any,
    ) -> Report:
        """The report of a search; its checkpoints are removed when it ends well, as the loop does it."""
        given = {"space": SPACE, "trials": 3, "train": self._train(train), **spec}
        made = search(
            SearchSpec.model_validate(given),
            SearchInputs(train=self._rows(rows), validation=self._held_out(validation)),
            self._given(context_changes),
        ).search
        shutil.rmtree(self.context.checkpoints)
        self.context.checkpoints.mkdir()
        return made

    def learn(self, study: Report | None, *, train_spec: dict[str, Any] | None = None, **rows: Any) -> TrainOutputs:
        """Train with the best values of a study."""
        inputs = TrainInputs(
            train=self._rows(rows.get("rows")), validation=self._held_out(rows.get("validation")), search=study
        )
        return train(TrainSpec.model_validate(self._train(train_spec)), inputs, self._given(None))

    def _train(self, changes: dict[str, Any] | None) -> dict[str, Any]:
        tiny = {"base": str(self._base), "epochs": 2, "min_steps": 0, "max_tokens": 16, "precision": "fp32"}
        return tiny | (changes or {})

    def _rows(self, rows: Rows | None) -> Dataset:
        return self._dataset(questions(48) if rows is None else rows)

    def _held_out(self, rows: Rows | None) -> Dataset:
        given = questions(60, seed=99) if rows is None else rows
        return self._desk.dataset(
            "validation", pa.Table.from_pylist([{"_row": "v", **row} for row in given], schema=SCHEMA)
        )

    def _given(self, changes: Any) -> StageContext:
        shutil.rmtree(self.context.scratch)
        self.context.scratch.mkdir()
        return dataclasses.replace(self.context, **{"num_threads": 1, **(changes or {})})


@pytest.fixture
def searching(context: StageContext, desk: StagingDesk, dataset: Callable[..., Dataset], base: Path) -> Searching:
    return Searching(context, desk, dataset, base)
