"""What waits for a person, and why. Other parts of `state` open and close holds inside their own transaction through `settle_holds`.

A hold belongs to a contact, or to an unlinked record while there is no contact. The set of a contact's open holds is replaced as a whole;
what was open and stays open keeps its age. Each opening is logged as `hold`, each closing as `release`. What a write has to end stays open
until that write is settled: a refusal that comes again is no news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from state import codec
from state.database import among
from state.log import Appender
from state.scope import Scope
from state.statements import Connection
from state.tables import HOLD, RECORD
from syncline.log import Entry
from syncline.plan import Hold
from syncline.records import SIDES, Side

Owner = int | tuple[Side, str]
"""A contact id, or the (side, ref) of an unlinked record."""

AMBIGUOUS = "Ambiguous"
_ALL = sa.select(HOLD).where(HOLD.c.sync_id == sa.bindparam("s")).order_by(HOLD.c.id)
_OF_CONTACTS = _ALL.where(HOLD.c.open == 1, among(HOLD.c.contact_id, "ids"))
_OF_RECORDS = _ALL.where(HOLD.c.open == 1, HOLD.c.contact_id.is_(None), among(HOLD.c.ref, "refs"))
AMBIGUOUS_HOLDS = _ALL.where(HOLD.c.open == 1, HOLD.c.contact_id.is_(None), HOLD.c.code == AMBIGUOUS)
_owner = sa.exists().where(
    RECORD.c.sync_id == HOLD.c.sync_id, RECORD.c.side == HOLD.c.side, RECORD.c.ref == HOLD.c.ref,
    RECORD.c.liveness == codec.LIVE, RECORD.c.contact_id.is_(None),
)  # fmt: skip
ENDED_HOLDS = _ALL.where(HOLD.c.open == sa.literal_column("1"), HOLD.c.contact_id.is_(None), HOLD.c.code != AMBIGUOUS, sa.not_(_owner))
"""Of records that are unlinked no more, or live no more: nobody decides about those. One that is ambiguous may have a contact."""

_COUNT = sa.text("SELECT COUNT(*) FROM hold WHERE sync_id = :s AND open = 1")
_OPEN = sa.text(
    "INSERT INTO hold (sync_id, contact_id, side, ref, field, code, reason, open, opened_us, opened_run)"
    " VALUES (:s, :contact_id, :side, :ref, :field, :code, :reason, 1, :now, :run) RETURNING id"
)
_KEEP = sa.text("UPDATE hold SET contact_id = :contact_id, reason = :reason WHERE id = :id")
_CLOSE = sa.text("UPDATE hold SET open = 0, closed_us = :now WHERE id = :id")


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One stored hold. `contact_id` None: it belongs to the unlinked record (`side`, `ref`)."""

    id: int
    contact_id: int | None
    side: Side | None
    ref: str | None
    field: str
    code: str
    reason: str
    open: bool
    opened_us: int
    opened_run: int | None
    closed_us: int | None

    @property
    def owner(self) -> Owner:
        return self.contact_id if self.contact_id is not None else (self.side or SIDES[0], self.ref or "")


