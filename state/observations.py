"""What both sides show: staging pages of observations with their cursor, and the bookkeeping of full sweeps.

We persist observations, never half-done work. A whole read of a live record stands as it was shown: a name that the vendor left out is
unknown from then on, never taken from an older look. A read in part keeps the other names, and a record that is dead keeps its last ones.
A read older than what we know of the record (a lagging replica) moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from state import codec
from state.cursors import save_cursor
from state.database import Row, among, each, insert, upsert
from state.queries import RECORDS, records
from state.scope import Scope
from state.statements import Connection
from state.tables import CONTACT, RECORD, SWEPT
from syncline.cursor import Cursor
from syncline.records import Record, Side, value

OBSERVED = (
    "sync_id", "side", "ref", "key_1", "key_2", "digest", "seen", "liveness", "merged_into", "absorbed", "modified_us", "version", "proof",
    "field_times", "shadow", "dirty", "staged", "attempts", "retry_at_us",
)  # fmt: skip
STAGE = upsert(RECORD, OBSERVED, OBSERVED[:3], OBSERVED[3:])
_values = itemgetter(*OBSERVED)
_NEXT = sa.text("UPDATE sync SET staged = staged + 1 WHERE id = :s RETURNING staged")
_SWEPT = insert(SWEPT, ("sync_id", "side", "refs", "live", "older"))
_OLDER = sa.text("SELECT older FROM swept WHERE sync_id = :s AND side = :side AND older <> '[]' ORDER BY id")
_DIGESTS = sa.select(RECORD.c.ref, RECORD.c.digest, RECORD.c.liveness).where(
    RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("side"), among(RECORD.c.ref, "refs"), RECORD.c.digest.is_not(None)
)
_REFRESH = sa.text("UPDATE record SET digest = :digest WHERE sync_id = :s AND side = :side AND ref = :ref")
_each_ref = each(SWEPT.c.refs).table_valued("value", joins_implicitly=True)
_MET = (
    sa.select(_each_ref.c.value)
    .select_from(SWEPT, _each_ref)
    .where(SWEPT.c.sync_id == sa.bindparam("s"), SWEPT.c.side == sa.bindparam("side"))
)
_LIVES = sa.select(RECORD.c.ref, RECORD.c.liveness, RECORD.c.modified_us, RECORD.c.seen).where(
    RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("side"), among(RECORD.c.ref, "refs")
)
_UNSWEPT = (
    sa.select(RECORD.c.ref)
    .where(RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("side"), RECORD.c.liveness == codec.LIVE)
    .where(RECORD.c.ref > sa.bindparam("after"), RECORD.c.ref.not_in(_MET))
    .order_by(RECORD.c.ref)
    .limit(sa.bindparam("limit"))
)
_NO_BASE = (
    sa.update(RECORD)
    .where(RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("at"), among(RECORD.c.ref, "refs"))
    .values(shadow=None)
)
_LINKED = sa.text(
    "SELECT COUNT(*) FROM record AS a JOIN contact AS c ON c.sync_id = a.sync_id AND c.id = a.contact_id AND c.state = 'active'"
    " WHERE a.sync_id = :s AND a.side = 0 AND a.liveness = 0 AND EXISTS (SELECT 1 FROM record AS b"
    " WHERE b.sync_id = a.sync_id AND b.contact_id = a.contact_id AND b.side = 1 AND b.liveness = 0)"
)
_ERASED = sa.select(CONTACT.c.id).where(CONTACT.c.sync_id == sa.bindparam("s"), among(CONTACT.c.id, "ids"), CONTACT.c.state == "erased")
_TOUCH = (
    sa.text(
        "UPDATE record SET dirty = 1 WHERE sync_id = :s AND liveness <> 3 AND contact_id IN"
        " (SELECT contact_id FROM hold WHERE sync_id = :s AND open = 1 AND contact_id IS NOT NULL)"
    ),
    sa.text(
        "UPDATE record SET dirty = 1 FROM hold AS h WHERE h.sync_id = :s AND h.open = 1 AND h.contact_id IS NULL"
        " AND record.sync_id = :s AND record.side = h.side AND record.ref = h.ref AND record.contact_id IS NULL"
    ),
)


@value
class Observation:
    """A record as just read, its digest (None when it was not read whole), and its match keys (None where it has none).

    `text`: its fields as JSON, when they have been written down already.
    """

    record: Record
    digest: bytes | None
    key_1: str | None = None
    key_2: str | None = None
    text: str = ""


class Observations:
    """One sync's observations."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def digests(self, side: Side, refs: Sequence[str]) -> dict[str, tuple[bytes, bool]]:
        """(stored digest, known as live) of these refs; those we do not know are absent."""
        with self._scope.read() as connection:
            rows = connection.execute(_DIGESTS, {**self._of(side), "refs": codec.dumps(refs)})
            return {ref: (digest, liveness == codec.LIVE) for ref, digest, liveness in rows.cursor.fetchall()}

    def stage(
        self,
        side: Side,
        observations: Sequence[Observation],
        cursor: Cursor | None = None,
        swept: Sequence[str] | None = None,
        now_us: int = 0,
        force: bool = False,
        refreshed: Mapping[str, bytes] = {},
    ) -> int:
        """A page, its cursor and the refs that a sweep has met, in one transaction. Returns how many records it moved.

        `swept`: the live refs of a listing's pages, None of anything else.
        `refreshed`: new digests of records that have not changed, though the vendor's bytes have.
        `force` takes a read even when it is older than what we know (the vendor restored a backup): nothing agreed is its base any more.
        """
        with self._scope.write() as connection:
            staged, older = self._stage(connection, side, observations, force) if observations else (0, [])
            if cursor is not None:
                save_cursor(connection, self._scope, side, cursor)
            if swept is not None and (swept or older):
                at = {"sync_id": self._scope.sync_id, "side": codec.SIDE_NO[side]}
                connection.execute(_SWEPT, {**at, "refs": codec.dumps(swept), "live": len(swept), "older": codec.dumps(older)})
            if refreshed:
                at = (self._scope.sync_id, codec.SIDE_NO[side])
                self._scope.db.many(connection, _REFRESH, [(digest, *at, ref) for ref, digest in refreshed.items()])
        return staged

    def observe_moved(self, side: Side, observations: Sequence[Observation], now_us: int = 0) -> int:
        """Stage what a re-check just before a write has shown: the world moved, so decide again."""
        return self.stage(side, observations, now_us=now_us)

    def _stage(self, connection: Connection, side: Side, observations: Sequence[Observation], force: bool) -> tuple[int, list[str]]:
        """(records moved, refs of those passed over)."""
        number = connection.execute(_NEXT, {"s": self._scope.sync_id}).scalar_one()
        refs = codec.dumps([o.record.ref for o in observations])
        known: dict[str, Any] = {row.ref: row._asdict() for row in records(connection, RECORDS, {**self._of(side), "refs": refs})}
        rows, older = [], []
        forgotten = self._forgotten(connection, known)
        for observation in observations:
            old = known.get(observation.record.ref)
            if forgotten and old is not None and old.get("contact_id") in forgotten:
                continue
            if old is None or force or not _stale(old, observation.record):
                row = observed(self._scope.sync_id, codec.SIDE_NO[side], observation, old, number)
                known[row["ref"]] = row
                rows.append(row)
            else:
                older.append(observation.record.ref)
        self._scope.db.many(connection, STAGE, list(map(_values, rows)))
        if force:
            connection.execute(_NO_BASE, {"s": self._scope.sync_id, "at": codec.SIDE_NO[side], "refs": refs})
        return len(rows), older

    def _forgotten(self, connection: Connection, known: Mapping[str, Any]) -> set[int]:
        """Contacts among the known records that were erased: whatever a vendor still shows of them is not stored again."""
        owners = {row["contact_id"] for row in known.values() if row["contact_id"] is not None}
        if not owners:
            return set()
        return set(connection.execute(_ERASED, {"s": self._scope.sync_id, "ids": codec.dumps(sorted(owners))}).scalars())

    def older(self, side: Side, observations: Sequence[Observation]) -> list[Observation]:
        """Those that show their record as it was before we last saw it: what `stage` passes over unless it is forced."""
        refs = codec.dumps([o.record.ref for o in observations])
        with self._scope.read() as connection:
            known: dict[str, Any] = {row.ref: row._asdict() for row in records(connection, RECORDS, {**self._of(side), "refs": refs})}
        return [o for o in observations if (old := known.get(o.record.ref)) is not None and _stale(old, o.record)]

    def listed_older(self, side: Side) -> list[str]:
        """Refs that the running listing, over all the runs it took, has shown as they were before we last saw them."""
        with self._scope.read() as connection:
            return [ref for text in connection.execute(_OLDER, self._of(side)).scalars() for ref in codec.loads(text, "swept, older")]

    def doubtful(self, side: Side, observations: Sequence[Observation]) -> list[Observation]:
        """Those that say otherwise of their record's life than we know and are no newer: an index may not have heard of a delete yet.

        Nor of a merge, that the survivor has told us of: its time is not the loser's. And those that show other values of the same names,
        as of the very time that we know.
        """
        refs = codec.dumps([o.record.ref for o in observations])
        with self._scope.read() as connection:
            known = {row.ref: row for row in connection.execute(_LIVES, {**self._of(side), "refs": refs})}
        return [o for o in observations if (old := known.get(o.record.ref)) is not None and _disputed(old, o.record)]

    def begin_sweep(self, side: Side) -> None:
        """A full listing starts: forget which refs the last one met."""
        with self._scope.write() as connection:
            connection.execute(sa.text("DELETE FROM swept WHERE sync_id = :s AND side = :side"), self._of(side))

    def unswept(self, side: Side, after_ref: str, limit: int) -> list[str]:
        """Refs of known live records that the running listing has not met, in order, after `after_ref` ("" for the first)."""
        with self._scope.read() as connection:
            return list(connection.execute(_UNSWEPT, {**self._of(side), "after": after_ref, "limit": limit}).scalars())

    def swept_count(self, side: Side) -> int:
        """Live records that the running listing has shown, over all the runs it took."""
        query = sa.text("SELECT COALESCE(SUM(live), 0) FROM swept WHERE sync_id = :s AND side = :side")
        with self._scope.read() as connection:
            return int(connection.execute(query, self._of(side)).scalar_one())

    def live_count(self, side: Side) -> int:
        """Known live records of that side."""
        query = sa.text("SELECT COUNT(*) FROM record WHERE sync_id = :s AND side = :side AND liveness = 0")
        with self._scope.read() as connection:
            return int(connection.execute(query, self._of(side)).scalar_one())

    def linked_count(self) -> int:
        """Active contacts that are live on both sides: what the guard's shares are shares of."""
        with self._scope.read() as connection:
            return int(connection.execute(_LINKED, {"s": self._scope.sync_id}).scalar_one())

    def touch_held(self) -> None:
        """Everything that waits is decided again: options may have changed, duplicates may have gone."""
        with self._scope.write() as connection:
            for statement in _TOUCH:
                connection.execute(statement, {"s": self._scope.sync_id})

    def _of(self, side: Side) -> dict[str, Any]:
        return {"s": self._scope.sync_id, "side": codec.SIDE_NO[side]}


