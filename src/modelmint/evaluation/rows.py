"""Labelled rows of a dataset, as lists."""

from dataclasses import dataclass
from typing import Self

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Row ids, texts and labels, in the order of the dataset."""

    ids: list[str]
    texts: list[str]
    labels: list[str]

    @classmethod
    def read(cls, dataset: Dataset, role: str) -> Self:
        """Every row.

        Raises:
            DataError: the dataset is empty, or a row has no text or no label.
        """
        table = tables.read(dataset, ["_row", "text", "label"])
        texts, labels = table.column("text").to_pylist(), table.column("label").to_pylist()
        num_missing = sum(text is None or label is None for text, label in zip(texts, labels, strict=True))
        if not texts or num_missing:
            given = f"{num_missing} rows without one of them" if num_missing else "no rows"
            raise DataError(
                f"{role}: must have at least one row, and a text and a label in each; got {given}",
                parameter=role,
                remedy="Give more labelled rows, or a larger share to this split.",
            )
        return cls(ids=table.column("_row").to_pylist(), texts=texts, labels=labels)
