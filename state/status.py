"""What a person wants to know of a sync at a glance: counts, cursors, the lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from state import codec
from state.holds import HoldRow, by_owner, open_holds
from state.scope import Scope
from syncline.cursor import Cursor
from syncline.records import SIDES, Liveness, Side

_RECORDS = sa.text("SELECT side, liveness, COUNT(*) AS n FROM record WHERE sync_id = :s GROUP BY side, liveness")
_CONTACTS = sa.text("SELECT state, COUNT(*) AS n FROM contact WHERE sync_id = :s GROUP BY state")
_HOLDS = sa.text("SELECT code, COUNT(*) AS n FROM hold WHERE sync_id = :s AND open = 1 GROUP BY code ORDER BY code")
_DIRTY = sa.text("SELECT COUNT(*) AS n, MIN(modified_us) AS oldest FROM record WHERE sync_id = :s AND dirty = 1")
_PAUSED = sa.text(  # by the index of what is dirty: nothing, in a quiet run
    "SELECT COUNT(DISTINCT contact_id) AS contacts, MIN(retry_at_us) AS first_us FROM record"
    " WHERE sync_id = :s AND dirty = 1 AND retry_at_us IS NOT NULL"
)
_DUE = sa.text("SELECT MIN(COALESCE(retry_at_us, 0)) FROM record WHERE sync_id = :s AND contact_id = :contact AND dirty = 1")
_WRITING = sa.text("SELECT DISTINCT side FROM outbox WHERE sync_id = :s AND contact_id = :contact ORDER BY side")
_INTO = sa.text("SELECT merged_into FROM contact WHERE sync_id = :s AND id = :contact")
_ALONE = sa.text(
    "SELECT side, ref, liveness, dirty FROM record WHERE sync_id = :s AND key_1 = :key AND contact_id IS NULL UNION"
    " SELECT side, ref, liveness, dirty FROM record WHERE sync_id = :s AND key_2 = :key AND contact_id IS NULL ORDER BY 1, 2"
)
_OUTBOX = sa.text(
    "SELECT COUNT(*) - COUNT(s.outbox_id) AS ready, COUNT(s.outbox_id) AS sending FROM outbox AS o"
    " LEFT JOIN sent AS s ON s.outbox_id = o.id WHERE o.sync_id = :s"
)
_CURSORS = sa.text("SELECT side, at_us, ref, token FROM cursor WHERE sync_id = :s")
_LEASE = sa.text("SELECT holder, expires_us FROM lease WHERE sync_id = :s AND holder IS NOT NULL")
_SYNC = sa.text("SELECT mapping_version, log_size FROM sync WHERE id = :s")


@dataclass(frozen=True, slots=True)
class Status:
    """`records[side][liveness]`, `contacts[state]`, `holds[code]` (open ones), `outbox[state]`: counts. `oldest_dirty_us`: system time of
    the oldest change that waits for a decision. `lease`: (holder, until when), expired ones too. `linked`: active, live on both sides."""

    records: Mapping[Side, Mapping[str, int]]
    contacts: Mapping[str, int]
    linked: int
    holds: Mapping[str, int]
    dirty: int
    oldest_dirty_us: int | None
    outbox: Mapping[str, int]
    cursors: Mapping[Side, Cursor]
    lease: tuple[str, int] | None
    mapping_version: str | None
    log_size: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Contacts whose failed write was not tried again yet. `first_us`: from when on the first of them is; None when there are none."""

    contacts: int = 0
    first_us: int | None = None


def paused(scope: Scope) -> Paused:
    """What waits out its pause after a failure. An edit meanwhile ends the pause, and a new decision the waiting."""
    with scope.read() as connection:
        return Paused(*connection.execute(_PAUSED, {"s": scope.sync_id}).one())


@dataclass(frozen=True, slots=True)
class Standing:
    """What the next run finds of a contact. `due_us`: decided from then on, 0 at once, None when nothing has moved since it was decided.

    `writing`: sides with a write under way, which the next run finishes before it decides. `merged_into`: the contact that it is by now.
    """

    due_us: int | None
    writing: tuple[Side, ...]
    merged_into: int | None = None


def standing(scope: Scope, contact_id: int) -> Standing:
    """How one contact stands between two runs."""
    with scope.read() as connection:
        values = {"s": scope.sync_id, "contact": contact_id}
        writing = tuple(SIDES[side] for side in connection.execute(_WRITING, values).scalars())
        return Standing(connection.execute(_DUE, values).scalar(), writing, connection.execute(_INTO, values).scalar())


@dataclass(frozen=True, slots=True)
class Alone:
    """A record that is linked with nobody. `undecided`: the next run decides it. `holds`: why it waits, if it does."""

    side: Side
    ref: str
    liveness: Liveness
    undecided: bool
    holds: tuple[HoldRow, ...]


def alone(scope: Scope, key: str) -> list[Alone]:
    """Unlinked records whose match key is `key`."""
    with scope.read() as connection:
        rows = connection.execute(_ALONE, {"s": scope.sync_id, "key": key}).all()
        holds = open_holds(connection, scope, (), [row.ref for row in rows])
    found = []
    for row in rows:
        side = SIDES[row.side]
        held = tuple(by_owner(holds, [(side, row.ref)]))
        found.append(Alone(side, row.ref, codec.LIVENESSES[row.liveness], row.dirty == 1, held))
    return found


def status(scope: Scope, linked: int) -> Status:
    """The state of one sync, in one read."""
    with scope.read() as connection:

        def rows(query: sa.TextClause) -> list[Any]:
            return list(connection.execute(query, {"s": scope.sync_id}).all())

        records: dict[Side, dict[str, int]] = {side: {} for side in SIDES}
        for row in rows(_RECORDS):
            records[SIDES[row.side]][codec.LIVENESSES[row.liveness]] = row.n
        dirty, sync, lease = rows(_DIRTY)[0], rows(_SYNC)[0], rows(_LEASE)
        return Status(
            records=records,
            contacts={row.state: row.n for row in rows(_CONTACTS)},
            linked=linked,
            holds={row.code: row.n for row in rows(_HOLDS)},
            dirty=dirty.n,
            oldest_dirty_us=dirty.oldest,
            outbox={state: n for state, n in rows(_OUTBOX)[0]._asdict().items() if n},
            cursors={SIDES[row.side]: Cursor(row.at_us, row.ref, row.token) for row in rows(_CURSORS)},
            lease=(lease[0].holder, lease[0].expires_us) if lease else None,
            mapping_version=sync.mapping_version,
            log_size=sync.log_size,
        )
