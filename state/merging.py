"""Vendors merge records: the survivor takes the absorbed ones' place, and their contacts become one. Learnt from either end.

Some vendors name the losers on the survivor (`absorbed`), some the survivor on the loser (`merged_into`); chains are followed to their end.
The winner contact keeps its links; a loser contact keeps its record on the far side, which the planner sees among the winner's `losers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from state import codec
from state.contacts import best
from state.database import among
from state.holds import open_holds, settle_holds
from state.log import Appender, appending, contact_keys
from state.queries import CONTACTS, RECORDS, RECORDS_OF
from state.scope import Scope
from state.statements import Connection
from state.tables import OUTBOX
from syncline.log import Entry
from syncline.records import SIDES, Side, other

_POINTERS = sa.text(
    "SELECT side, ref, merged_into, absorbed FROM record WHERE sync_id = :s AND dirty = 1 AND (absorbed IS NOT NULL OR"
    " (liveness = 3 AND merged_into IS NOT NULL))"  # an ORDER BY would make SQLite walk every record in that order
)
# `side + 0` for the same reason: no index but that of the dirty ones.
_MISSING = sa.text(
    "SELECT DISTINCT r.merged_into FROM record AS r WHERE r.sync_id = :s AND r.dirty = 1 AND r.side + 0 = :side AND r.liveness = 3"
    " AND r.merged_into IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record AS v WHERE v.sync_id = r.sync_id AND v.side = r.side"
    " AND v.ref = r.merged_into) ORDER BY 1"
)
_ABSORB = sa.text(
    "UPDATE record SET liveness = 3, merged_into = :into, dirty = 2, pair_ref = NULL WHERE sync_id = :s AND side = :side AND ref = :ref"
)
# It is the winner's from now on, also for an erasure; it waits (dirty 2) until a plan of the winner that heard it is committed.
_HEAR = sa.text(
    "UPDATE record SET contact_id = :contact WHERE sync_id = :s AND side = :side AND ref = :ref"
    " AND (contact_id IS NULL OR contact_id = :contact)"
)
# The base goes along: what the merge left as it was is no change, and what the other side edited meanwhile is one. But of a record that an
# ended contact left behind, nothing was ever agreed with this one.
_TAKE = sa.text(
    "UPDATE record SET contact_id = :contact, pair_ref = NULL, shadow = CASE WHEN contact_id IS NULL THEN COALESCE(shadow, (SELECT"
    " CASE b.shadow WHEN '=' THEN b.seen ELSE b.shadow END FROM record AS b"
    " WHERE b.sync_id = :s AND b.side = :side AND b.ref = :before)) END WHERE sync_id = :s AND side = :side AND ref = :ref"
)
# A contact has one record a side: what the survivor replaces is nobody's, should it ever come back.
_LET_GO = sa.text(
    "UPDATE record SET contact_id = NULL, shadow = NULL, dirty = 0 WHERE sync_id = :s AND side = :side AND contact_id = :contact"
    " AND ref <> :ref AND liveness IN (1, 2)"
)
# A merge on the other side, a moment ago, may have ended the winner.
_GOES_ON = sa.text("SELECT COALESCE(merged_into, id) FROM contact WHERE sync_id = :s AND id = :contact")
# Whose record across may be about to come, or have come unheard.
_COMING = sa.select(OUTBOX.c.contact_id).where(
    OUTBOX.c.sync_id == sa.bindparam("s"), OUTBOX.c.side == sa.bindparam("at"), OUTBOX.c.ref.is_(None), among(OUTBOX.c.contact_id, "ids")
)
# Who was being made on this side when an answer was lost, by the key of their record across: one that nobody has may be theirs.
_UNHEARD = sa.text(
    "SELECT r.key_1, r.contact_id FROM outbox AS o JOIN record AS r ON r.sync_id = o.sync_id AND r.contact_id = o.contact_id"
    " WHERE o.sync_id = :s AND o.side = :side AND o.ref IS NULL AND r.side <> o.side AND r.liveness = 0 AND r.key_1 IS NOT NULL"
)
_OWNER = sa.text("SELECT contact_id FROM record WHERE sync_id = :s AND side = :side AND ref = :ref")
_MERGED = (
    sa.text("UPDATE contact SET state = 'merged', merged_into = :winner WHERE sync_id = :s AND id = :loser"),
    sa.text("UPDATE contact SET merged_into = :winner WHERE sync_id = :s AND merged_into = :loser"),
    sa.text("UPDATE record SET dirty = 2 WHERE sync_id = :s AND contact_id = :loser"),
)
_DIRTY = sa.text("UPDATE record SET dirty = 1, retry_at_us = NULL WHERE sync_id = :s AND contact_id = :contact AND liveness <> 3")


@dataclass(frozen=True, slots=True)
class Merge:
    """`survivor` has swallowed `absorbed`; all are records we know.

    `winner`: the contact that goes on, None when none of them had one; `losers`: the contacts that end.
    """

    side: Side
    survivor: str
    absorbed: tuple[str, ...]
    winner: int | None = None
    losers: tuple[int, ...] = ()


def choose_winner(own: int | None, key: str | None, far_keys: Mapping[int, str | None]) -> int | None:
    """The survivor's own contact; else the one whose far record shares the survivor's key; else the lowest of `far_keys`."""
    if own is not None:
        return own
    sharing = sorted(contact for contact, far in far_keys.items() if key is not None and far == key)
    return sharing[0] if sharing else min(far_keys, default=None)


def survivors(pointers: Mapping[str, str]) -> dict[str, list[str]]:
    """Loser → survivor, resolved: each last survivor with all that ended in it, in order. A cycle ends where it closes."""
    ended: dict[str, list[str]] = {}
    for loser in sorted(pointers):
        at, passed = pointers[loser], {loser}
        while at in pointers and at not in passed:
            passed.add(at)
            at = pointers[at]
        if at != loser:
            ended.setdefault(at, []).append(loser)
    return ended


class Merging:
    """Merges of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def merges(self) -> list[Merge]:
        """Merges that the staged records tell of and that are not applied yet."""
        with self._scope.read() as connection:
            told: dict[Side, dict[str, str]] = {side: {} for side in SIDES}
            for row in sorted(connection.execute(_POINTERS, {"s": self._scope.sync_id}), key=lambda row: (row.side, row.ref)):
                pointers = told[SIDES[row.side]]
                if row.merged_into is not None:
                    pointers[row.ref] = row.merged_into
                for loser in _swallowed(row):
                    pointers.setdefault(loser, row.ref)
            followed = {side: self._followed(connection, side, told[side]) for side in SIDES if told[side]}
            return [m for side, pointers in followed.items() for m in self._merges(connection, side, survivors(pointers))]

    def _followed(self, connection: Connection, side: Side, pointers: dict[str, str]) -> dict[str, str]:
        """With those of survivors that an earlier round has seen merged away themselves."""
        while last := sorted({into for into in pointers.values() if into not in pointers}):
            values = {"s": self._scope.sync_id, "side": codec.SIDE_NO[side], "refs": codec.dumps(last)}
            gone = [row for row in connection.execute(RECORDS, values) if row.liveness == codec.LIVENESS_NO["merged"]]
            if not (more := {row.ref: row.merged_into for row in gone if row.merged_into is not None}):
                break
            pointers = pointers | more
        return pointers

    def missing_survivors(self, side: Side) -> list[str]:
        """Refs that merged records point to and that we have never seen: read and stage them, then ask `merges` again.

        Until then the contacts concerned are not decided: a merge that looks like a delete must not archive anybody.
        """
        with self._scope.read() as connection:
            return list(connection.execute(_MISSING, {"s": self._scope.sync_id, "side": codec.SIDE_NO[side]}).scalars())

    def _merges(self, connection: Connection, side: Side, ended: Mapping[str, Sequence[str]]) -> list[Merge]:
        refs = codec.dumps([*ended, *(ref for refs in ended.values() for ref in refs)])
        of = {"s": self._scope.sync_id, "side": codec.SIDE_NO[side]}
        rows = {row.ref: row for row in connection.execute(RECORDS, {**of, "refs": refs})}
        unheard = {row.key_1: row.contact_id for row in connection.execute(_UNHEARD, of)}
        owners = {row.contact_id for row in rows.values() if row.contact_id is not None} | set(unheard.values())
        contacts = self._contacts(connection, owners)
        heirs = {row.merged_into for row in contacts.values() if row.merged_into is not None}
        contacts |= self._contacts(connection, heirs - owners)
        ids = codec.dumps(sorted(contacts))
        across: dict[int, list[Any]] = {}
        for row in connection.execute(RECORDS_OF, {"s": self._scope.sync_id, "ids": ids}):
            if SIDES[row.side] == other(side):
                across.setdefault(row.contact_id, []).append(row)
        far = {contact: best(theirs)[other(side)] for contact, theirs in across.items()}
        coming = set(connection.execute(_COMING, {"s": self._scope.sync_id, "at": codec.SIDE_NO[other(side)], "ids": ids}).scalars())
        known = _Known(rows, contacts, far, coming, unheard)
        found = (_merge(side, survivor, losers, known) for survivor, losers in sorted(ended.items()))
        return [merge for merge in found if merge is not None]

    def _contacts(self, connection: Connection, ids: Collection[int]) -> dict[int, Any]:
        values = {"s": self._scope.sync_id, "ids": codec.dumps(sorted(ids))}
        return {row.id: row for row in connection.execute(CONTACTS, values)} if ids else {}

    def apply_merge(self, merge: Merge, run_id: int | None, now_us: int, mapping_version: str | None = None) -> None:
        """Carry one merge out in our own books, in one transaction; the planner then moves what must move."""
        scope = self._scope
        of: dict[str, Any] = {"s": scope.sync_id, "side": codec.SIDE_NO[merge.side]}
        with scope.write() as connection, appending(connection, scope, run_id, now_us, mapping_version) as log:
            for ref in merge.absorbed:
                connection.execute(_ABSORB, {**of, "ref": ref, "into": merge.survivor})
            if merge.winner is None:
                return
            winner = connection.execute(_GOES_ON, {"s": scope.sync_id, "contact": merge.winner}).scalar_one()
            for ref in merge.absorbed:
                connection.execute(_HEAR, {**of, "ref": ref, "contact": winner})
            held = connection.execute(RECORDS_OF, {"s": scope.sync_id, "ids": codec.dumps([winner])}).all()
            mine = [row for row in held if SIDES[row.side] == merge.side]
            heir = next((row.ref for row in mine if row.liveness == codec.LIVE and merge.survivor in _swallowed(row)), None)
            if heir is not None:  # it went the same way itself, before we ever saw it
                connection.execute(_ABSORB, {**of, "ref": merge.survivor, "into": heir})
                return
            stands = any(row.liveness == codec.LIVE or row.ref == merge.survivor for row in mine)
            if winner in (merge.winner, *merge.losers) and not stands:
                self._rebind(connection, log, merge, winner, mine)
            self._end_losers(connection, log, merge, winner, now_us, run_id)
            connection.execute(_DIRTY, {"s": scope.sync_id, "contact": winner})

    def _rebind(self, connection: Connection, log: Appender, merge: Merge, winner: int, mine: Sequence[Any]) -> None:
        """The winner takes the survivor, from whatever ended contact has it still."""
        of: dict[str, Any] = {"s": self._scope.sync_id, "side": codec.SIDE_NO[merge.side], "ref": merge.survivor}
        owner = connection.execute(_OWNER, of).scalar()
        keys = contact_keys(connection, self._scope, [winner, *([] if owner is None else [owner])])
        old = best(mine).get(merge.side)
        before = old.ref if old is not None else None
        connection.execute(_TAKE, {**of, "contact": winner, "before": before})
        connection.execute(_LET_GO, {**of, "contact": winner})
        if owner is not None:
            reason = "the vendor merged another contact's record into this one, which an ended contact had left behind"
            left = Entry("rebind", owner, side=merge.side, ref=merge.survivor, old=merge.survivor, rule="merge", reason=reason)
            log.add(left, keys.get(owner))
        reason = "the vendor merged this contact's record into another"
        taken = Entry("rebind", winner, None, merge.side, merge.survivor, before, merge.survivor, "merge", reason=reason)
        log.add(taken, keys.get(winner))

    def _end_losers(self, connection: Connection, log: Appender, merge: Merge, winner: int, now_us: int, run_id: int | None) -> None:
        losers = [loser for loser in merge.losers if loser != winner]
        keys = contact_keys(connection, self._scope, losers) if losers else {}
        holds = open_holds(connection, self._scope, losers)
        for loser in losers:
            for statement in _MERGED:
                values = {"s": self._scope.sync_id, "loser": loser, "winner": winner}
                connection.execute(statement, _only(statement, values))
            reason = "the vendor merged this contact's record into the winner's"
            entry = Entry("merge", loser, None, merge.side, merge.survivor, None, {"into": winner}, "merge", reason=reason)
            log.add(entry, keys.get(loser))
            # Nobody decides about it any more. Whatever still has to wait, waits with the winner.
            settle_holds(connection, self._scope, log, loser, holds.get(loser, ()), (), now_us, run_id, keys.get(loser))


