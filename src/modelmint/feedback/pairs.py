"""Corrections as preferences: what was asked, the right answer, and the answer that was given instead."""

from collections import Counter
from typing import Any

import pyarrow as pa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import feedback_of
from modelmint.core.errors import InputError
from modelmint.core.forms import FORMS
from modelmint.core.tables import rows
from modelmint.core.types import JSON
from modelmint.feedback.snapshot import keep

SCHEMA = pa.schema([pa.field("_row", pa.string()), *FORMS["preference"].columns])


def preferences(catalog: Catalog, endpoint: str) -> str:
    """The id of a dataset of form ``preference``: a pair for each feedback that says what the answer should have been.

    It goes through the stages like any data (`deidentify` reads all three columns) and `train` learns from it. Feedback
    without a right answer, or whose right answer is the one that was given, is counted in the fact ``left_out``; the
    same feedback gives the same dataset.

    Raises:
        InputError: no feedback says what an answer should have been.
    """
    entries = feedback_of(catalog, endpoint)
    pairs, left_out = [], Counter[str]()
    for entry in entries:
        pair = _pair(entry)
        if isinstance(pair, str):
            left_out[pair] += 1
        else:
            pairs.append(pair)
    if not pairs:
        raise InputError(
            f"endpoint: {endpoint} must have feedback with a correction; of {len(entries)} none has one that is not "
            "the answer that was given",
            parameter="endpoint",
            remedy='Send some: POST /v1/feedback {"prediction": ID, "correction": RIGHT_ANSWER}.',
        )
    facts = {"task": "preference", "entries": len(entries), "left_out": dict(left_out)}
    return keep(catalog, f"preferences-{endpoint}", rows(pairs, SCHEMA), facts)


def _pair(entry: JSON) -> JSON | str:
    """A row, or why there is none."""
    at = min(int(entry.get("index") or 0), len(entry["inputs"]) - 1)
    asked, answer = entry["inputs"][at], entry["predictions"][at]
    given = str(answer.get("content") or answer.get("label") or "")
    right = str(entry.get("correction") or entry.get("label") or "")
    if not right:
        return "no_correction"
    if " ".join(right.split()) == " ".join(given.split()) or not given:
        return "same_answer"
    return {
        "_row": entry["id"],
        "prompt": asked if isinstance(asked, list) else [_message("user", str(asked))],
        "chosen": [_message("assistant", right)],
        "rejected": [_message("assistant", given)],
    }


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}
