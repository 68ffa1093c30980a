"""Alembic's entry point. Runs on the connection that `state.schema` hands over, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

import state.tables  # noqa: F401  (registers the models)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
