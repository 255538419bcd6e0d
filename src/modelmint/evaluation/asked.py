"""The rows that parity replays: their texts, and what each should be answered with."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.forms import form_of
from modelmint.core.types import JSON, Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Row ids, texts and right answers (a label, sorted labels, or a number), in the order of the dataset."""

    ids: list[str]
    texts: list[str]
    truth: list[Any]

    @classmethod
    def read(cls, dataset: Dataset, how: JSON) -> Self:
        """Every row.

        Args:
            how: the fact `answers` of the model.

        Raises:
            DataError: the dataset is empty, is for another task, or a row has no text or no label.
        """
        form = form_of(dataset)
        wanted = {"softmax": "class", "sigmoid": "classes", "identity": "number"}[how["by"]]
        if form.label is None or form.texts != ("text",) or form.predicts != wanted:
            raise DataError(
                f"test: must hold rows of one text with {wanted} for a label; {dataset.name} is for {form.task}",
                parameter="test",
                remedy="Split the same rows that the model was trained on, with a share for the test.",
            )
        table = tables.read(dataset, ["_row", "text", form.label])
        texts, truth = table.column("text").to_pylist(), table.column(form.label).to_pylist()
        num_missing = sum(text is None or label is None for text, label in zip(texts, truth, strict=True))
        if not texts or num_missing:
            given = f"{num_missing} rows without one of them" if num_missing else "no rows"
            raise DataError(
                f"test: must have at least one row, and a text and a label in each; got {given}",
                parameter="test",
                remedy="Give more labelled rows, or a larger share to this split.",
            )
        named = [sorted(label) for label in truth] if wanted == "classes" else truth
        return cls(ids=table.column("_row").to_pylist(), texts=texts, truth=named)

    def sample(self, limit: int, *, seed: int) -> Self:
        """At most `limit` rows, chosen by the seed, in their order."""
        if len(self.ids) <= limit:
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(len(self.ids), limit, replace=False)).tolist()
        return type(self)(
            ids=[self.ids[at] for at in chosen],
            texts=[self.texts[at] for at in chosen],
            truth=[self.truth[at] for at in chosen],
        )
