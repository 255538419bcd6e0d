"""Labelled rows of a task, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS, form_of
from modelmint.core.inputs import ROW, SERVED, Input, of_rows
from modelmint.core.tags import repaired
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.answers import right_answers
from modelmint.evaluation.taken import NAMES, columns_of

ANSWERS = "question-answering"
TAKEN = "recommendation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What a task reads of rows and what each should be answered with, in the order of the dataset."""

    task: str
    columns: Mapping[str, list[Any]]

    @classmethod
    def read(
        cls,
        dataset: Dataset,
        task: str,
        role: str,
        *,
        limit: int | None = None,
        seed: int = 0,
        model: Model | None = None,
    ) -> Self:
        """Every row, or at most `limit`, chosen by the seed.

        Args:
            model: the trained model, which knows what users took before.

        Raises:
            DataError: the dataset is empty, is for another task, or a cell is empty.
            InputError: the model does not know what users took before.
        """
        is_table = SERVED[task].columns == ROW
        names = NAMES[1:] if task == TAKEN else (*(() if is_table else SERVED[task].columns), *truth_of(task))
        missing = [name for name in names if name not in tables.column_names(dataset)]
        if missing or not dataset.num_rows:
            raise _unfit(role, names, f"no column {' and no '.join(missing)}" if missing else "no rows")
        if "task" in dataset.facts and form_of(dataset).predicts != FORMS[task].predicts:
            raise _unfit(role, names, f"rows for {form_of(dataset).task}")
        of_table = [name for name in tables.column_names(dataset) if is_table and name not in ("_row", *names)]
        table = tables.read(dataset, ["_row", *names, *of_table])
        table = drawn(table, table.num_rows if limit is None else limit, seed)
        if task == TAKEN and model is not None:
            return cls(task=task, columns=columns_of(dataset, model, role, table))
        columns = {name: table.column(name).to_pylist() for name in ("_row", *names, *of_table)}
        if task == ANSWERS:  # a row may have no answer, or several
            columns["answer"] = [answer or "" for answer in columns["answer"]]
            if "answers" in tables.column_names(dataset):
                columns["answers"] = tables.read(dataset, ["_row", "answers"]).column("answers").to_pylist()
        num_empty = sum(
            any(cell is None for cell in cells) for cells in zip(*(columns[name] for name in names), strict=True)
        )
        if num_empty:
            raise _unfit(role, names, f"{num_empty} rows without one of them")
        return cls(task=task, columns=columns)

    @property
    def num_rows(self) -> int:
        return len(self.ids)

    @property
    def ids(self) -> list[str]:
        return self.columns["_row"]

    @property
    def inputs(self) -> list[Input]:
        """What an endpoint is asked (`core.inputs`)."""
        return of_rows(self.columns, SERVED[self.task].columns)

    @property
    def truth(self) -> list[Any]:
        """What each should be answered with: a label, sorted labels, tags, a number, or the answers that are right."""
        if self.task == ANSWERS:
            return right_answers(self.columns)
        cells = self.columns[truth_of(self.task)[0]]
        how: Any = {"classes": sorted, "tags": lambda tags: repaired(tags)[0]}.get(FORMS[self.task].predicts)
        return [how(cell) for cell in cells] if how else cells


def drawn(table: pa.Table, limit: int, seed: int) -> pa.Table:
    """At most `limit` rows, chosen by the seed, in their order."""
    if table.num_rows <= limit:
        return table
    return table.take(np.sort(np.random.default_rng(seed).choice(table.num_rows, limit, replace=False)))


def truth_of(task: str) -> tuple[str, ...]:
    """The columns that say what is right."""
    label = {ANSWERS: "answer", TAKEN: "item"}.get(task, FORMS[task].label)
    return (label,) if label is not None else ()


def _unfit(role: str, names: tuple[str, ...], given: str) -> DataError:
    return DataError(
        f"{role}: must have at least one row, and a {' and a '.join(names)} in each; got {given}",
        parameter=role,
        remedy="Give more labelled rows, or a larger share to this split.",
    )
