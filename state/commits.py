"""An approved plan is turned live, chunk by chunk: contacts, links, shadows, log entries, holds and outbox rows in ONE transaction.

A chunk is deleted by the transaction that commits it, so a crash leaves it either wholly planned or wholly done. Records that were staged
again after the plan was made (it may have waited for approval) stay dirty: an edit is never cleared by a decision that did not see it.
Contacts that later runs have touched meanwhile are left out whole (`state.overtaken`).
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from state import codec
from state.database import Values, insert
from state.holds import AMBIGUOUS, HoldRow, Owner, by_owner, open_holds, settle_holds
from state.last_words import hear
from state.log import Appender, appending
from state.overtaken import overtaken
from state.plans import BIRTHS, Chunk, StoredPlan, StoredWrite
from state.queries import CONTACTS
from state.scope import Scope
from state.statements import Connection
from state.tables import CONTACT, OUTBOX
from syncline.errors import UsageError
from syncline.log import Entry
from syncline.plan import Hold
from syncline.records import Side

_TAKE = sa.text("DELETE FROM plan_chunk WHERE sync_id = :s AND run_id = :run AND number = :number RETURNING staged")
_NUMBER = sa.text("UPDATE sync SET next_contact_id = :next WHERE id = :s AND next_contact_id < :next")
# Rows are tuples: their values in the order in which the statement names them.
_INSERT = insert(CONTACT, ("state", "view", "agreed_us", "provenance", "sync_id", "id", "log_key"))
_UPDATE = sa.text(
    "UPDATE contact SET state = :state, view = :view, agreed_us = :agreed_us, provenance = :provenance"
    " WHERE sync_id = :sync_id AND id = :id"
)
_SETTLED = "dirty = CASE WHEN staged > :staged THEN 1 ELSE 0 END, retry_at_us = NULL, pair_ref = NULL"
_WHERE = " WHERE sync_id = :sync_id AND side = :side AND ref = :ref"
_LINK = sa.text(f"UPDATE record SET contact_id = :contact_id, shadow = :shadow, {_SETTLED}{_WHERE}")
_RELINK = sa.text(f"UPDATE record SET contact_id = :contact_id, {_SETTLED}{_WHERE}")
_CLEAR = sa.text(f"UPDATE record SET {_SETTLED}{_WHERE}")
_OUTBOX = insert(OUTBOX, ("sync_id", "run_id", "phase", "side", "contact_id", "kind", "ref", "key", "body"))

_OVERTAKEN = "what these contacts were decided on has changed since; they are decided anew"


class Commits:
    """Commits chunks of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def commit_chunk(
        self,
        run_id: int,
        number: int,
        chunk: Chunk,
        mapping_version: str,
        now_us: int,
        new_key: Callable[[int], Sequence[bytes]],
    ) -> int:
        """Turn one stored chunk live. Returns the contacts committed: those that later runs have touched are left for the next decision.

        `new_key(n)` gives n fresh secrets of 32 bytes. Raises UsageError if it was committed before.
        """
        scope = self._scope
        with scope.write() as connection, appending(connection, scope, run_id, now_us, mapping_version) as log:
            staged = connection.execute(_TAKE, {"s": scope.sync_id, "run": run_id, "number": number}).scalar()
            if staged is None:
                raise UsageError(f"chunk {number} of run {run_id} is not planned (or was committed already)")
            late = overtaken(connection, scope, run_id, staged, chunk.stored)
            plans = [plan for plan in chunk.stored if plan.contact_id not in late] if late else chunk.stored
            if late:
                log.add(Entry("approval", new={"run": run_id, "left_out": len(late)}, rule="overtaken", reason=_OVERTAKEN))
            batch = _Batch(scope, connection, log, run_id, now_us, staged)
            batch.add(plans, new_key)
            batch.save()
            hear(connection, scope, [(plan.contact_id, plan.new, plan.refs) for plan in plans], staged)
        return len(plans)


def _at(plan: StoredPlan, hold: Hold) -> Side:
    """Whose record waits. What the other side lacks holds the record that is there."""
    return hold.side if hold.side is not None and hold.side in plan.refs else next(iter(plan.refs))


def _current(plan: StoredPlan, holds: dict[Owner, list[HoldRow]]) -> list[HoldRow]:
    """The open holds of this contact, or of its records while it is new. That a record may be several people, matching says."""
    owners: list[Owner] = [plan.contact_id, *(plan.refs.items() if plan.new else ())]
    return [row for row in by_owner(holds, owners) if row.code != AMBIGUOUS or row.contact_id is not None]


def _tried_again(plan: StoredPlan, row: HoldRow, run_id: int) -> bool:
    """Whether a write of this plan may end this hold: whoever settles the write says so. Of two, nobody could say which had to.

    Nor is it known of one that was opened since the plan of this run was made, or before there was a contact.
    """
    if row.contact_id is None or (row.opened_run is not None and row.opened_run >= run_id):
        return False
    writes = [write for write in plan.writes if write.side == row.side and write.kind != "archive"]
    if not row.field:
        return len(writes) == 1
    return any(row.field in [plan.entries[index].field for index in write.entries] for write in writes)