def observed(sync_id: int, side: int, observation: Observation, old: Any | None, number: int) -> Row:
    """The row of an observation, over what the old row knew."""
    record = observation.record
    seen = observation.text or codec.dumps(dict(record.fields))
    keys = (observation.key_1, observation.key_2)
    shadow, modified_us = None, record.modified_us
    if old is not None:
        shadow = old["shadow"] and codec.shadow(old["shadow"], old["seen"])
        if not record.fields:
            keys = (old["key_1"], old["key_2"])
        before = codec.native(old["seen"], f"record {side}/{record.ref}, seen")  # a damaged one is noticed before it is overwritten
        if record.liveness != "live" or observation.digest is None:
            seen = codec.dumps(before | dict(record.fields.items()))
        if record.liveness == "merged" and record.modified_us is None:  # nothing newer was shown of it
            modified_us = old["modified_us"]
    return {
        "sync_id": sync_id, "side": side, "ref": record.ref, "key_1": keys[0], "key_2": keys[1], "digest": observation.digest, "seen": seen,
        "liveness": codec.LIVENESS_NO[record.liveness], "merged_into": record.merged_into,
        "absorbed": codec.dumps(record.absorbed) if record.absorbed else None, "modified_us": modified_us,
        "version": record.version, "proof": codec.proof_text(record.proof),
        "field_times": codec.dumps(record.field_times_us) if record.field_times_us else None,
        "shadow": shadow, "dirty": 1, "staged": number, "attempts": 0, "retry_at_us": None,
    }  # fmt: skip


def _stale(old: Any, record: Record) -> bool:
    """Older than what we know, by the vendor's own clock, and saying the same of the record's life."""
    known, read = old["modified_us"], record.modified_us
    return known is not None and read is not None and read < known and old["liveness"] == codec.LIVENESS_NO[record.liveness]


def _disputed(old: Any, record: Record) -> bool:
    known, read = old.modified_us, record.modified_us
    if old.liveness != codec.LIVENESS_NO[record.liveness]:
        return old.liveness == codec.LIVENESS_NO["merged"] or known is None or read is None or read <= known
    return read is not None and read == known and _shows_else(old, record)


def _shows_else(old: Any, record: Record) -> bool:
    """Not when it shows other names: then the mapping or a permission has changed."""
    seen = codec.native(old.seen, f"record {record.ref}, seen")
    return seen.keys() == record.fields.keys() and codec.dumps(seen) != codec.dumps(dict(record.fields))
