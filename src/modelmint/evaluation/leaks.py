"""Test rows that the training rows have too: a figure that counts them flatters the model."""

import numpy as np

from modelmint.core import tables
from modelmint.core.forms import contents, form_of
from modelmint.core.text import fingerprints
from modelmint.core.types import JSON, Dataset

NUM_SHOWN = 5
SHOWN_CHARS = 200


def leaks(train: Dataset, test: Dataset) -> JSON:
    """``{"num_rows", "rows"}``: how many test rows have the content of a training row, and some of their names.

    Content is what is asked, without its label, as preflight counts it: without case and spaces.
    """
    if train.num_rows == 0 or form_of(train).task != form_of(test).task:
        return {"num_rows": 0, "rows": []}
    form = form_of(test)
    known = np.concatenate([fingerprints(contents(batch, form)) for batch in tables.batches(train)])
    known.sort()
    found: list[str] = []
    for batch in tables.batches(test):
        asked = fingerprints(contents(batch, form))
        places = np.searchsorted(known, asked)
        again = known[np.minimum(places, len(known) - 1)] == asked
        found += [str(batch.column("_row")[int(at)]) for at in np.flatnonzero(again)]
    return {"num_rows": len(found), "rows": found[:NUM_SHOWN]}
