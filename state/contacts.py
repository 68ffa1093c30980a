"""Contacts as the planner reads them: what must be decided, page by page, and single contacts for people's questions.

Decisions come in three passes: linked contacts; pairs that `matching` found; single records. Each pass is ordered, so the same
database gives the same pages, and fresh contact ids are counted along in memory: they become real only when a plan is committed.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from state import codec
from state.database import among
from state.holds import HoldRow, Owner, by_owner, open_holds
from state.last_words import UNHEARD, strays
from state.queries import CONTACTS, RECORDS, RECORDS_OF, records
from state.scope import Scope
from state.statements import Connection
from state.tables import CONTACT, RECORD
from syncline.plan import Contact, SideState
from syncline.records import SIDES, Side

Shown = namedtuple("Shown", ("side", "ref", "seen", "shadow", "liveness", "modified_us", "version", "proof", "field_times"))
"""Of a record's row what the planner asks for: the driver has its price for every column."""

_DUE = "r.dirty = 1 AND (r.retry_at_us IS NULL OR r.retry_at_us <= :now)"
_LINKED = sa.text(
    f"SELECT DISTINCT r.contact_id FROM record AS r WHERE r.sync_id = :s AND {_DUE} AND r.contact_id > :after AND NOT EXISTS"
    " (SELECT 1 FROM outbox AS o WHERE o.sync_id = r.sync_id AND o.contact_id = r.contact_id)"
    " AND NOT EXISTS (SELECT 1 FROM record AS m WHERE m.sync_id = r.sync_id AND m.contact_id = r.contact_id AND m.liveness = 3"
    " AND m.dirty = 1 AND m.merged_into IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record AS v WHERE v.sync_id = m.sync_id"
    " AND v.side = m.side AND v.ref = m.merged_into)) ORDER BY r.contact_id LIMIT :limit"
)
_PAIRED = sa.text(
    f"SELECT r.ref, r.pair_ref FROM record AS r WHERE r.sync_id = :s AND {_DUE} AND r.contact_id IS NULL AND r.side = 0"
    " AND r.pair_ref IS NOT NULL AND r.ref > :after ORDER BY r.ref LIMIT :limit"
)
_SINGLE = sa.text(
    f"SELECT {', '.join(Shown._fields)} FROM record AS r WHERE r.sync_id = :s AND {_DUE} AND r.contact_id IS NULL AND r.side = :side"
    " AND r.pair_ref IS NULL AND r.liveness = 0 AND r.ref > :after ORDER BY r.ref LIMIT :limit"
)
_LOSERS = sa.select(CONTACT.c.merged_into, CONTACT.c.id).where(
    CONTACT.c.sync_id == sa.bindparam("s"),
    CONTACT.c.merged_into.is_not(None),
    among(CONTACT.c.merged_into, "ids"),
    CONTACT.c.state == "merged",
)
"""Not those erased since by their own number: nothing is known of them, and nobody writes to them."""

