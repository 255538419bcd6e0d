"""Rows put aside whole, whatever form they have: into quarantine with their cells, so that they can be put back."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.quarantine import Quarantine, cells_at

Ints = npt.NDArray[np.int64]


def put_aside(
    batch: pa.RecordBatch, places: Ints, form: Form, quarantine: Quarantine, *, why: str, detail: str
) -> None:
    """Take the rows at these places of a batch out.

    Args:
        why: one short machine word.
        detail: for people.
    """
    if not len(places):
        return
    taken = batch.take(pa.array(places))
    contents, labels = forms.contents(taken, form), forms.labels(taken, form)
    names, cells = taken.column("_row").to_pylist(), cells_at(batch, places.tolist())
    for name, cell, content, label in zip(names, cells, contents, labels, strict=True):
        quarantine.add(row=name, reason=why, detail=detail, raw=f"{content} | {label}", cells=cell)


def batches_with(data: Dataset, places: Ints) -> Iterator[tuple[pa.RecordBatch, Ints]]:
    """Batches that hold some of these places of a dataset, which must be in rising order, and where in them."""
    start = 0
    for batch in batches(data) if len(places) else ():
        low, high = np.searchsorted(places, (start, start + batch.num_rows))
        if high > low:
            yield batch, places[low:high] - start
        start += batch.num_rows
