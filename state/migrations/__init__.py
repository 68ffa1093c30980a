"""Alembic migrations, applied by `state.schema` when a store is opened."""
