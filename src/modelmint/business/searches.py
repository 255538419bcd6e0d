"""The paid answers of a search: vectors of texts, and documents in the order in which they answer a query.

Each comes back when its usage record is on disk, as every answer does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelmint.business.keys import Key
from modelmint.business.service import DEADLINE_S, Services, record, said_of
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.serving.answers import relevance

MAX_CHARACTERS = 1 << 20
"""Of a query, counted once a document, and of its documents together: what their pairs would have over `/v1/predict`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """Vectors (num_texts, width) of length 1, by which revision of which endpoint."""

    id: str
    endpoint: str
    revision: int
    vectors: NDArray[np.float32]
    num_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """`order` has the places of the documents, the best first; `scores`, from 0 to 1, one a document as it was given."""

    id: str
    endpoint: str
    revision: int
    order: list[int]
    scores: list[float]
    num_tokens: int


async def embed(
    services: Services, key: Key, endpoint: str, texts: Sequence[str], *, dimensions: int | None = None
) -> Embedded:
    """The vectors of at least one text. Each text is one input of the price.

    Args:
        dimensions: the first so many numbers, at length 1 again; the model must have been trained for it.

    Raises:
        InputError: the endpoint's model gives no vectors, or none of this width.
        NotFoundError, UnavailableError, OverloadError, StorageFullError: see `business.service.answer`.
    """
    started_s = monotonic_s()

    def accept(how: JSON) -> None:
        _must_give(how, "vector", endpoint)
        _must_be_trained(how, dimensions)

    served = await services.gateway.predict(endpoint, texts, deadline_s=DEADLINE_S, accept=accept)
    vectors = np.asarray(served.logits, np.float32)
    if dimensions is not None:
        vectors = vectors[:, :dimensions]
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    event = await record(services, key, served, texts, [said_of(one) for one in vectors], started_s=started_s)
    return Embedded(
        id=event.id,
        endpoint=event.endpoint,
        revision=event.revision,
        vectors=vectors,
        num_tokens=event.num_tokens,
    )


async def rerank(services: Services, key: Key, endpoint: str, query: str, documents: Sequence[str]) -> Ranked:
    """How well each of at least one document answers the query. Each document is one input of the price.

    Raises:
        InputError: the endpoint's model does not rank, or the texts are too long together.
        NotFoundError, UnavailableError, OverloadError, StorageFullError: see `business.service.answer`.
    """
    started_s = monotonic_s()
    num_characters = len(query) * len(documents) + sum(map(len, documents))
    if num_characters > MAX_CHARACTERS:
        raise InputError(
            f"documents: must have at most {MAX_CHARACTERS:,} characters together, with the query once for each; got "
            f"{num_characters:,}",
            parameter="documents",
            remedy="Send them in several requests; the scores of one query can be compared over requests.",
        )
    pairs: list[str | JSON] = [{"text": query, "text_pair": document} for document in documents]
    served = await services.gateway.predict(
        endpoint, pairs, deadline_s=DEADLINE_S, accept=lambda how: _must_give(how, "relevance", endpoint)
    )
    order = np.argsort(-served.logits[:, 0], kind="stable").tolist()
    scores: list[float] = relevance(served.logits).tolist()
    asked: list[str | JSON] = [{"query": query, "documents": list(documents)}]
    results = [{"index": at, "relevance_score": scores[at]} for at in order]
    event = await record(
        services, key, served, asked, [{"results": results}], started_s=started_s, num_inputs=len(documents)
    )
    return Ranked(
        id=event.id,
        endpoint=event.endpoint,
        revision=event.revision,
        order=order,
        scores=scores,
        num_tokens=event.num_tokens,
    )


_ROUTES = {"vector": ("gives vectors", "/v1/embeddings"), "relevance": ("ranks documents", "/v1/rerank")}
_OTHER = ("answers with labels, numbers or pieces of texts", "/v1/predict")


def _must_give(how: JSON, by: str, endpoint: str) -> None:
    if how["by"] != by:
        does, route = _ROUTES.get(how["by"], _OTHER)
        wanted, _ = _ROUTES[by]
        raise InputError(
            f"model: must be an endpoint that {wanted}; {endpoint} {does}",
            parameter="model",
            remedy=f"Ask it by POST {route}, or name another endpoint.",
        )


def _must_be_trained(how: JSON, dimensions: int | None) -> None:
    trained = how.get("dimensions", ())
    if dimensions is not None and not trained:
        raise InputError(
            f"dimensions: must be left out: this model was trained for vectors of one width; got {dimensions}",
            parameter="dimensions",
            remedy="Train it with options.dimensions, such as [64, 128], to cut its vectors to them.",
        )
    if dimensions is not None and dimensions not in trained:
        raise InputError(
            f"dimensions: must be one of {', '.join(map(str, trained))}, which the model was trained for; got {dimensions}",
            parameter="dimensions",
            remedy="Leave it out for whole vectors.",
        )
