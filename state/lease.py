"""The lease: at most one run writes to a sync, wherever it starts. Flows hold it; every write transaction checks its fencing number.

The clock is the caller's. If two hosts disagree about the time, a lease may be taken early; the fencing number, compared inside each write
transaction, is what keeps the late one from writing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from state.scope import Scope
from syncline.errors import LockHeld

_READ = "SELECT fencing, holder, expires_us FROM lease WHERE sync_id = :s"
_MAKE = sa.text("INSERT INTO lease (sync_id, fencing, holder, expires_us) VALUES (:s, 0, NULL, 0) ON CONFLICT (sync_id) DO NOTHING")
_TAKE = sa.text("UPDATE lease SET fencing = :fencing, holder = :holder, expires_us = :expires WHERE sync_id = :s")
_RENEW = sa.text("UPDATE lease SET expires_us = :expires WHERE sync_id = :s AND fencing = :fencing AND holder IS NOT NULL")
_RELEASE = sa.text("UPDATE lease SET holder = NULL, expires_us = 0 WHERE sync_id = :s AND fencing = :fencing")


class Lease:
    """One sync's lease."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def acquire(self, holder: str, now_us: int, ttl_us: int) -> int:
        """The new fencing number. Raises LockHeld, naming holder and end, while another holds it and it has not expired."""
        db, sync_id = self._scope.db, self._scope.sync_id
        with db.write() as connection:
            # A row to lock, the first time; the sync's own row is left alone, for runs lock that one after this one.
            connection.execute(_MAKE, {"s": sync_id})
            row = connection.execute(sa.text(_READ + ("" if db.sqlite else " FOR UPDATE")), {"s": sync_id}).one()
            if row.holder is not None and row.expires_us > now_us:
                raise LockHeld(f"{row.holder} is running this sync; its lease ends at {_instant(row.expires_us)} unless renewed")
            fencing = row.fencing + 1
            connection.execute(_TAKE, {"s": sync_id, "fencing": fencing, "holder": holder, "expires": now_us + ttl_us})
        return fencing

    def renew(self, fencing: int, now_us: int, ttl_us: int) -> None:
        """Hold on for `ttl_us` more. Raises LockHeld when it was lost."""
        with self._scope.db.write() as connection:
            values = {"s": self._scope.sync_id, "fencing": fencing, "expires": now_us + ttl_us}
            if connection.execute(_RENEW, values).rowcount != 1:
                raise LockHeld("the lease of this run has been taken over")

    def release(self, fencing: int) -> None:
        """Give it back; nothing happens when it was lost already."""
        with self._scope.db.write() as connection:
            connection.execute(_RELEASE, {"s": self._scope.sync_id, "fencing": fencing})


def _instant(at_us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M:%SZ")
