"""A trial copy of one sync: its records, contacts, holds and unsent writes, so that a plan for an edited mapping disturbs nothing.

Adopting a new mapping takes every base away. A dry run must not do that to the sync that runs every five minutes with the old one.
"""

# ruff: noqa: S608  (names come from our own table definitions; values are bound)

from __future__ import annotations

import sqlalchemy as sa

from state.database import Database
from state.tables import CONTACT, HOLD, OUTBOX, RECORD, SQLModel

SUFFIX = " (trial)"
_COPIED = (RECORD, CONTACT, HOLD, OUTBOX)
_SYNC = sa.text(
    "INSERT INTO sync (name, mapping_version, next_contact_id, next_run_id, staged, log_size, log_nodes, log_key)"
    " SELECT :trial, mapping_version, next_contact_id, next_run_id, staged, 0, :nodes, log_key FROM sync WHERE name = :name"
)
_ID = sa.text("SELECT id FROM sync WHERE name = :name")


def fork(database: Database, name: str) -> str:
    """Copy the sync; returns the copy's name. A copy left by an earlier run that died is replaced."""
    trial = name + SUFFIX
    drop(database, trial)
    with database.write() as connection:
        connection.execute(_SYNC, {"trial": trial, "name": name, "nodes": b""})
        ids = {"new": connection.execute(_ID, {"name": trial}).scalar_one(), "old": connection.execute(_ID, {"name": name}).scalar_one()}
        for table in _COPIED:
            columns = ", ".join(c.name for c in table.columns if c.name != "sync_id" and not (c.name == "id" and table is not CONTACT))
            connection.execute(
                sa.text(f"INSERT INTO {table.name} (sync_id, {columns}) SELECT :new, {columns} FROM {table.name} WHERE sync_id = :old"), ids
            )
    return trial


def drop(database: Database, trial: str) -> None:
    """Remove a trial copy and all it left; nothing happens when there is none. Only a copy can be dropped."""
    if not trial.endswith(SUFFIX):
        raise ValueError(f"{trial} is not a trial copy")
    with database.write() as connection:
        number = connection.execute(_ID, {"name": trial}).scalar()
        if number is None:
            return
        for table in reversed(SQLModel.metadata.sorted_tables):
            if "sync_id" in table.columns:
                connection.execute(sa.text(f"DELETE FROM {table.name} WHERE sync_id = :id"), {"id": number})
        connection.execute(sa.text("DELETE FROM sync WHERE id = :id"), {"id": number})