class _Batch:
    """Collects the rows of one chunk."""

    def __init__(self, scope: Scope, connection: Connection, log: Appender, run_id: int, now_us: int, staged: int) -> None:
        self._scope, self._connection, self._log = scope, connection, log
        self._run_id, self._now_us, self._staged = run_id, now_us, staged
        self._rows: dict[Any, list[Values]] = {statement: [] for statement in (_INSERT, _UPDATE, _LINK, _RELINK, _CLEAR, _OUTBOX)}
        self._keys, self._at = set[str](), f"{now_us:x}"

    def add(self, plans: Sequence[StoredPlan], new_key: Callable[[int], Sequence[bytes]]) -> None:
        made = [plan for plan in plans if plan.new and (plan.entries or plan.writes)]
        keys = dict(zip((plan.contact_id for plan in made), new_key(len(made)), strict=True)) if made else {}
        ids = codec.dumps([plan.contact_id for plan in plans if not plan.new])
        known = {row.id: row for row in self._connection.execute(CONTACTS, {"s": self._scope.sync_id, "ids": ids})}
        refs = [ref for plan in plans if plan.new for ref in plan.refs.values()]
        holds = open_holds(self._connection, self._scope, [plan.contact_id for plan in plans if not plan.new], refs)
        for plan in plans:
            current = _current(plan, holds) if holds else []
            self._contact(plan, known.get(plan.contact_id), keys.get(plan.contact_id), current)
        if made:
            following = max(plan.contact_id for plan in made) + 1
            self._connection.execute(_NUMBER, {"s": self._scope.sync_id, "next": following})

    def _contact(self, plan: StoredPlan, old: Any | None, key: bytes | None, current: list[Any]) -> None:
        if plan.new and key is None:
            self._records(plan, _CLEAR)
            for owner in plan.refs.items():
                mine = [row for row in current if row.owner == owner]
                self._hold(owner, mine, [hold for hold in plan.holds if owner[0] == _at(plan, hold)], None)
            return
        key = key or (old.log_key if old is not None else None)
        first = self._log.next
        carried = {index for write in plan.writes for index in write.entries}
        view = codec.dumps(plan.view)
        for index, entry in enumerate(plan.entries):
            new = codec.dumps(entry.new)
            if new == "null" and entry.kind in BIRTHS:
                new = f'{{"refs":{codec.dumps(plan.refs)},"view":{view}}}'
            self._log.append(entry, codec.dumps(entry.old), new, key, "pending" if index in carried else "agreed")
        if plan.new or plan.entries or plan.agreed_us:
            self._rows[_INSERT if plan.new else _UPDATE].append(self._contact_row(plan, view, old, key, first))
        self._records(plan, _LINK)
        for write in plan.writes:
            self._rows[_OUTBOX].append(self._outbox_row(plan, write, first, key))
        if plan.holds or current:
            wanted = {(hold.field, hold.code) for hold in plan.holds}
            decided = [row for row in current if (row.field, row.code) in wanted or not _tried_again(plan, row, self._run_id)]
            self._hold(plan.contact_id, decided, plan.holds, key)

    def _hold(self, owner: Owner, current: list[Any], wanted: Sequence[Any], key: bytes | None) -> None:
        settle_holds(self._connection, self._scope, self._log, owner, current, wanted, self._now_us, self._run_id, key)

    def _records(self, plan: StoredPlan, statement: Any) -> None:
        for side, ref in plan.refs.items():
            where = (self._staged, self._scope.sync_id, codec.SIDE_NO[side], ref)
            if statement is _CLEAR:
                self._rows[_CLEAR].append(where)
            elif side in plan.shadows:
                self._rows[_LINK].append((plan.contact_id, codec.dumps(plan.shadows[side]), *where))
            else:
                self._rows[_RELINK].append((plan.contact_id, *where))

    def _contact_row(self, plan: StoredPlan, view: str, old: Any | None, key: bytes | None, first: int) -> Values:
        where, agreed = f"contact {plan.contact_id}", plan.agreed_us
        origins: dict[str, Any] = {}
        if old is not None:
            agreed = {**codec.times(old.agreed_us, codec.view(old.view, where), where), **agreed}
            origins = codec.native(old.provenance, where)
        for seq, entry in enumerate(plan.entries, first):
            if entry.kind in BIRTHS or (entry.kind == "change" and entry.field is not None):
                origins[entry.field or "*"] = [entry.side, entry.rule, self._run_id, seq]
        times = codec.times_text(agreed, view, where)
        row = (plan.state, view, times, codec.dumps(origins), self._scope.sync_id, plan.contact_id)
        return (*row, key) if old is None else row

    def _outbox_row(self, plan: StoredPlan, write: StoredWrite, first: int, secret: bytes | None) -> Values:
        # With the time: numbers of runs and contacts come again after a restored database, and a key stands for one intent for ever.
        key = base = f"{self._run_id}-{plan.contact_id}-{write.side}-{write.kind}-{self._at}"
        number = 1
        while key in self._keys:  # several losers of one merge, archived on one side
            number += 1
            key = f"{base}-{number}"
        self._keys.add(key)
        body = (  # in the order of the outbox's `_Body`
            write.fields, write.consent, write.expect, write.version, write.anchor, write.confirms,
            [first + index for index in write.entries], write.shown, write.untold, self._staged, secret if plan.new else None,
        )  # fmt: skip
        return (
            self._scope.sync_id, self._run_id, 0 if write.kind == "consent" else 1, codec.SIDE_NO[write.side], plan.contact_id,
            write.kind, write.ref, key, codec.packed(body),
        )  # fmt: skip

    def save(self) -> None:
        for statement, rows in self._rows.items():
            self._scope.db.many(self._connection, statement, rows)