_NEXT_ID = sa.text("SELECT next_contact_id FROM sync WHERE id = :s")


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next page of decisions starts. Opaque to callers."""

    stage: str = "linked"
    after: str = ""
    next_id: int = 0


_AFTER = {"linked": "paired", "paired": "crm", "crm": "marketing", "marketing": None}


class Contacts:
    """One sync's contacts."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def contacts_to_decide(
        self, limit: int, now_us: int, after: Position | None = None, births: bool = True
    ) -> tuple[list[Contact], Position | None]:
        """At most `limit` contacts that need a decision, and where to go on (None: that was all). Nothing is written.

        `births`: also who has nobody across, linked or not: both sides must have been polled for that.
        """
        with self._scope.read() as connection:
            at: Position | None = after or Position(next_id=connection.execute(_NEXT_ID, {"s": self._scope.sync_id}).scalar_one())
            found: list[Contact] = []
            while at is not None and not found and (births or at.stage == "linked"):
                found, at = self._page(connection, at, limit, now_us)
            at = at if births or (at is not None and at.stage == "linked") else None
        return [contact for contact in found if births or len(contact.sides) == 2], at

    def _page(self, connection: Connection, at: Position, limit: int, now_us: int) -> tuple[list[Contact], Position | None]:
        values: dict[str, Any] = {"s": self._scope.sync_id, "now": now_us, "limit": limit, "after": at.after}
        if at.stage == "linked":
            ids = list(connection.execute(_LINKED, {**values, "after": int(at.after or 0)}).scalars())
            found, last = self._load(connection, ids), str(ids[-1]) if ids else ""
        elif at.stage == "paired":
            pairs = connection.execute(_PAIRED, values).all()
            rows = self._rows(connection, "crm", [crm for crm, _ in pairs]) | self._rows(connection, "marketing", [far for _, far in pairs])
            members = [{"crm": rows["crm", crm], "marketing": rows["marketing", across]} for crm, across in pairs]
            found, last = self._fresh(connection, members, at.next_id), pairs[-1][0] if pairs else ""
        else:
            side: Side = "crm" if at.stage == "crm" else "marketing"
            single = list(map(Shown._make, connection.execute(_SINGLE, {**values, "side": codec.SIDE_NO[side]}).cursor.fetchall()))
            found, last = self._fresh(connection, [{side: row} for row in single], at.next_id), single[-1].ref if single else ""
        next_id = at.next_id + (0 if at.stage == "linked" else len(found))
        if last:
            return found, replace(at, after=last, next_id=next_id)
        stage = _AFTER[at.stage]
        return found, None if stage is None else Position(stage, next_id=next_id)

    def _rows(self, connection: Connection, side: Side, refs: Sequence[str]) -> dict[tuple[Side, str], Any]:
        values = {"s": self._scope.sync_id, "side": codec.SIDE_NO[side], "refs": codec.dumps(refs)}
        return {(side, row.ref): row for row in records(connection, RECORDS, values)}

    def _fresh(self, connection: Connection, members: Sequence[dict[Side, Any]], next_id: int) -> list[Contact]:
        """New contacts, numbered in order, of unlinked records' rows."""
        holds = open_holds(connection, self._scope, (), [row.ref for member in members for row in member.values()])
        merged = strays(
            connection, self._scope, {(row.side, row.ref): next_id + n for n, member in enumerate(members) for row in member.values()}
        )
        fresh = []
        for number, member in enumerate(members):
            sides = {side: side_state(row) for side, row in member.items()}
            contact = Contact(next_id + number, sides, losers=_losers(merged.get(next_id + number, ())))
            if holds:
                held = by_owner(holds, [(side, row.ref) for side, row in member.items()])
                contact = replace(contact, held=frozenset(row.field for row in held))
            fresh.append(contact)
        return fresh

    def _load(self, connection: Connection, ids: Sequence[int]) -> list[Contact]:
        """Stored contacts with both sides' records, losers and open holds, in the order of `ids`."""
        if not ids:
            return []
        values = {"s": self._scope.sync_id, "ids": codec.dumps(ids)}
        losers = {row.id: row.merged_into for row in connection.execute(_LOSERS, values)}
        rows: dict[int, list[Any]] = {}
        for row in records(connection, RECORDS_OF, {**values, "ids": codec.dumps([*ids, *losers])}):
            rows.setdefault(row.contact_id, []).append(row)
        holds = open_holds(connection, self._scope, ids)
        found = {row.id: row for row in connection.execute(CONTACTS, values)}
        merged = strays(connection, self._scope, {(row.side, row.ref): i for i in ids for row in rows.get(i, ())})
        lost: dict[int, list[Any]] = {i: [row for row in rows.get(i, ()) if _merged(row) and row.dirty] + merged.get(i, []) for i in ids}
        for loser, winner in sorted(losers.items()):
            lost[winner] += _left_behind(rows.get(loser, ()))
        return [_contact(found[i], rows.get(i, ()), lost[i], holds) for i in ids if i in found]

    def load_contact(self, contact_id: int) -> Contact | None:
        """One contact, dirty or not; None when there is none of that number."""
        with self._scope.read() as connection:
            return next(iter(self._load(connection, [contact_id])), None)

    def standing(self, side: Side, ids: Sequence[int]) -> frozenset[int]:
        """Those of these contacts that have a live record on that side."""
        values = {"s": self._scope.sync_id, "ids": codec.dumps(ids)}
        with self._scope.read() as connection:
            rows = records(connection, RECORDS_OF, values)
        return frozenset(row.contact_id for row in rows if SIDES[row.side] == side and row.liveness == codec.LIVE)

    def contact_by(self, side: Side, ref: str) -> int | None:
        """The contact that this record is linked to."""
        query = sa.select(RECORD.c.contact_id).where(
            RECORD.c.sync_id == self._scope.sync_id, RECORD.c.side == codec.SIDE_NO[side], RECORD.c.ref == ref
        )
        with self._scope.read() as connection:
            return connection.execute(query).scalar()

    def find_contact(self, key: str) -> list[int]:
        """Contacts with a record whose match key is `key`, lowest id first."""
        query = sa.text(
            "SELECT contact_id FROM record WHERE sync_id = :s AND key_1 = :key AND contact_id IS NOT NULL UNION"
            " SELECT contact_id FROM record WHERE sync_id = :s AND key_2 = :key AND contact_id IS NOT NULL ORDER BY 1"
        )
        with self._scope.read() as connection:
            return list(connection.execute(query, {"s": self._scope.sync_id, "key": key}).scalars())

    def provenance(self, contact_id: int) -> dict[str, list[Any]]:
        """Per field: [side, rule, run id, number of the log entry] that last set it."""
        query = sa.select(CONTACT.c.view, CONTACT.c.provenance).where(CONTACT.c.sync_id == self._scope.sync_id, CONTACT.c.id == contact_id)
        with self._scope.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return {}
        where = f"contact {contact_id}"
        packed = codec.native(row.provenance, where)
        usual = packed.pop("*", None)
        return {**(dict.fromkeys(codec.view(row.view, where), usual) if usual else {}), **packed}


