"""What became of writes: the echo, never the sent value, becomes the shadow; the outbox rows go; `receipts` tells the log. One transaction.

Only names that we sent enter the shadow of an updated record: anything else that the echo shows and that differs is somebody's edit, and
makes the record dirty instead. The other side's shadow takes what the write carried across.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from state import codec, echoes, receipts
from state.database import Row, Values, among, upsert
from state.echoes import APPLIED, Settled, shadow_of
from state.last_words import tell
from state.log import Appender, appending
from state.outbox import OutboxRow
from state.queries import RECORDS, RECORDS_OF, records
from state.scope import Scope
from state.statements import Connection
from state.tables import OUTBOX, RECORD
from syncline.plan import ALL_SHOWN, Hold
from syncline.records import Side, other

_NOTHING_MORE = (None, "{}", codec.AS_SEEN)
"""Shadows that hold no name which is not seen."""

_COLUMNS = (
    "sync_id", "side", "ref", "contact_id", "key_1", "key_2", "digest", "seen", "shadow", "liveness", "modified_us", "version", "proof",
    "field_times", "dirty", "staged", "attempts", "retry_at_us", "pair_ref",
)  # fmt: skip
_SHOWN = upsert(RECORD, _COLUMNS, _COLUMNS[:3], _COLUMNS[3:])
_values, _key = itemgetter(*_COLUMNS), itemgetter(1, 2)
_CONFIRM = sa.text("UPDATE record SET shadow = :shadow WHERE sync_id = :sync_id AND side = :side AND ref = :ref")
_AS_SEEN = (
    sa.update(RECORD)
    .where(RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("at"), among(RECORD.c.ref, "refs"))
    .values(shadow=codec.AS_SEEN)
)
_BORN = (
    sa.update(RECORD)
    .where(RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("at"), among(RECORD.c.contact_id, "ids"))
    .where(RECORD.c.dirty != 1, sa.or_(RECORD.c.shadow.is_(None), *(RECORD.c.shadow == shadow for shadow in _NOTHING_MORE[1:])))
    .values(shadow=codec.AS_SEEN)
)
"""What a birth confirms, unless it shows something else by now: the one record that a new contact has. A first load has hardly others."""

_DETACH = sa.text(
    "UPDATE record SET contact_id = NULL, shadow = NULL, dirty = 0, liveness = CASE WHEN liveness = 0 THEN 2 ELSE liveness END"
    " WHERE sync_id = :sync_id AND side = :side AND ref = :ref"
)
_AGAIN = sa.text(
    "UPDATE record SET dirty = CASE WHEN dirty = 1 THEN 1 ELSE :again END, attempts = attempts + :failed, retry_at_us = :retry"
    " WHERE sync_id = :sync_id AND contact_id = :contact_id AND liveness <> 3"
)
_CALM = sa.text("UPDATE record SET attempts = 0 WHERE sync_id = :sync_id AND contact_id = :contact_id")
_LINKED = sa.select(sa.func.count(), sa.func.count(RECORD.c.contact_id.distinct())).where(
    RECORD.c.sync_id == sa.bindparam("s"), among(RECORD.c.contact_id, "ids")
)
_DONE = sa.delete(OUTBOX).where(among(OUTBOX.c.id, "ids"))
_TAKEN = Hold("Ambiguous", "the record that answers to this create belongs to another contact")


class Settling:
    """Settles writes of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def settle(self, run_id: int, results: Sequence[Settled], now_us: int, mapping_version: str | None = None) -> Sequence[Settled]:
        """Take in a batch of results, and say what they turned into. A row neither applied nor held makes its contact dirty again."""
        if not results:
            return ()
        scope = self._scope
        with scope.write() as connection, appending(connection, scope, run_id, now_us, mapping_version) as log:
            batch = _Batch(scope, connection, results)
            for settled in results:
                batch.add(settled)
            batch.save()
            batch.log(log, now_us, run_id)
        return batch.settled


