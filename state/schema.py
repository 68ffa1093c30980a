"""The schema's version: brought up to date when a store is opened, never past what this program knows. `state` alone imports this.

An empty database gets the models as they are, which a test holds equal to what the migrations give; only an older one needs Alembic, whose
import costs a fifth of a second and as many megabytes as a page of records.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from state.database import Database
from state.tables import SQLModel
from syncline.errors import UsageError

HEAD = "0002"
KNOWN = ("0001", "0002")


_STAMP = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    f"INSERT INTO alembic_version (version_num) VALUES ('{HEAD}')",  # noqa: S608  our own literal
)


def upgrade(database: Database) -> None:
    """Empty or older: bring it to HEAD, in one transaction. Newer, damaged or foreign: UsageError that says what to do."""
    found = current(database)
    if found is None:
        _create(database)
    elif found != HEAD:
        migrate(database, HEAD)


def current(database: Database) -> str | None:
    """The schema's version, None for an empty database. Raises UsageError for one that a newer Syncline has written."""
    with database.read() as connection:
        return _version(connection)


def _create(database: Database) -> None:
    """All tables of an empty database. Of two programs that start at once, one creates and one finds it done."""
    with database.write() as connection:
        _alone(database, connection)
        if _version(connection) is None:
            _refuse_others(connection)
            SQLModel.metadata.create_all(connection, checkfirst=False)
            for statement in _STAMP:
                connection.execute(sa.text(statement))


def _refuse_others(connection: sa.Connection) -> None:
    """A database without our version but with tables that are called like ours is another program's."""
    there = sorted(SQLModel.metadata.tables.keys() & set(sa.inspect(connection).get_table_names()))
    if there:
        raise UsageError(f"this database has tables of another program ({', '.join(there)}); give Syncline a database of its own")


def _alone(database: Database, connection: sa.Connection) -> None:
    if not database.sqlite:  # SQLite's write transaction is alone anyway
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7295391)"))


def migrate(database: Database, to: str) -> None:
    """Up or down to the version `to` ("base" for nothing). Two programs that start at once: one migrates, one finds it done."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.write() as connection:
        _alone(database, connection)
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
