"""collect: one person's word on one prediction, sealed into the feedback log. `feedback/snapshot.py` reads it back."""

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import add_feedback, prediction
from modelmint.core.errors import InputError
from modelmint.core.types import JSON

SAID = ("label", "rating", "correction", "comment")


def record(
    catalog: Catalog,
    identifier: str,
    *,
    label: str | None = None,
    rating: int | None = None,
    correction: str | None = None,
    comment: str | None = None,
    index: int | None = None,
) -> str:
    """Keep what a person said about a prediction; returns the feedback's id.

    Args:
        identifier: the prediction's id.
        label: the right label.
        rating: 1 good, 0 neither, -1 bad.
        correction: the right answer in words.
        index: which input of the request it is about, from 0; may be left out when there was one.

    Raises:
        NotFoundError: no such prediction, or it was erased.
        InputError: nothing was said, or `index` does not say about which input.
    """
    said: JSON = {"label": label, "rating": rating, "correction": correction, "comment": comment}
    given = {name: value for name, value in said.items() if value is not None}
    if not given:
        raise InputError(
            f"feedback: must have at least one of {', '.join(SAID)}; got none",
            parameter="label",
            remedy='Write it like {"prediction": "pred_…", "label": "refund"}.',
        )
    about = prediction(catalog, identifier)
    num_inputs = len(about["inputs"])
    if index is None and num_inputs > 1:
        raise InputError(
            f"index: must say which of the {num_inputs} inputs of {identifier} is meant; got none",
            parameter="index",
            remedy=f"Add an index from 0 to {num_inputs - 1}.",
        )
    if index is not None and not 0 <= index < num_inputs:
        raise InputError(
            f"index: must be from 0 to {num_inputs - 1} for {identifier}; got {index}",
            parameter="index",
            remedy="Count the inputs of the request from 0.",
        )
    return add_feedback(catalog, prediction=identifier, endpoint=about["endpoint"], value=given | {"index": index or 0})