def _only(statement: sa.TextClause, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in statement.compile().params}


@dataclass(frozen=True, slots=True)
class _Known:
    """Records of one side by ref; contacts, and what each of them has across, by id; and for whom somebody is on the way there.

    `unheard`: by key, for whom somebody was being made on this side, and may be there.
    """

    rows: Mapping[str, Any]
    contacts: Mapping[int, Any]
    far: Mapping[int, Any]
    coming: Collection[int]
    unheard: Mapping[str | None, int]

    def going_on(self, contact: int | None) -> int | None:
        """The contact, unless it has ended in another or was erased."""
        row = self.contacts.get(contact) if contact is not None else None
        return None if row is None or row.state in ("merged", "erased") else contact

    def heir(self, contact: int | None) -> int | None:
        """The contact that this one has ended in."""
        return self.going_on(self.contacts[contact].merged_into) if contact is not None else None

    def has_somebody(self, contact: int) -> bool:
        across = self.far.get(contact)
        return across is not None and across.liveness == codec.LIVE

    def goes_without(self, contact: int) -> bool:
        """Whether it has nobody across: alive, if only in another record by now, or on the way."""
        across = self.far.get(contact)
        return contact not in self.coming and (across is None or across.liveness not in (codec.LIVE, codec.LIVENESS_NO["merged"]))

    def is_open(self, absorbed: Any, own: int | None) -> bool:
        """Whether this absorbed record still has to be dealt with."""
        if absorbed.liveness != codec.LIVENESS_NO["merged"] or absorbed.dirty == 1:
            return True
        return absorbed.contact_id != own and self.going_on(absorbed.contact_id) is not None


