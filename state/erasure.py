"""Forgetting one person: every value and key of a contact goes, in the tables and in the log; the log still verifies.

The person's secret is destroyed, so that the commitments left behind cannot be tried against guesses. Numbers, kinds, fields, times and
rules stay. Refs stay on the tombstone records alone (without values), so that a lagging read cannot bring the person back.

A person may have been several contacts: those that were merged into this one, and those that ended and left it a record. They go too.
So do records that another one has replaced since: nobody has them any more, and only the log knows whose they were last.

An answer to a write would bring the person back. So no run may be under way, and what may have been sent already is heard first.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from state import codec
from state.lease import Lease
from state.log import appending, contact_keys, seal
from state.scope import Scope
from state.statements import Connection
from syncline.errors import LockHeld, UsageError
from syncline.log import Entry
from syncline.records import SIDES, Side

_LEASE_US = 900_000_000
# A write to a record of theirs may be another contact's: that of the one they were merged into.
_WRITES = (
    " FROM outbox WHERE sync_id = :s AND (contact_id = :c OR EXISTS (SELECT 1 FROM record AS r WHERE r.sync_id = :s"
    " AND r.contact_id = :c AND r.side = outbox.side AND r.ref = outbox.ref))"
)
_UNHEARD = sa.text(f"SELECT id{_WRITES} AND id IN (SELECT outbox_id FROM sent) LIMIT 1")
_FORGET = (
    "UPDATE change_log SET old = NULL, new = NULL, ref = NULL, reason = NULL WHERE sync_id = :s AND contact_id = :c",
    "UPDATE contact SET state = 'erased', view = '{}', agreed_us = '{}', provenance = '{}', log_key = NULL WHERE sync_id = :s AND id = :c",
    "DELETE FROM hold WHERE sync_id = :s AND contact_id = :c",
    (
        "DELETE FROM hold WHERE sync_id = :s AND contact_id IS NULL AND EXISTS (SELECT 1 FROM record AS r WHERE r.sync_id = :s"
        " AND r.contact_id = :c AND r.side = hold.side AND r.ref = hold.ref)"
    ),
    f"DELETE{_WRITES}",
    (
        "UPDATE record SET seen = '{}', shadow = NULL, key_1 = NULL, key_2 = NULL, digest = NULL, proof = NULL, field_times = NULL,"
        " absorbed = NULL, version = NULL, dirty = 0, pair_ref = NULL WHERE sync_id = :s AND contact_id = :c"
    ),
    # Plans hold values of many people; what they decided is decided again.
    "DELETE FROM plan_chunk WHERE sync_id = :s",
)
_FORMER = sa.text(
    "SELECT c.id FROM contact AS c WHERE c.sync_id = :s AND c.state <> 'erased' AND (c.merged_into = :c OR (c.id <> :c"
    " AND NOT EXISTS (SELECT 1 FROM record AS r WHERE r.sync_id = :s AND r.contact_id = c.id AND r.liveness = 0)"
    " AND EXISTS (SELECT 1 FROM change_log AS l JOIN record AS mine ON mine.sync_id = l.sync_id AND mine.side = l.side AND mine.ref = l.ref"
    " WHERE l.sync_id = :s AND l.contact_id = c.id AND mine.contact_id = :c)))"
)
_LINKS = (
    "SELECT seq, kind, contact_id, side, new FROM change_log WHERE sync_id = :s AND seq > :after AND new IS NOT NULL"
    " AND kind IN ('create', 'link', 'rebind', 'receipt')"
)
_BY = sa.text(f"{_LINKS} AND (contact_id = :c OR kind = 'receipt') ORDER BY seq LIMIT 200")
_OF = sa.text(f"{_LINKS} AND new LIKE :named ORDER BY seq LIMIT 200")
_NOBODYS = sa.text("SELECT 1 FROM record WHERE sync_id = :s AND side = :side AND ref = :ref AND contact_id IS NULL")
_THEIRS = sa.text("UPDATE record SET contact_id = :c WHERE sync_id = :s AND side = :side AND ref = :ref")
_RECEIPTS = sa.text("SELECT seq, new FROM change_log WHERE sync_id = :s AND kind = 'receipt' AND seq > :after ORDER BY seq LIMIT 200")
_REWRITE = sa.text("UPDATE change_log SET new = :new WHERE sync_id = :s AND seq = :seq")


class Erasure:
    """Erases contacts of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def erase(self, contact_id: int, run_id: int | None, now_us: int, mapping_version: str | None = None, reason: str = "") -> bool:
        """Erase one person; False when there is no such contact, or it is erased already. `reason` must not name the person.

        All pending plans of the sync are dropped, and writes to the person that were not sent. The vendors' own records are not touched:
        archive them first. Raises LockHeld while a run is under way, and UsageError while a write to the person may have been sent and its
        answer was not heard: run a sync first. Either way nothing has changed.
        """
        with self._alone(now_us):
            with self._scope.write() as connection, appending(connection, self._scope, run_id, now_us, mapping_version) as log:
                if not self._known(connection, contact_id):
                    return False
                for one in self._whole(connection, contact_id):
                    self._forget(connection, one)
                    log.add(Entry(kind="erase", contact_id=one, rule="erase", reason=reason))
            self._scope.db.scrub()
        return True

    @contextmanager
    def _alone(self, now_us: int) -> Iterator[None]:
        """Hold the lease, as a run does."""
        scope, lease = self._scope, Lease(self._scope)
        try:
            own = lease.acquire("an erasure", now_us, _LEASE_US)
        except LockHeld as held:
            raise LockHeld(f"nobody was erased: {held}; try again when it has ended") from None
        before, scope.fencing = scope.fencing, own
        try:
            yield
        finally:
            scope.fencing = before
            lease.release(own)

    def _whole(self, connection: Connection, contact_id: int) -> list[int]:
        """Every contact that this person was."""
        whole = [contact_id]
        for one in whole:
            values = {"s": self._scope.sync_id, "c": one}
            self._take_back(connection, one)
            if connection.execute(_UNHEARD, values).first() is not None:
                raise UsageError(
                    f"contact {contact_id} was not erased: a write to it may have been sent, and what became of it is not known yet;"
                    " run `syncline sync` first, then erase again"
                )
            former = connection.execute(_FORMER, values).scalars()
            whole += [other for other in former if other not in whole]
        return whole

    def _take_back(self, connection: Connection, contact_id: int) -> None:
        """Records that are nobody's, and were this contact's last, are its own again: as tombstones that stay, like its others."""
        for side, ref in {(side, ref) for owner, side, ref in self._given(connection, _BY, c=contact_id) if owner == contact_id}:
            at = {"s": self._scope.sync_id, "side": codec.SIDE_NO[side], "ref": ref}
            if connection.execute(_NOBODYS, at).first() is not None:
                named = f"%{codec.dumps(ref)}%".replace("\\", "_")  # to LIKE a backslash is no letter
                owners = [owner for owner, *which in self._given(connection, _OF, named=named) if which == [side, ref]]
                if owners[-1] == contact_id:
                    connection.execute(_THEIRS, at | {"c": contact_id})

    def _given(self, connection: Connection, query: sa.TextClause, **values: Any) -> Iterator[tuple[int, Side, str]]:
        """(contact, side, ref) of each record that these entries give to a contact, in order. An erased one's are told no more."""
        after = 0
        while rows := connection.execute(query, {"s": self._scope.sync_id, "after": after, **values}).all():
            after = rows[-1].seq
            for row in rows:
                yield from _links(row)

    def _known(self, connection: Connection, contact_id: int) -> bool:
        return contact_keys(connection, self._scope, [contact_id]).get(contact_id) is not None

    def _forget(self, connection: Connection, contact_id: int) -> None:
        values = {"s": self._scope.sync_id, "c": contact_id}
        key = contact_keys(connection, self._scope, [contact_id]).get(contact_id)
        if key is not None:
            self._seal_receipts(connection, contact_id, key)
        for statement in _FORGET:
            query = sa.text(statement)
            connection.execute(query, {name: value for name, value in values.items() if f":{name}" in statement})

    def _seal_receipts(self, connection: Connection, contact_id: int, key: bytes) -> None:
        """In receipts that name refs of this contact, leave the seal that their commitment holds anyway."""
        after = 0
        while rows := connection.execute(_RECEIPTS, {"s": self._scope.sync_id, "after": after}).all():
            after = rows[-1].seq
            for row in rows:
                new = codec.loads(row.new, f"change_log {row.seq}, new")
                if any(item[0] == contact_id for item in new["refs"]):
                    refs = [_sealed(item, contact_id, key) for item in new["refs"]]
                    text = codec.dumps({**new, "refs": refs})
                    connection.execute(_REWRITE, {"s": self._scope.sync_id, "seq": row.seq, "new": text})


def _links(row: Any) -> list[tuple[int, Side, str]]:
    new = codec.loads(row.new, f"change_log {row.seq}, new")
    if row.kind == "receipt":
        return [(owner, side, ref) for owner, side, ref in new["refs"] if isinstance(ref, str)]
    if row.kind == "rebind":
        return [] if new is None else [(row.contact_id, SIDES[row.side], new)]
    return [(row.contact_id, side, ref) for side, ref in new["refs"].items()]


def _sealed(item: list[Any], contact_id: int, key: bytes) -> list[Any]:
    return [*item[:2], seal(key, item[2])] if item[0] == contact_id and isinstance(item[2], str) else item
