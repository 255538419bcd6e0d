from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.encryption import unseal
from modelmint.catalog.events import Sealer, add_feedback, add_served, feedback_of, prediction
from modelmint.catalog.schema import data_keys, predictions, usage
from modelmint.core.clock import now
from modelmint.core.errors import IntegrityError, NotFoundError
from modelmint.core.types import JSON

LOGGED: JSON = {"inputs": ["a secret text"], "predictions": [{"label": "x", "score": 0.9}]}


def serve(catalog: Catalog, identifier: str = "pred_1", time: datetime | None = None) -> None:
    at = time or now()
    data_key, sealed = Sealer(catalog, "predictions").seal(identifier, LOGGED, at)
    row = {
        "id": identifier,
        "tenant": catalog.tenant,
        "key": "key_1",
        "endpoint": "support",
        "revision": 1,
        "num_inputs": 1,
        "num_tokens": 3,
        "price": "0 USD",
        "latency_ms": 1.0,
        "created_at": at,
        "data_key": data_key,
        "sealed": sealed,
    }
    with writing(catalog.engine) as connection:
        add_served(connection, [row])


def test_a_prediction_is_read_back_as_it_was_logged(catalog: Catalog) -> None:
    serve(catalog)
    found = prediction(catalog, "pred_1")
    assert {name: found[name] for name in LOGGED} == LOGGED


def test_the_same_event_counts_once(catalog: Catalog) -> None:
    serve(catalog)
    serve(catalog)
    with catalog.engine.connect() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() for table in (usage, predictions)
        ]
    assert counts == [1, 1]


def test_the_stored_bytes_do_not_show_the_text(catalog: Catalog) -> None:
    serve(catalog)
    with catalog.engine.connect() as connection:
        assert b"secret" not in connection.execute(sa.select(predictions.c.sealed)).scalar_one()


def test_a_sealed_value_cannot_be_moved_to_another_event(catalog: Catalog) -> None:
    for identifier in ("pred_1", "pred_2"):
        serve(catalog, identifier)
    with writing(catalog.engine) as connection:
        other = connection.execute(sa.select(predictions.c.sealed).where(predictions.c.id == "pred_2")).scalar_one()
        connection.execute(predictions.update().where(predictions.c.id == "pred_1").values(sealed=other))
    with pytest.raises(IntegrityError, match="not what was written"):
        prediction(catalog, "pred_1")


def test_each_day_has_a_key_and_dropping_it_erases_that_day_alone(catalog: Catalog) -> None:
    today = datetime(2026, 1, 2, tzinfo=UTC)
    serve(catalog, "pred_1", today - timedelta(days=1))
    serve(catalog, "pred_2", today)
    with writing(catalog.engine) as connection:
        connection.execute(data_keys.delete().where(data_keys.c.purpose == "predictions/2026-01-01"))
    with pytest.raises(NotFoundError, match="or it was erased"):
        prediction(catalog, "pred_1")
    assert prediction(catalog, "pred_2")["inputs"] == LOGGED["inputs"]


def test_feedback_comes_back_with_the_prediction_it_is_about(catalog: Catalog) -> None:
    serve(catalog)
    identifier = add_feedback(catalog, prediction="pred_1", endpoint="support", value={"label": "y", "index": 0})
    (found,) = feedback_of(catalog, "support")
    assert (found["id"], found["label"], found["inputs"], found["revision"]) == (identifier, "y", ["a secret text"], 1)


def test_two_processes_that_make_a_days_key_at_once_use_one(catalog: Catalog) -> None:
    sealers = [Sealer(catalog, "predictions") for _ in range(2)]
    assert len({sealer.seal("pred_1", LOGGED, now())[0] for sealer in sealers}) == 1


def test_a_value_is_bound_to_its_tenant(catalog: Catalog) -> None:
    _, sealed = Sealer(catalog, "predictions").seal("pred_1", LOGGED, now())
    with pytest.raises(IntegrityError):
        unseal(sealed, bytes(32), "other|predictions|pred_1")