class _Batch:
    """Collects the rows of one settle call. `known`: records by (side, ref), kept as they will be after the batch."""

    def __init__(self, scope: Scope, connection: Connection, results: Sequence[Settled]) -> None:
        self._scope, self._connection = scope, connection
        self._rows: dict[Any, list[Row | Values]] = {statement: [] for statement in (_SHOWN, _CONFIRM, _DETACH, _CALM, _AGAIN)}
        self._as_seen: dict[int, list[str]] = {number: [] for number in codec.SIDE_NO.values()}
        self._born: dict[int, list[int]] = {number: [] for number in codec.SIDE_NO.values()}
        self._plain: set[int] = set()
        self.settled: list[Settled] = []
        self._refs: list[tuple[int, Side, str]] = []
        self._lost: list[tuple[int, Side, str]] = []
        self._known: dict[tuple[int, str], Row] = {}
        self._of: dict[int, list[Row]] = {}
        self._load(results)

    def _load(self, results: Sequence[Settled]) -> None:
        s = {"s": self._scope.sync_id}
        born = [settled.row.contact_id for settled in results if _is_birth(settled.row)]
        linked = self._connection.execute(_LINKED, s | {"ids": codec.dumps(born)}).all() if born else ()
        if linked == [(len(born), len(born))]:
            self._plain = set(born).difference(settled.row.contact_id for settled in results if not _is_birth(settled.row))
        ids = [settled.row.contact_id for settled in results if settled.row.contact_id not in self._plain]
        for row in records(self._connection, RECORDS_OF, s | {"ids": codec.dumps(ids)}) if ids else ():
            self._know(row._asdict())
        for side, number in codec.SIDE_NO.items():
            refs = {s.ref for s in results if s.ref is not None and s.row.side == side and (number, s.ref) not in self._known}
            values = {"s": self._scope.sync_id, "side": number, "refs": codec.dumps(sorted(refs))}
            for row in records(self._connection, RECORDS, values) if refs else ():
                self._know(row._asdict())

    def _know(self, row: Row) -> None:
        self._known[row["side"], row["ref"]] = row
        if row["contact_id"] is not None:
            self._of.setdefault(row["contact_id"], []).append(row)

    def add(self, settled: Settled) -> None:
        row = settled.row
        if settled.result == APPLIED:
            settled = self._applied(settled)
        if settled.result != APPLIED or settled.left_out:
            values = {"sync_id": self._scope.sync_id, "contact_id": row.contact_id, "retry": settled.retry_at_us}
            values["again"] = 0 if settled.waits else 1
            values["failed"] = 1 if settled.result.startswith("failed:") else 0  # what is refused or has moved lengthens no pause
            self._rows[_AGAIN].append(values)
        self.settled.append(settled)

    def _applied(self, settled: Settled) -> Settled:
        """The settled row, or what it turns into when the created record is already somebody else's."""
        row, side = settled.row, codec.SIDE_NO[settled.row.side]
        ref = settled.ref or (settled.echo.ref if settled.echo else None) or row.ref
        mine = self._known.get((side, row.ref)) if row.ref else None
        there = self._known.get((side, ref)) if ref else None
        if ref is None:
            return replace(settled, result="held:Ambiguous", holds=(_TAKEN,))
        if ref != row.ref and there is not None and there["contact_id"] not in (None, row.contact_id):
            if there["liveness"] == codec.LIVE:
                return replace(settled, result="held:Ambiguous", holds=(_TAKEN,))
            self._lost.append((there["contact_id"], row.side, ref))
        if row.untold and self._is_told(row):
            confirms = tuple(name for name in row.confirms if name not in row.untold[other(row.side)])
            row = structs.replace(row, untold={}, confirms=confirms)
            settled = replace(settled, row=row)
        shown = echoes.shown(self._scope.sync_id, settled, ref, mine, there)
        self._rows[_SHOWN].append(_values(shown))
        if row.ref != ref:
            self._refs.append((row.contact_id, row.side, ref))
            self._detach(row.contact_id, side, ref)
            self._know(shown)
        self._known[side, ref] = shown
        if any(record["attempts"] for record in self._of.get(row.contact_id, ())):
            self._rows[_CALM].append({"sync_id": self._scope.sync_id, "contact_id": row.contact_id})
        if settled.echo is not None or row.kind == "archive":
            self._confirm(row)  # what no echo has shown is agreed with nobody yet
        return settled

    def _is_told(self, row: OutboxRow) -> bool:
        """Whether the other side's write of the same sets was answered before: then both bases are what the answers show."""
        across = codec.SIDE_NO[other(row.side)]
        far = _best([record for record in self._of.get(row.contact_id, ()) if record["side"] == across])
        base = echoes.answered(far, row.untold[other(row.side)]) if far is not None and far["dirty"] != 1 else None
        if far is None or base is None:
            return False
        far["shadow"] = base
        self._rows[_CONFIRM].append((base, self._scope.sync_id, across, far["ref"]))
        return True

    def _detach(self, contact_id: int, side: int, ref: str) -> None:
        """A contact has one record a side: the ones that the new one replaces are tombstones without a contact."""
        kept = []
        for row in self._of.get(contact_id, ()):
            if row["side"] == side and row["ref"] != ref:
                self._rows[_DETACH].append({"sync_id": self._scope.sync_id, "side": side, "ref": row["ref"]})
            else:
                kept.append(row)
        self._of[contact_id] = kept

    def _confirm(self, row: OutboxRow) -> None:
        """The other side's shadow takes the confirmed names from what it showed when that was decided.

        Not from what it shows by now: that may be an edit. Nor does the old base stay: who took an edit back since would seem unchanged.
        """
        across = codec.SIDE_NO[other(row.side)]
        if row.contact_id in self._plain:
            self._born[across].append(row.contact_id)
            return
        far = _best([record for record in self._of.get(row.contact_id, ()) if record["side"] == across])
        if far is None or not row.confirms or (far["dirty"] == 1 and not row.shown):
            return
        text = codec.AS_SEEN if row.confirms == ALL_SHOWN and far["shadow"] in _NOTHING_MORE else self._confirmed(row, far)
        if text != far["shadow"]:
            far["shadow"] = text
            if text == codec.AS_SEEN:
                self._as_seen[across].append(far["ref"])
            else:
                self._rows[_CONFIRM].append((text, self._scope.sync_id, across, far["ref"]))

    def _confirmed(self, row: OutboxRow, far: Row) -> str:
        where = f"record {other(row.side)}/{far['ref']}"
        seen = codec.native(far["seen"], f"{where}, seen")
        showed = row.shown or seen
        names = seen if row.confirms == ALL_SHOWN else row.confirms
        shadow = shadow_of(far, where) | {name: showed[name] for name in names if name in showed}
        return codec.AS_SEEN if shadow == seen else codec.dumps(shadow)

    def save(self) -> None:
        # First, so that what comes takes the pages that go: an emptied page is written too.
        self._connection.execute(_DONE, {"ids": codec.dumps([settled.row.id for settled in self.settled])})
        self._rows[_SHOWN].sort(key=_key)  # new refs come in any order, and each page of an index is then visited once
        for statement, rows in self._rows.items():
            self._scope.db.many(self._connection, statement, rows)
        for side, refs in self._as_seen.items():
            if refs:
                self._connection.execute(_AS_SEEN, {"s": self._scope.sync_id, "at": side, "refs": codec.dumps(refs)})
        born = [settled.row.contact_id for settled in self.settled if settled.row.kind == "create" and settled.result == APPLIED]
        tell(self._connection, self._scope, born)
        for side, ids in self._born.items():
            if ids:
                self._connection.execute(_BORN, {"s": self._scope.sync_id, "at": side, "ids": codec.dumps(ids)})

    def log(self, log: Appender, now_us: int, run_id: int) -> None:
        at = (self._connection, self._scope, log)
        receipts.write_receipt(*at, self.settled, self._refs, self._lost)
        undone = [settled.row for settled in self.settled if settled.result != APPLIED and settled.row.kind in receipts.UNDO]
        receipts.undo(*at, [row for row in undone if self._is_its_own(row)])
        receipts.hold(*at, self.settled, now_us, run_id)

    def _is_its_own(self, row: OutboxRow) -> bool:
        """Whether the record written to is its contact's, and not a loser's."""
        return any(record["ref"] == row.ref for record in self._of.get(row.contact_id, ()))


def _is_birth(row: OutboxRow) -> bool:
    """Of a new contact, and of all that its one record showed."""
    return row.kind == "create" and row.ref is None and row.confirms == ALL_SHOWN and row.born is not None


def _best(rows: Sequence[Row]) -> Row | None:
    """Of a contact's records on one side the one that stands for it: the liveliest, then the last that is as lively and newest."""
    return sorted(rows, key=lambda row: (-row["liveness"], row["staged"]))[-1] if rows else None