def side_state(row: Any) -> SideState:
    """A record's row as the planner reads it."""
    where = f"record {SIDES[row.side]}/{row.ref}"
    return SideState(
        row.ref,
        codec.native(row.seen, f"{where}, seen"),
        None if row.shadow is None else codec.native(codec.shadow(row.shadow, row.seen), f"{where}, shadow"),
        codec.LIVENESSES[row.liveness],
        row.modified_us,
        row.version,
        None if row.proof is None else codec.proof(row.proof, f"{where}, proof"),
        None if row.field_times is None else codec.native(row.field_times, f"{where}, field_times"),
    )


def best(rows: Sequence[Any]) -> dict[Side, Any]:
    """Per side the record that stands for the contact: the live one before an archived, a gone, a merged one."""
    chosen: dict[Side, Any] = {}
    for row in sorted(rows, key=lambda row: (-row.liveness, row.staged)):
        chosen[SIDES[row.side]] = row
    return {side: chosen[side] for side in SIDES if side in chosen}


def _left_behind(rows: Sequence[Any]) -> list[Any]:
    """What a merged contact still has to say: its living record, and whatever nobody has heard yet, however dead it is by now.

    Who opts out and is merged away between two polls has said so on the merged record alone, and the survivor may be dead for a while too.
    """
    return [row for row in rows if row.liveness == codec.LIVE or row.dirty == UNHEARD]


def _losers(rows: Sequence[Any]) -> dict[Side, tuple[SideState, ...]]:
    return {side: states for side in SIDES if (states := tuple(side_state(row) for row in rows if SIDES[row.side] == side))}


def _merged(row: Any) -> bool:
    return bool(row.liveness == codec.LIVENESS_NO["merged"])


def _contact(row: Any, records: Sequence[Any], lost: Sequence[Any], holds: dict[Owner, list[HoldRow]]) -> Contact:
    where = f"contact {row.id}"
    view = codec.view(row.view, f"{where}, view")
    return Contact(
        contact_id=row.id,
        sides={side: side_state(record) for side, record in best(records).items()},
        state=row.state,
        view=view,
        agreed_us=codec.times(row.agreed_us, view, f"{where}, agreed_us"),
        losers=_losers(lost),
        held=frozenset(hold.field for hold in holds.get(row.id, ())),
    )
