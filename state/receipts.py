"""What the log says of a batch of settled writes: one receipt, its results copied into the entries, what was undone, and the holds.

Only `settling` uses it, inside its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from state import codec
from state.database import among
from state.echoes import APPLIED, Settled
from state.holds import HoldRow, Owner, close_hold, keep_hold, open_hold, open_holds
from state.log import Appender, contact_keys, sealed
from state.outbox import OutboxRow
from state.scope import Scope
from state.statements import Connection
from state.tables import CHANGE_LOG
from syncline.log import Entry
from syncline.records import Side

SURPASSED = ("pending", APPLIED)
"""Results that a later receipt of the same entry may replace: one written on both sides is applied only if both sides took it."""

Ref = tuple[int, Side, str]
"""(contact, side, ref)."""

_RESULT = (
    sa.update(CHANGE_LOG)
    .where(CHANGE_LOG.c.sync_id == sa.bindparam("s"), among(CHANGE_LOG.c.seq, "seqs"))
    .where(sa.or_(*(CHANGE_LOG.c.result == result for result in SURPASSED)))
    .values(result=sa.bindparam("outcome"))
)
_FIELDS = sa.select(CHANGE_LOG.c.seq, CHANGE_LOG.c.field).where(
    CHANGE_LOG.c.sync_id == sa.bindparam("s"), among(CHANGE_LOG.c.seq, "seqs"), CHANGE_LOG.c.field.is_not(None)
)
_UNDONE = sa.text("UPDATE contact SET state = :after WHERE sync_id = :s AND id = :contact AND state = :before")
UNDO: Mapping[str, tuple[str, str, Entry]] = {
    # what was not carried out: (state it was planned to give, state it leaves, what the log says)
    "archive": ("deleted", "active", Entry("revive", rule="undone", reason="the archive was not carried out: it is decided again")),
    "restore": ("active", "deleted", Entry("archive", rule="undone", reason="it was not brought back: it is decided again")),
}


def write_receipt(
    connection: Connection, scope: Scope, log: Appender, settled: Sequence[Settled], refs: Sequence[Ref], lost: Sequence[Ref]
) -> None:
    """One receipt for the batch, its results copied into the entries. `refs`: what is new; `lost`: to whom some of that had belonged."""
    outcomes: dict[str, list[int]] = {}
    for seq, result in (results := _results(connection, scope, settled)):
        outcomes.setdefault(result, []).append(seq)
    for outcome, seqs in outcomes.items():
        connection.execute(_RESULT, {"s": scope.sync_id, "seqs": codec.dumps(seqs), "outcome": outcome})
    keys = _secrets(connection, scope, settled, [contact_id for contact_id, _, _ in (*refs, *lost)])
    for contact_id, side, ref in lost:
        reason = "the vendor brought this archived record back when its person was created anew"
        log.add(Entry("rebind", contact_id, side=side, ref=ref, old=ref, rule="create", reason=reason), keys.get(contact_id))
    new = {"results": results, "refs": refs}
    log.add(Entry(kind="receipt", new=new), committed=sealed(new, keys))


def _results(connection: Connection, scope: Scope, settled: Sequence[Settled]) -> list[tuple[int, str]]:
    """(entry, result) of the batch. The entries of fields that wait, or were left out, are looked up only when there are any."""
    odd = [seq for one in settled if one.left_out or one.holds for seq in one.row.seqs]
    field_of = _field_of(connection, scope, odd)
    own = {one.row.id: _own_results(one) for one in settled if one.left_out or one.holds}
    return [(seq, own.get(one.row.id, {}).get(field_of.get(seq), one.result)) for one in settled for seq in one.row.seqs]


def _field_of(connection: Connection, scope: Scope, seqs: Sequence[int]) -> dict[int, str]:
    """The fields of these entries, by number; not of those that are about none."""
    values = {"s": scope.sync_id, "seqs": codec.dumps(seqs)}
    return {row.seq: row.field for row in connection.execute(_FIELDS, values)} if seqs else {}


def _own_results(settled: Settled) -> dict[str | None, str]:
    """The results of fields that have not that of the write."""
    return dict.fromkeys(settled.left_out, "moved") | {hold.field: f"held:{hold.code}" for hold in settled.holds}


def undo(connection: Connection, scope: Scope, log: Appender, rows: Sequence[OutboxRow]) -> None:
    """An archive that was not carried out leaves its contact alive: else nobody tries again, and what people deleted may come back."""
    keys = contact_keys(connection, scope, [row.contact_id for row in rows]) if rows else {}
    for row in rows:
        before, after, entry = UNDO[row.kind]
        values = {"s": scope.sync_id, "contact": row.contact_id, "before": before, "after": after}
        if connection.execute(_UNDONE, values).rowcount:
            log.add(replace(entry, contact_id=row.contact_id, side=row.side, ref=row.ref), keys.get(row.contact_id))


def hold(connection: Connection, scope: Scope, log: Appender, settled: Sequence[Settled], now_us: int, run_id: int) -> None:
    """Close the holds that these writes have ended, and open those of the batch that are not open yet."""
    there = open_holds(connection, scope, [one.row.contact_id for one in settled])
    held = [(one.row.contact_id, hold) for one in settled for hold in one.holds]
    if not there and not held:
        return
    known = {(row.contact_id, row.side, row.field, row.code): row for rows in there.values() for row in rows}
    ended = _ended(connection, scope, settled, there)
    keys = _secrets(connection, scope, settled, [*there, *(owner for owner, _ in held)])
    for row in ended:
        close_hold(connection, log, row.owner, row, now_us, keys.get(row.owner))
    for (owner, *which), wanted in {(owner, hold.side, hold.field, hold.code): hold for owner, hold in held}.items():
        if (row := known.get((owner, *which))) is not None:
            keep_hold(connection, row, owner, wanted.reason)
        else:
            open_hold(connection, scope, log, owner, wanted, now_us, run_id, keys.get(owner))


def _ended(connection: Connection, scope: Scope, settled: Sequence[Settled], there: Mapping[Owner, Sequence[HoldRow]]) -> list[HoldRow]:
    """What had waited for a write that was made, or was refused for another reason. Not what another write of the same run has opened."""
    tried = [one for one in settled if one.row.contact_id in there and (one.result == APPLIED or one.holds)]
    field_of = _field_of(connection, scope, [seq for one in tried for seq in one.row.seqs])
    ended: dict[int, HoldRow] = {}
    for one in tried:
        again = {(hold.field, hold.code) for hold in one.holds}
        fields = {field_of.get(seq) for seq in one.row.seqs}.difference(one.left_out) | ({""} if one.row.kind != "archive" else set())
        for row in there[one.row.contact_id]:
            older = row.opened_run is None or row.opened_run < one.row.run_id
            if older and row.side == one.row.side and row.field in fields and (row.field, row.code) not in again:
                ended[row.id] = row
    return list(ended.values())


def _secrets(connection: Connection, scope: Scope, settled: Sequence[Settled], owners: Sequence[int]) -> dict[int, bytes | None]:
    """Contacts' secrets; those of new ones have come with their births."""
    keys: dict[int, bytes | None] = {one.row.contact_id: one.row.born for one in settled if one.row.born is not None}
    others = [owner for owner in owners if owner not in keys]
    return keys | contact_keys(connection, scope, others) if others else keys
