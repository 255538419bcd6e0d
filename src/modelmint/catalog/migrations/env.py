"""Alembic's entry: migrates the connection that `catalog.database` hands over."""

from alembic import context

from modelmint.catalog.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
