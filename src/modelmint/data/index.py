"""All rows of a dataset as a few numbers each, so that any number of them can be compared in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import FORMS, Form
from modelmint.core.tables import batches
from modelmint.core.text import fingerprints
from modelmint.core.types import Dataset

SPLIT_CODES = {None: 0, "train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, kw_only=True)
class RowIndex:
    """N rows in the order of the dataset; 13 bytes each."""

    fingerprint: npt.NDArray[np.uint64]
    """(N,) equal for texts that count as the same."""
    label: npt.NDArray[np.int32]
    """(N,) positions in `label_names`."""
    split: npt.NDArray[np.int8]
    """(N,) 0 train or not declared, 1 validation, 2 test."""
    label_names: list[str]
    """In the order of their names."""

    def __len__(self) -> int:
        return len(self.fingerprint)

    def counts(self, where: npt.NDArray[np.bool_] | None = None) -> dict[str, int]:
        """Rows of each label, of all rows or of those in a mask of shape (N,)."""
        labels = self.label if where is None else self.label[where]
        found = np.bincount(labels, minlength=len(self.label_names))
        return {name: int(count) for name, count in zip(self.label_names, found, strict=True) if count}


class Indexer:
    """Builds a `RowIndex` from batches as they pass."""

    def __init__(self, form: Form = FORMS["text-classification"], *, casefold: bool = True) -> None:
        self._form, self._casefold = form, casefold
        self._codes: dict[str, int] = {}
        self._fingerprints: list[npt.NDArray[np.uint64]] = []
        self._labels: list[npt.NDArray[np.int32]] = []
        self._splits: list[npt.NDArray[np.int8]] = []

    def see(self, passing: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on, indexing each."""
        for batch in passing:
            self._fingerprints.append(fingerprints(forms.contents(batch, self._form), casefold=self._casefold))
            labels = [self._codes.setdefault(name, len(self._codes)) for name in forms.labels(batch, self._form)]
            self._labels.append(np.array(labels, dtype=np.int32))
            declared = batch.column("_split").to_pylist() if "_split" in batch.schema.names else [None] * batch.num_rows
            self._splits.append(np.array([SPLIT_CODES.get(name, 0) for name in declared], dtype=np.int8))
            yield batch

    def index(self) -> RowIndex:
        """The index of all batches seen; label codes do not depend on the order of the rows."""
        names = sorted(self._codes)
        place = {name: position for position, name in enumerate(names)}
        recode = np.array([place[name] for name in self._codes], dtype=np.int32)
        label = np.concatenate(self._labels) if self._labels else np.empty(0, np.int32)
        return RowIndex(
            fingerprint=np.concatenate(self._fingerprints) if self._fingerprints else np.empty(0, np.uint64),
            label=recode[label] if len(label) else label,
            split=np.concatenate(self._splits) if self._splits else np.empty(0, np.int8),
            label_names=names,
        )


def rows_at(data: Dataset, places: npt.NDArray[np.int64], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows at these places of a dataset, which must be in rising order."""
    start = 0
    for batch in batches(data, columns) if len(places) else ():
        low, high = np.searchsorted(places, (start, start + batch.num_rows))
        if high > low:
            yield from batch.take(pa.array(places[low:high] - start)).to_pylist()
        start += batch.num_rows
