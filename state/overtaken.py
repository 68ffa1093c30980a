"""Which contacts of a plan that waited for a yes are no longer what was decided about: later runs have touched them. `state` alone.

Theory of operation. A stopped run keeps its plan. The runs after it stop too, but not before they have staged, merged and matched. Whom
they touched was decided on less than we know by now: that is left out when the plan is committed, its records are still dirty, and the
next round decides anew. A plan that is committed by the run that made it cannot be overtaken: there nobody looks, and it costs nothing.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from state import codec
from state.contacts import best
from state.database import among
from state.last_words import UNHEARD, strays
from state.plans import StoredPlan
from state.scope import Scope
from state.statements import Connection
from state.tables import RECORD
from syncline.records import Side, other

_IS_NEWEST = sa.text("SELECT next_run_id = :run + 1 FROM sync WHERE id = :s")
# Merges, links and holds: of contacts, and in whom they have ended. None of these runs has committed a plan, so they are few.
_TOLD = sa.text(
    "SELECT c.id, c.merged_into FROM change_log AS l JOIN contact AS c ON c.sync_id = l.sync_id AND c.id = l.contact_id"
    " WHERE l.sync_id = :s AND l.run_id > :run"
)
_Row = namedtuple("_Row", ("side", "ref", "contact_id", "liveness", "dirty", "staged", "pair_ref"))
_rows = sa.select(*(RECORD.c[name] for name in _Row._fields)).where(RECORD.c.sync_id == sa.bindparam("s"))
_LINKED = _rows.where(among(RECORD.c.contact_id, "ids"))
_FRESH = _rows.where(RECORD.c.side == sa.bindparam("at"), among(RECORD.c.ref, "refs"))


def overtaken(connection: Connection, scope: Scope, run_id: int, staged: int, plans: Sequence[StoredPlan]) -> frozenset[int]:
    """Of these plans of one run the contacts, new ones too, that were decided on what is no longer so. `staged`: the last staging then."""
    since = {"s": scope.sync_id, "run": run_id}
    if connection.execute(_IS_NEWEST, since).scalar_one():
        return frozenset()
    told = {contact for row in connection.execute(_TOLD, since) for contact in row}
    rows = _records(connection, scope, plans)
    stand = {plan.contact_id for plan in plans if _stands(plan, rows.get(plan.contact_id, ()), staged)} - told
    return frozenset(plan.contact_id for plan in plans if plan.contact_id not in stand)


def _records(connection: Connection, scope: Scope, plans: Sequence[StoredPlan]) -> dict[int, list[Any]]:
    """By planned contact: the records that are linked to it, or that shall be, and what was merged into those."""
    found: dict[int, list[Any]] = {}
    ids = codec.dumps([plan.contact_id for plan in plans if not plan.new])
    for row in connection.execute(_LINKED, {"s": scope.sync_id, "ids": ids}):
        found.setdefault(row.contact_id, []).append(row)
    owners = {(codec.SIDE_NO[side], ref): plan.contact_id for plan in plans if plan.new for side, ref in plan.refs.items()}
    for at in codec.SIDE_NO.values():
        refs = codec.dumps([ref for side, ref in owners if side == at])
        for row in connection.execute(_FRESH, {"s": scope.sync_id, "at": at, "refs": refs}):
            found.setdefault(owners[at, row.ref], []).append(row)
    for contact, lost in strays(connection, scope, owners).items():
        found.setdefault(contact, []).extend(lost)
    return found


def _stands(plan: StoredPlan, rows: Sequence[Any], staged: int) -> bool:
    """Whether its records are still those that it was decided on, as they were shown then, and nobody of them waits."""
    if any(row.staged > staged or (row.dirty == UNHEARD and row.liveness == codec.LIVE) for row in rows):
        return False
    mine = best(rows)
    return {side: row.ref for side, row in mine.items()} == plan.refs and (not plan.new or _is_free(mine, plan.refs))


def _is_free(mine: Mapping[Side, Any], refs: Mapping[Side, str]) -> bool:
    """Whether these live, belong to nobody, and are paired as planned."""
    free = all(row.liveness == codec.LIVE and row.contact_id is None for row in mine.values())
    return free and all(row.pair_ref == refs.get(other(side)) for side, row in mine.items())