class Holds:
    """One sync's holds, for people."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def holds(self, contact_id: int | None = None, code: str | None = None, open_only: bool = True, limit: int = 1000) -> list[HoldRow]:
        """Holds that meet every given condition, oldest first."""
        where = [HOLD.c.open == 1] if open_only else []
        where += [] if contact_id is None else [HOLD.c.contact_id == contact_id]
        where += [] if code is None else [HOLD.c.code == code]
        with self._scope.read() as connection:
            return select_holds(connection, self._scope, _ALL.where(*where).limit(limit))

    def open_count(self) -> int:
        """How many holds are open."""
        with self._scope.read() as connection:
            return int(connection.execute(_COUNT, {"s": self._scope.sync_id}).scalar_one())


def select_holds(connection: Connection, scope: Scope, query: sa.Select[Any], **values: Any) -> list[HoldRow]:
    """Holds of this sync, by a select on `HOLD` with the parameter `s`."""
    return [
        HoldRow(
            row.id, row.contact_id, None if row.side is None else SIDES[row.side], row.ref, row.field, row.code, row.reason, bool(row.open),
            row.opened_us, row.opened_run, row.closed_us,
        )
        for row in connection.execute(query, {"s": scope.sync_id, **values})
    ]  # fmt: skip


def open_holds(connection: Connection, scope: Scope, contacts: Sequence[int], refs: Sequence[str] = ()) -> dict[Owner, list[HoldRow]]:
    """The open holds of these contacts, and of unlinked records with these refs, by owner."""
    found: dict[Owner, list[HoldRow]] = {}
    for row in select_holds(connection, scope, _OF_CONTACTS, ids=codec.dumps(contacts)) if contacts else ():
        found.setdefault(row.owner, []).append(row)
    for row in select_holds(connection, scope, _OF_RECORDS, refs=codec.dumps(refs)) if refs else ():
        found.setdefault(row.owner, []).append(row)
    return found


def settle_holds(
    connection: Connection,
    scope: Scope,
    log: Appender,
    owner: Owner,
    current: Sequence[HoldRow],
    wanted: Sequence[Hold],
    now_us: int,
    run_id: int | None,
    key: bytes | None = None,
) -> None:
    """Make `wanted` the open holds of `owner`; `current` are those open now (of its records too, from before it was a contact)."""
    left = list(current)
    contact_id = owner if isinstance(owner, int) else None
    for hold in wanted:
        kept = next((row for row in left if (row.field, row.code) == (hold.field, hold.code)), None)
        if kept is not None:
            left.remove(kept)
            keep_hold(connection, kept, contact_id, hold.reason)
            continue
        open_hold(connection, scope, log, owner, hold, now_us, run_id, key)
    for row in left:
        close_hold(connection, log, owner, row, now_us, key)


def keep_hold(connection: Connection, row: HoldRow, contact_id: int | None, reason: str) -> None:
    """It goes on, perhaps for a newer reason, or as the contact's that its record has got."""
    if (row.contact_id, row.reason) != (contact_id, reason):
        connection.execute(_KEEP, {"id": row.id, "contact_id": contact_id, "reason": reason})


def close_hold(connection: Connection, log: Appender, owner: Owner, row: HoldRow, now_us: int, key: bytes | None) -> None:
    """Close one hold and log it."""
    connection.execute(_CLOSE, {"id": row.id, "now": now_us})
    log.add(_entry("release", owner, row.id, Hold(row.code, row.reason, row.field, row.side)), key)


def open_hold(
    connection: Connection, scope: Scope, log: Appender, owner: Owner, hold: Hold, now_us: int, run_id: int | None, key: bytes | None
) -> None:
    """Open one hold and log it."""
    contact_id, ref = (owner, None) if isinstance(owner, int) else (None, owner[1])
    side = hold.side if isinstance(owner, int) else owner[0]
    values: dict[str, Any] = {
        "s": scope.sync_id, "contact_id": contact_id, "side": None if side is None else codec.SIDE_NO[side], "ref": ref,
        "field": hold.field,
        "code": hold.code, "reason": hold.reason, "now": now_us, "run": run_id,
    }  # fmt: skip
    hold_id = connection.execute(_OPEN, values).scalar_one()
    log.add(_entry("hold", owner, hold_id, hold), key)


def _entry(kind: Any, owner: Owner, hold_id: int, hold: Hold) -> Entry:
    """Of an unlinked record the log says nothing personal: it has no key of its own that could be destroyed. The hold's row names it."""
    if isinstance(owner, int):
        return Entry(kind=kind, contact_id=owner, field=hold.field or None, side=hold.side, rule=hold.code, reason=hold.reason)
    return Entry(kind=kind, field=hold.field or None, side=owner[0], new={"hold": hold_id}, rule=hold.code)


def by_owner(holds: Mapping[Owner, Sequence[HoldRow]], owners: Sequence[Owner]) -> list[HoldRow]:
    """The open holds of any of these owners."""
    return [row for owner in owners for row in holds.get(owner, ())]
