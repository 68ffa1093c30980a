"""One sync in one database: what every part of the store works in. `state` alone imports this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from state.database import Database
from state.statements import Connection
from syncline.errors import LockHeld

_CURRENT = sa.text("SELECT fencing FROM lease WHERE sync_id = :s")
_CURRENT_SHARED = sa.text("SELECT fencing FROM lease WHERE sync_id = :s FOR SHARE")


@dataclass(slots=True)
class Scope:
    """`fencing`: the number of the lease under which this program writes; None for acts outside runs (an approval, say)."""

    db: Database
    sync_id: int
    fencing: int | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.db.read() as connection:
            yield Connection(connection, self.db.statements)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction. Raises LockHeld, and writes nothing, when somebody took the lease since."""
        with self.db.write() as plain:
            connection = Connection(plain, self.db.statements)
            if self.fencing is not None:
                self._check(connection)
            yield connection

    def _check(self, connection: Connection) -> None:
        current = connection.execute(_CURRENT if self.db.sqlite else _CURRENT_SHARED, {"s": self.sync_id}).scalar()
        if current != self.fencing:
            raise LockHeld("another run has taken this sync over; this one wrote nothing more")
