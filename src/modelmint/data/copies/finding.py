"""Finding what belongs together in rows of any form: texts by their shingles, records field by field, media by bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.text import fingerprints
from modelmint.core.types import Dataset
from modelmint.data.copies.compared import chunks, part_names
from modelmint.data.copies.engine import engine
from modelmint.data.copies.fields import Field, telling
from modelmint.data.copies.folding import Ints, Mask
from modelmint.data.copies.neighbours import near_copies
from modelmint.data.copies.records import link


@dataclass(frozen=True, kw_only=True)
class Found:
    """Of the rows of all datasets, N together."""

    cluster: Ints
    """(N,) the place of the first row that a row belongs with; its own where there is none before it."""
    num_letters: Ints
    """(N,) how long each row is."""
    by: str
    """How rows were compared, for people."""
    pairs_by_similarity: list[int] = field(default_factory=list)
    """How many pairs that were compared are that alike, from 0 to 1; empty where none was."""
    columns: tuple[str, ...] = ()
    """For tables: the columns that were compared."""
    num_compared: int = 0
    left_alone: str = ""
    """What was not looked for, and why."""


def find(
    data: Sequence[Dataset],
    form: Form,
    ctx: StageContext,
    *,
    similarity: float,
    columns: Sequence[str],
    certainty: float,
) -> Found:
    """Compare the rows of the first dataset with each other, and with those of the second."""
    if form.task.startswith("tabular"):
        return _records(data, form, ctx, columns=columns, certainty=certainty)
    if not form.texts:
        return _media(data, form)

    def texts(mask: Mask | None) -> Iterable[pa.Table]:
        return chunks(data, form, mask)

    names = part_names(form)
    with engine(ctx):
        near = near_copies(
            texts,
            num_parts=len(names),
            similarity=similarity,
            ctx=ctx,
            fixed_from=data[0].num_rows if len(data) > 1 else None,
        )
    return Found(
        cluster=near.cluster,
        num_letters=near.num_letters,
        by=f"the letters of {' and of '.join(names)}" if len(names) > 1 else "the letters of the text",
        pairs_by_similarity=near.pairs_by_similarity,
        num_compared=near.num_compared,
    )


def _media(data: Sequence[Dataset], form: Form) -> Found:
    """Images and recordings: equal bytes alone. Who took what: equal pairs."""
    column, pairs = form.columns.names[0], form.task == "recommendation"
    names = list(forms.PAIR) if pairs else [column]
    keys = [fingerprints(forms.contents(batch, form)) for one in data for batch in batches(one, names)]
    _, first, same = np.unique(np.concatenate([np.empty(0, np.uint64), *keys]), return_index=True, return_inverse=True)
    return Found(
        cluster=first[same],
        num_letters=np.zeros(len(same), np.int64),
        by="their user and item" if pairs else "their bytes",
        left_alone="Users and items whose names are alike."
        if pairs
        else f"{'Recordings that sound' if column == 'audio' else 'Images that look'} alike but differ in their bytes "
        "(another size, format or cut).",
    )


def _records(
    data: Sequence[Dataset], form: Form, ctx: StageContext, *, columns: Sequence[str], certainty: float
) -> Found:
    """Records of a table; where no column tells them apart, those whose every cell is the same."""
    names = [name for name in forms.text_paths(form, list(data[0].facts["columns"])) if name in _shared(data)]
    fields = [Field(name, _cells(data, name)) for name in columns or names]
    if not columns:
        fields = telling(fields)
    lengths = np.sum([field.lengths for field in fields], axis=0) if fields else np.zeros(_num_rows(data), np.int64)
    if not fields:
        keys = [fingerprints(forms.contents(batch, form)) for one in data for batch in batches(one)]
        _, first, same = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
        return Found(cluster=first[same], num_letters=lengths, by="all their cells", left_alone=NO_NAMES)
    linked = link(fields, ctx, certainty=certainty, fixed_from=data[0].num_rows if len(data) > 1 else None)
    return Found(
        cluster=linked.cluster,
        num_letters=lengths,
        by="their fields",
        pairs_by_similarity=linked.certainties,
        columns=tuple(field.name for field in fields),
        num_compared=linked.num_compared,
        left_alone=UNPAIRED,
    )


NO_NAMES = (
    "Rows that differ in any cell: the table has no two columns that tell things apart (names, titles, addresses), "
    "and rows of measured values may be alike without being copies. Set `columns` to compare by."
)
UNPAIRED = "Records of one thing that share no word, in any field, that few other records have."


def _shared(data: Sequence[Dataset]) -> set[str]:
    return set.intersection(*(set(one.facts["columns"]) for one in data))


def _num_rows(data: Sequence[Dataset]) -> int:
    return sum(one.num_rows for one in data)


def _cells(data: Sequence[Dataset], name: str) -> list[str]:
    return [
        "" if cell is None else str(cell)
        for one in data
        for batch in batches(one, [name])
        for cell in batch.column(0).to_pylist()
    ]
