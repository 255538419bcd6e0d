from collections.abc import Sequence

import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.events import Sealer, add_served, feedback_of
from modelmint.core.clock import now
from modelmint.core.errors import InputError, NotFoundError
from modelmint.feedback.collect import record


def served(catalog: Catalog, inputs: Sequence[str]) -> str:
    logged = {"inputs": list(inputs), "predictions": [{"label": "x", "score": 1.0} for _ in inputs]}
    data_key, sealed = Sealer(catalog, "predictions").seal("pred_1", logged, now())
    counts = {"revision": 1, "num_inputs": len(inputs), "num_tokens": 3, "price": "0 USD", "latency_ms": 1.0}
    names = {"id": "pred_1", "tenant": catalog.tenant, "key": "key_1", "endpoint": "support", "created_at": now()}
    with writing(catalog.engine) as connection:
        add_served(connection, [{**names, **counts, "data_key": data_key, "sealed": sealed}])
    return "pred_1"


def test_feedback_on_a_single_input_needs_no_index(catalog: Catalog) -> None:
    record(catalog, served(catalog, ["one"]), label="y", comment="no")
    (found,) = feedback_of(catalog, "support")
    assert (found["label"], found["comment"], found["index"]) == ("y", "no", 0)


def test_feedback_on_one_of_many_inputs_must_say_which(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="which of the 2 inputs"):
        record(catalog, served(catalog, ["one", "two"]), label="y")


def test_an_index_past_the_inputs_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="index: must be from 0 to 1 for pred_1; got 2"):
        record(catalog, served(catalog, ["one", "two"]), label="y", index=2)


def test_feedback_that_says_nothing_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="at least one of label, rating, correction, comment"):
        record(catalog, served(catalog, ["one"]))


def test_feedback_on_an_unknown_prediction_is_refused(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="'pred_9'"):
        record(catalog, "pred_9", rating=1)
