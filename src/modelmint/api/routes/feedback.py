"""POST /v1/feedback: what people say about a prediction."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from modelmint.api.services import Shared, needs
from modelmint.core.types import JSON
from modelmint.feedback.collect import record

router = APIRouter(tags=["inference"])


class FeedbackBody(BaseModel):
    """At least one of label, rating, correction and comment."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    prediction: Annotated[str, Field(max_length=40)]
    """The `id` that POST /v1/predict answered with."""
    label: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The right label."""
    rating: Annotated[int, Field(ge=-1, le=1)] | None = None
    """1 good, 0 neither, -1 bad."""
    correction: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """The right answer in words."""
    comment: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """Anything else."""
    index: Annotated[int, Field(ge=0)] | None = None
    """Which input of the request is meant, from 0; may be left out when there was one."""


@router.post("/v1/feedback", dependencies=[needs("feedback")])
def feedback(body: FeedbackBody, shared: Shared) -> JSON:
    """Keep one feedback; it is in the database when the reply is sent."""
    shared.ingester.run()  # the prediction may be a moment old
    identifier = record(
        shared.catalog,
        body.prediction,
        label=body.label,
        rating=body.rating,
        correction=body.correction,
        comment=body.comment,
        index=body.index,
    )
    return {"id": identifier, "object": "feedback", "prediction": body.prediction}
