"""The schema's version: brought up to date when a store is opened, never past what this program knows. `state` alone imports this.

Alembic is only imported when there is something to do: opening an up-to-date database must stay cheap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from state.database import Database
from syncline.errors import UsageError

HEAD = "0001"
KNOWN = ("0001",)


def upgrade(database: Database) -> None:
    """Empty or older: bring it to HEAD, in one transaction. Newer, damaged or foreign: UsageError that says what to do."""
    if current(database) != HEAD:
        migrate(database, HEAD)


def current(database: Database) -> str | None:
    """The schema's version, None for an empty database. Raises UsageError for one that a newer Syncline has written."""
    with database.read() as connection:
        return _version(connection)


def migrate(database: Database, to: str) -> None:
    """Up or down to the version `to` ("base" for nothing). Two programs that start at once: one migrates, one finds it done."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7295391)"))
        config.attributes["connection"] = connection
        version = _version(connection)
        if to == HEAD or version is None:
            command.upgrade(config, to)
        else:
            command.downgrade(config, to)


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: Any = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and version not in KNOWN:
        raise UsageError(f"this database was written by a newer Syncline (schema {version}, this one knows {HEAD}); upgrade Syncline")
    return None if version is None else str(version)
