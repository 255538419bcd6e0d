"""Near-copies that no exact comparison finds, for preflight: how many, and those between training and evaluation."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.copies.finding import find
from modelmint.data.index import RowIndex

SIMILARITY = 0.8
"""As `deduplicate` has it by default."""
NUM_EXAMPLES = 5
SHOWN_CHARS = 300


def near_copies_in(data: Dataset, rows: RowIndex, form: Form, ctx: StageContext, *, max_rows: int) -> dict[str, Any]:
    """Rows whose texts are nearly, not exactly, those of others.

    Returns:
        ``looked_at`` and ``evaluation``, of how many rows; ``duplicates``, training rows that are near an earlier one;
        ``leaks``, evaluation rows that are near a training row, with ``examples``. Or ``left_alone``, why none was
        looked for: the form has no texts, or there are more rows than `max_rows`.
    """
    if form.task.startswith("tabular") or not form.texts:
        return {"left_alone": f"{form.task}: near-copies are left to `deduplicate`"}
    if len(rows) > max_rows:
        return {"left_alone": f"there are more than {max_rows:,} rows: `deduplicate` finds near-copies in any number"}
    if len(rows) < 2:
        return {"left_alone": "there is nothing to compare"}
    ctx.say(0, len(rows), "looking for near-copies")
    cluster = find([data], form, ctx, similarity=SIMILARITY, columns=(), certainty=0.9).cluster
    training = rows.split == 0
    num_near = len(np.unique(rows.fingerprint[training])) - len(np.unique(cluster[training]))
    exact = np.isin(rows.fingerprint, rows.fingerprint[training])
    leak = ~training & ~exact & np.isin(cluster, cluster[training])
    return {
        "looked_at": len(rows),
        "evaluation": int((~training).sum()),
        "similarity": SIMILARITY,
        "duplicates": max(0, num_near),
        "leaks": int(leak.sum()),
        "examples": _examples(data, form, cluster, np.flatnonzero(leak)[:NUM_EXAMPLES], training),
    }


def _examples(
    data: Dataset,
    form: Form,
    cluster: npt.NDArray[np.int64],
    leaks: npt.NDArray[np.int64],
    training: npt.NDArray[np.bool_],
) -> list[dict[str, str]]:
    """Evaluation rows beside a training row of their cluster."""
    pairs = [(int(place), int(np.flatnonzero(training & (cluster == cluster[place]))[0])) for place in leaks]
    shown = _contents(data, form, np.unique(np.array(pairs, np.int64)))
    return [
        {
            "row": shown[place][0],
            "text": shown[place][1],
            "training_row": shown[other][0],
            "training_text": shown[other][1],
        }
        for place, other in pairs
    ]


def _contents(data: Dataset, form: Form, places: npt.NDArray[np.int64]) -> dict[int, tuple[str, str]]:
    """Place -> id and content, cut."""
    found: dict[int, tuple[str, str]] = {}
    start = 0
    for batch in batches(data) if len(places) else ():
        low, high = np.searchsorted(places, (start, start + batch.num_rows))
        if high > low:
            taken = batch.take(pa.array(places[low:high] - start))
            texts = [text[:SHOWN_CHARS] for text in forms.contents(taken, form)]
            pairs = zip(taken.column("_row").to_pylist(), texts, strict=True)
            found |= dict(zip(places[low:high].tolist(), pairs, strict=True))
        start += batch.num_rows
    return found
