"""A snapshot of an endpoint's feedback as a dataset: what `improve` learns from, fixed and in the lineage."""

import shutil
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.events import feedback_of
from modelmint.core.errors import InputError
from modelmint.core.ids import new_id
from modelmint.core.tables import rows
from modelmint.core.types import JSON

SCHEMA = pa.schema(
    [
        ("_row", pa.string()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("score", pa.float64()),
        ("rating", pa.int64()),
        ("comment", pa.string()),
        ("prediction", pa.string()),
        ("revision", pa.int64()),
    ]
)


def snapshot(catalog: Catalog, endpoint: str) -> str:
    """The id of a dataset with all feedback on an endpoint; the same feedback gives the same dataset.

    Raises:
        InputError: there is no feedback yet, or it is about other inputs than texts with one label.
    """
    entries = feedback_of(catalog, endpoint)
    if not entries:
        raise InputError(
            f"endpoint: {endpoint} has no feedback yet",
            parameter="endpoint",
            remedy='Send some: POST /v1/feedback {"prediction": ID, "label": RIGHT_LABEL}.',
        )
    if not all(isinstance(given, str) for entry in entries for given in entry["inputs"]) or not all(
        "label" in answer for entry in entries for answer in entry["predictions"]
    ):
        raise InputError(
            f"endpoint: feedback is learned from where one text has one label; {endpoint} answers otherwise",
            parameter="endpoint",
            remedy="Add the corrected rows to the source of the recipe, and run it again.",
        )
    return keep(catalog, f"feedback-{endpoint}", rows([_row(entry) for entry in entries], SCHEMA))


def keep(catalog: Catalog, name: str, table: pa.Table, facts: Mapping[str, Any] | None = None) -> str:
    """The id of a dataset of these rows: a new one, or that which has the same content already."""
    work = catalog.settings.scratch / new_id("feedback")
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    try:
        made = desk.dataset(name, table, facts=facts)
        known = next((found for found in catalog.list("dataset", limit=1000) if found.digest == made.digest), None)
        if known is None:
            catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return (known or made).id


def _row(entry: JSON) -> JSON:
    """One feedback and the text and prediction that it is about."""
    index = min(int(entry.get("index") or 0), len(entry["inputs"]) - 1)
    answer = entry["predictions"][index]
    return {
        "_row": entry["id"],
        "text": entry["inputs"][index],
        "label": entry.get("label") or entry.get("correction"),
        "predicted": answer["label"],
        "score": float(answer["score"]),
        "rating": entry.get("rating"),
        "comment": entry.get("comment"),
        "prediction": entry["prediction"],
        "revision": int(entry["revision"]),
    }
