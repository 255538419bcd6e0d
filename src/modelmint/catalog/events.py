"""The event logs: predictions, usage and feedback. Rows are added once, under an id that the event keeps for ever.

What people wrote (inputs, predictions, feedback) is sealed under a data key of its day and log, which the tenant key
wraps; dropping the row of `data_keys` erases that day. Usage holds counts alone and is plain.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.encryption import new_key, seal, unseal, unwrap, wrap
from modelmint.catalog.schema import data_keys, feedback, predictions, usage
from modelmint.core.clock import aware, now
from modelmint.core.errors import NotFoundError
from modelmint.core.ids import new_id
from modelmint.core.types import JSON

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class Sealer:
    """Seals what goes into one encrypted log. Its first use in a day writes a data key; not thread-safe."""

    def __init__(self, catalog: Catalog, log: str) -> None:
        self._catalog, self._log = catalog, log
        self._day, self._key_id, self._key = "", "", b""

    def seal(self, identifier: str, value: JSON, time: datetime) -> tuple[str, bytes]:
        """The id of the data key, and the sealed bytes of `value`, bound to tenant, log and event."""
        day = time.astimezone(UTC).date().isoformat()
        if day != self._day:
            self._key_id, self._key = _data_key(self._catalog, f"{self._log}/{day}")
            self._day = day
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return self._key_id, seal(plain, self._key, _about(self._catalog, self._log, identifier))


def add_served(connection: sa.Connection, rows: Rows) -> None:
    """Add served requests to both of their logs; one whose id is there is left as it is.

    Args:
        rows: at least one; the columns of `usage` and of `predictions` under one id.
    """
    _add(connection, predictions, rows)
    _add(connection, usage, rows)


def add_feedback(catalog: Catalog, *, prediction: str, endpoint: str, value: JSON) -> str:
    """Seal and add one feedback; returns its id."""
    identifier, time = new_id("feedback"), now()
    data_key, sealed = Sealer(catalog, "feedback").seal(identifier, value, time)
    with writing(catalog.engine) as connection:
        connection.execute(
            feedback.insert().values(
                id=identifier,
                tenant=catalog.tenant,
                prediction=prediction,
                endpoint=endpoint,
                data_key=data_key,
                sealed=sealed,
                created_at=time,
            )
        )
    return identifier


def prediction(catalog: Catalog, identifier: str) -> JSON:
    """``{"id", "endpoint", "revision", "created_at", "inputs": [text], "predictions": [{"label", "score"}]}``.

    Raises:
        NotFoundError: no such prediction, or it was erased.
    """
    query = sa.select(predictions, data_keys.c.wrapped_key).join(data_keys, data_keys.c.id == predictions.c.data_key)
    with catalog.engine.connect() as connection:
        row = (
            connection.execute(query.where(predictions.c.tenant == catalog.tenant, predictions.c.id == identifier))
            .mappings()
            .first()
        )
    if row is None:
        raise NotFoundError(
            f"prediction: there is none with the id {identifier!r}, or it was erased",
            parameter="prediction",
            remedy="Give the `id` that POST /v1/predict answered with.",
        )
    opened = _open(catalog, "predictions", row["id"], row["wrapped_key"], row["sealed"])
    return {
        "id": row["id"],
        "endpoint": row["endpoint"],
        "revision": row["revision"],
        "created_at": aware(row["created_at"]).isoformat(),
    } | opened


def feedback_of(catalog: Catalog, endpoint: str) -> Sequence[JSON]:
    """Every feedback on an endpoint's predictions, oldest first, each with the prediction that it is about.

    What was erased, feedback or prediction, is left out.
    """
    keys = {name: data_keys.alias(name) for name in ("feedback_keys", "prediction_keys")}
    query = (
        sa.select(
            feedback.c.id,
            feedback.c.prediction,
            feedback.c.sealed,
            feedback.c.created_at,
            keys["feedback_keys"].c.wrapped_key,
            predictions.c.revision,
            predictions.c.sealed.label("sealed_prediction"),
            keys["prediction_keys"].c.wrapped_key.label("wrapped_prediction_key"),
        )
        .join(predictions, predictions.c.id == feedback.c.prediction)
        .join(keys["feedback_keys"], keys["feedback_keys"].c.id == feedback.c.data_key)
        .join(keys["prediction_keys"], keys["prediction_keys"].c.id == predictions.c.data_key)
        .where(feedback.c.tenant == catalog.tenant, feedback.c.endpoint == endpoint)
        .order_by(feedback.c.created_at, feedback.c.id)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [
        {
            "id": row["id"],
            "prediction": row["prediction"],
            "revision": row["revision"],
            "created_at": aware(row["created_at"]).isoformat(),
        }
        | _open(catalog, "predictions", row["prediction"], row["wrapped_prediction_key"], row["sealed_prediction"])
        | _open(catalog, "feedback", row["id"], row["wrapped_key"], row["sealed"])
        for row in rows
    ]


def _data_key(catalog: Catalog, purpose: str) -> tuple[str, bytes]:
    """The key of a purpose, made at first use; of processes that make it at once, one wins and all use its key."""
    query = sa.select(data_keys.c.id, data_keys.c.wrapped_key).where(
        data_keys.c.tenant == catalog.tenant, data_keys.c.purpose == purpose
    )
    with catalog.engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        with writing(catalog.engine) as connection:
            _add(
                connection,
                data_keys,
                [
                    {
                        "id": new_id("secret"),
                        "tenant": catalog.tenant,
                        "purpose": purpose,
                        "wrapped_key": wrap(new_key(), catalog.tenant_key),
                        "created_at": now(),
                    }
                ],
            )
            row = connection.execute(query).one()
    return row[0], unwrap(row[1], catalog.tenant_key)


def _add(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    names = [column.name for column in table.columns]
    statement = dialect.insert(table).on_conflict_do_nothing()
    connection.execute(statement, [{name: row[name] for name in names} for row in rows])


def _open(catalog: Catalog, log: str, identifier: str, wrapped_key: bytes, sealed: bytes) -> JSON:
    key = unwrap(wrapped_key, catalog.tenant_key)
    value: JSON = json.loads(unseal(sealed, key, _about(catalog, log, identifier)))
    return value


def _about(catalog: Catalog, log: str, identifier: str) -> str:
    return f"{catalog.tenant}|{log}|{identifier}"
