"""What records said last before they were merged away: an opt-out among it counts for the survivor, and must not be lost. `state` alone.

Theory of operation. Such a record, and every record of a contact that was merged away, waits (`dirty` 2) until a plan has heard it of a
contact with records on both sides: that plan tells both, or agrees on it until both live. A survivor that nobody is linked to yet adopts
what waits for it when it gets its contact; one that is alone is born across with those words, and is then decided again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from state import codec
from state.database import among
from state.queries import records
from state.scope import Scope
from state.statements import Connection
from state.tables import CONTACT, RECORD
from syncline.records import Side

UNHEARD = 2

_waiting = RECORD.c.dirty == sa.literal_column(str(UNHEARD))  # in the statement's own words: the index is of those alone
_here = RECORD.c.sync_id == sa.bindparam("s")
_STRAY = (_here, RECORD.c.side == sa.bindparam("at"), among(RECORD.c.merged_into, "refs"), _waiting, RECORD.c.contact_id.is_(None))
_STRAYS = sa.select(RECORD).where(*_STRAY)
_MERGED = RECORD.c.liveness == codec.LIVENESS_NO["merged"]
_ANYBODY = sa.select(RECORD.c.ref).where(_here, _waiting, sa.or_(_MERGED, RECORD.c.contact_id.is_not(None))).limit(1)

_survivor = RECORD.alias()
_owner = sa.select(_survivor.c.contact_id).where(
    _survivor.c.sync_id == RECORD.c.sync_id, _survivor.c.side == RECORD.c.side, _survivor.c.ref == RECORD.c.merged_into
)
_ADOPT = sa.update(RECORD).where(*_STRAY).values(contact_id=_owner.scalar_subquery())

_ended = sa.select(CONTACT.c.id).where(CONTACT.c.sync_id == sa.bindparam("s"), among(CONTACT.c.merged_into, "ids"))
_HEARD = tuple(
    sa.update(RECORD)
    .where(_here, whose, RECORD.c.dirty != 0, RECORD.c.staged <= sa.bindparam("before"))
    .values(dirty=sa.bindparam("wait", type_=sa.SmallInteger))
    for whose in (
        sa.and_(among(RECORD.c.contact_id, "ids"), _MERGED),
        RECORD.c.contact_id.in_(_ended),
    )
)
_said = RECORD.alias()
_waited_for = (
    sa.select(sa.func.coalesce(CONTACT.c.merged_into, CONTACT.c.id))
    .where(_said.c.sync_id == sa.bindparam("s"), _said.c.dirty == sa.literal_column(str(UNHEARD)))
    # Either side: else SQLite looks among all who are linked, not among those who wait.
    .where(sa.or_(*(_said.c.side == sa.literal_column(str(at)) for at in codec.SIDE_NO.values())))
    .where(CONTACT.c.sync_id == _said.c.sync_id, CONTACT.c.id == _said.c.contact_id)
)
_TELL = (
    sa.update(RECORD)
    .where(_here, among(RECORD.c.contact_id, "ids"), RECORD.c.liveness == codec.LIVE, RECORD.c.contact_id.in_(_waited_for))
    .values(dirty=1)
)


def strays(connection: Connection, scope: Scope, refs: Mapping[tuple[int, str], int]) -> dict[int, list[Any]]:
    """By contact: what was merged into its records (`refs`: side's number and ref → contact) before they had one."""
    found: dict[int, list[Any]] = {}
    for at in codec.SIDE_NO.values() if _anybody_waits(connection, scope) else ():
        values = {"s": scope.sync_id, "at": at, "refs": codec.dumps([ref for side, ref in refs if side == at])}
        for row in records(connection, _STRAYS, values):
            found.setdefault(refs[at, row.merged_into], []).append(row)
    return found


def hear(connection: Connection, scope: Scope, plans: Sequence[tuple[int, bool, Mapping[Side, str]]], staged: int) -> None:
    """These plans (contact, new, refs) are committed, on what was staged by then."""
    adopted = 0
    for side, at in codec.SIDE_NO.items() if _anybody_waits(connection, scope) else ():
        refs = codec.dumps([refs[side] for _, _, refs in plans if side in refs])
        adopted += connection.execute(_ADOPT, {"s": scope.sync_id, "at": at, "refs": refs}).rowcount
    for wait in (0, UNHEARD):
        ids = [contact for contact, new, refs in plans if (len(refs) == 2) is (wait == 0) and (adopted or not new)]
        for statement in _HEARD if ids else ():
            connection.execute(statement, {"s": scope.sync_id, "ids": codec.dumps(ids), "before": staged, "wait": wait})


def _anybody_waits(connection: Connection, scope: Scope) -> bool:
    """Nearly always nobody does, and a page has thousands of records to ask about. Who is ambiguous waits for something else."""
    return connection.execute(_ANYBODY, {"s": scope.sync_id}).first() is not None


def tell(connection: Connection, scope: Scope, born: Sequence[int]) -> None:
    """These contacts have somebody across by now: what waits for that is heard next."""
    if born and _anybody_waits(connection, scope):
        connection.execute(_TELL, {"s": scope.sync_id, "ids": codec.dumps(born)})