def _merge(side: Side, survivor: str, losers: Sequence[str], known: _Known) -> Merge | None:
    """The merge of one survivor, without what was applied before; None when nothing is left."""
    there = known.rows.get(survivor)
    if there is None:
        return None
    own = known.going_on(there.contact_id if there.contact_id is not None else known.unheard.get(there.key_1))
    left = [known.rows[ref] for ref in losers if ref in known.rows and known.is_open(known.rows[ref], own)]
    if not left:
        return None
    contacts = {contact for row in left if (contact := known.going_on(row.contact_id)) is not None}
    living = {contact for contact in contacts if known.has_somebody(contact)}
    if living and own is not None and known.goes_without(own):
        # It has nobody across, and theirs would be left alone. It ends as one of them, so that what it said of consent counts.
        contacts, own = {*contacts, own}, None
    elif contacts and not living and own is None:
        own = known.heir(there.contact_id)  # nobody needs a record that the other side's merge has left to another contact
    far_keys = {contact: known.far[contact].key_1 if contact in known.far else None for contact in (living or contacts)}
    winner = choose_winner(own, there.key_1, far_keys)
    return Merge(side, survivor, tuple(row.ref for row in left), winner, tuple(sorted(contacts - {winner})))


def _swallowed(row: Any) -> list[str]:
    return codec.loads(row.absorbed, f"record {row.ref}, absorbed") if row.absorbed else []
