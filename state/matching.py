"""Which unlinked records are one person: set-wise, in two passes, the mapping's first match key and then its second.

Theory of operation. A *group* is all live records of both sides that share a key, when at least one of them is unlinked and dirty. Groups
of exactly one unlinked record a side, nearly all of a first load, become pairs by one statement a page. Only the odd groups come to Python,
in pages too, and the kernel's `identity.match` judges each. A pair of fresh records only points at each other (`pair_ref`): its contact is
made when its plan is committed. A record that joins an existing contact is linked, and logged, here. Ambiguous records wait (dirty 2) with
an open hold; all of them are looked at again every time, so that a duplicate's end frees the others. What waited with a record that has
died, or has found a contact, is released here: whatever still has to wait, waits with that contact.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from state import codec
from state.database import Row, among
from state.holds import AMBIGUOUS, AMBIGUOUS_HOLDS, ENDED_HOLDS, Owner, select_holds, settle_holds
from state.log import Appender, appending, contact_keys
from state.returned import let_go
from state.scope import Scope
from state.statements import Connection
from state.tables import OUTBOX, RECORD
from syncline.identity import Ambiguous, Candidate, Paired, match
from syncline.log import Entry
from syncline.plan import Hold
from syncline.records import SIDES, Side, other

PAGE = 2000
MANY = 1000
_WAITING = 2
_MANY = sa.text("SELECT 1 FROM record WHERE sync_id = :s AND dirty = 1 AND contact_id IS NULL LIMIT :limit")
_AGAIN = sa.text(
    "UPDATE record SET dirty = 1 FROM hold AS h WHERE h.sync_id = :s AND h.open = 1 AND h.contact_id IS NULL"
    " AND record.sync_id = :s AND record.side = h.side AND record.ref = h.ref AND record.dirty = 2 AND record.liveness <> 3"
)
_PAGE = sa.text(
    "SELECT MIN(ref), MAX(ref) FROM (SELECT ref FROM record WHERE sync_id = :s AND dirty = 1 AND contact_id IS NULL AND side = :side"
    " AND ref > :after ORDER BY ref LIMIT :limit) AS page"
)
_UNPAIR = sa.text("UPDATE record SET pair_ref = NULL WHERE sync_id = :s AND dirty = 1 AND contact_id IS NULL AND pair_ref IS NOT NULL")
_DEAD = sa.text("UPDATE record SET dirty = 0 WHERE sync_id = :s AND dirty = 1 AND contact_id IS NULL AND liveness <> 0")
# A merged contact is never decided itself: what happens to its records is its winner's affair, who has not heard of it yet.
_WINNERS = (
    sa.text(
        "UPDATE record SET dirty = 1 WHERE sync_id = :s AND liveness <> 3 AND contact_id IN (SELECT c.merged_into FROM record AS r"
        " JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id"
        " WHERE r.sync_id = :s AND r.dirty = 1 AND r.contact_id IS NOT NULL AND c.merged_into IS NOT NULL)"
    ),
    sa.text(
        "UPDATE record SET dirty = 2 WHERE sync_id = :s AND dirty = 1 AND contact_id IN"
        " (SELECT id FROM contact WHERE sync_id = :s AND merged_into IS NOT NULL)"
    ),
)
_ACROSS = sa.text(
    "UPDATE record SET pair_ref = c.ref, dirty = 1 FROM record AS c WHERE c.sync_id = :s AND c.dirty = 1 AND c.contact_id IS NULL"
    " AND c.side = 0 AND :side = 0 AND c.ref >= :first AND c.ref <= :last AND c.pair_ref IS NOT NULL"
    " AND record.sync_id = :s AND record.side = 1 AND record.ref = c.pair_ref AND record.pair_ref IS NULL"
)
_PAIR = sa.text("UPDATE record SET pair_ref = :pair_ref, dirty = 1 WHERE sync_id = :sync_id AND side = :side AND ref = :ref")
_JOIN = sa.text("UPDATE record SET contact_id = :contact_id, dirty = 1 WHERE sync_id = :sync_id AND side = :side AND ref = :ref")
_REPLACED = sa.text(
    # Who leaves a contact leaves what was agreed: should it come back, its partner has agreed with others since.
    "UPDATE record SET contact_id = NULL, shadow = NULL"
    " WHERE sync_id = :sync_id AND contact_id = :contact_id AND side = :side AND ref <> :ref"
)
_ACTIVE = sa.text("UPDATE contact SET state = 'active' WHERE sync_id = :sync_id AND id = :contact_id")
_WAIT = sa.text("UPDATE record SET dirty = 2, pair_ref = NULL WHERE sync_id = :sync_id AND side = :side AND ref = :ref")


_FREE = (
    " FROM record WHERE sync_id = :s AND dirty = 1 AND contact_id IS NULL AND side = :side AND ref >= :first AND ref <= :last"
    " AND liveness = 0 AND pair_ref IS NULL"
)
"""The dirty, unlinked, unpaired, live records of one page."""


def _shared(key: str) -> sa.TextClause:
    """Whether any of them has a key that any other live record has too. In a load into an empty side none has, and that is all to ask."""
    return sa.text(
        f"SELECT 1 FROM (SELECT side, ref, {key} AS value{_FREE}) AS k"
        f" JOIN record AS r ON r.sync_id = :s AND r.{key} = k.value AND r.liveness = 0 AND (r.ref <> k.ref OR r.side <> k.side) LIMIT 1"
    )


def _groups(key: str) -> str:
    """Their keys, joined with all live records that have them."""
    return f" FROM (SELECT DISTINCT {key} AS value{_FREE}) AS k JOIN record AS r ON r.sync_id = :s AND r.{key} = k.value AND r.liveness = 0"


def _plain(key: str) -> sa.TextClause:
    """Groups of one free record a side, paired in one statement (the CRM's half; `_ACROSS` does the other)."""
    return sa.text(
        "UPDATE record SET pair_ref = p.across FROM (SELECT MIN(CASE WHEN r.side = 0 THEN r.ref END) AS here,"
        f" MIN(CASE WHEN r.side = 1 THEN r.ref END) AS across{_groups(key)} GROUP BY k.value HAVING COUNT(*) = 2 AND MIN(r.side) = 0"
        " AND MAX(r.side) = 1 AND COUNT(r.contact_id) = 0 AND COUNT(r.pair_ref) = 0 AND MAX(r.dirty) < 2) AS p"
        " WHERE record.sync_id = :s AND record.side = 0 AND record.ref = p.here"
    )


def _odd(key: str) -> sa.TextClause:
    return sa.text(f"SELECT k.value{_groups(key)} GROUP BY k.value HAVING COUNT(*) > 1")


def _members(key: str) -> sa.Select[Any]:
    """All live records of some groups.

    `partner`: its contact has a live record across, or takes nobody in: not any more, or not while a write of its own may end or revive it.
    `unborn`: there was never any across.
    """
    across, contact = RECORD.alias(), sa.table("contact", sa.column("sync_id"), sa.column("id"), sa.column("state"))
    record = RECORD.c
    closed = sa.exists().where(
        contact.c.sync_id == record.sync_id,
        contact.c.id == record.contact_id,
        sa.or_(contact.c.state == "merged", contact.c.state == "erased"),
    )
    pending = sa.exists().where(OUTBOX.c.sync_id == record.sync_id, OUTBOX.c.contact_id == record.contact_id, OUTBOX.c.kind != "create")
    ever = sa.exists().where(across.c.sync_id == record.sync_id, across.c.contact_id == record.contact_id, across.c.side != record.side)
    partner = ever.where(across.c.liveness == 0)
    return (
        sa.select(record[key].label("value"), record.side, record.ref, record.contact_id, record.pair_ref, record.dirty)
        .add_columns(sa.or_(partner, closed, pending).label("partner"), sa.not_(sa.or_(ever, closed)).label("unborn"))
        .where(record.sync_id == sa.bindparam("s"), record.liveness == 0, among(record[key], "keys"))
        .order_by(record[key], record.side, record.ref)
    )


_PASSES = tuple((key, _shared(key), _plain(key), _odd(key), _members(key)) for key in ("key_1", "key_2"))


@dataclass(frozen=True, slots=True)
class MatchSummary:
    """`paired`: fresh pairs, and records that joined a contact, of this call. `ambiguous`: records that now wait."""

    paired: int
    ambiguous: int


@dataclass(slots=True)
class _Found:
    pairs: list[Paired] = field(default_factory=list)
    waiting: dict[tuple[Side, str], str] = field(default_factory=dict)


class Matching:
    """Matches the records of one sync."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def match_records(self, now_us: int, run_id: int | None) -> MatchSummary:
        """Pair what can be paired, hold what is ambiguous, in one transaction. Run it when both sides' polls are staged."""
        scope, s = self._scope, {"s": self._scope.sync_id}
        with scope.write() as connection, appending(connection, scope, run_id, now_us) as log:
            self._measure(connection)
            for statement in (*_WINNERS, _AGAIN, _UNPAIR):
                connection.execute(statement, s)
            paired, waiting = 0, dict[tuple[Side, str], str]()
            pages = self._pages(connection)
            for key, shared, plain, odd, members in _PASSES:
                back = let_go(connection, scope, log, key)
                self._join(connection, log, back)
                paired += len(back)
                crowded = [page for page in pages if connection.execute(shared, s | page).scalar()]
                for page in crowded:
                    paired += connection.execute(plain, s | page).rowcount
                    connection.execute(_ACROSS, s | page)
                found = self._judge(connection, crowded, odd, members)
                self._apply(connection, log, found)
                paired += len(found.pairs)
                waiting |= found.waiting
            connection.execute(_DEAD, s)
            self._holds(connection, log, waiting, now_us, run_id)
        return MatchSummary(paired, len(waiting))

    def _measure(self, connection: Connection) -> None:
        """Postgres plans a first load's joins by statistics from when the table was empty, and would take hours: tell it what is there."""
        if not self._scope.db.sqlite and len(connection.execute(_MANY, {"s": self._scope.sync_id, "limit": MANY}).all()) == MANY:
            connection.execute(sa.text("ANALYZE record"))

    def _judge(self, connection: Connection, pages: list[Row], odd: sa.TextClause, members: sa.Select[Any]) -> _Found:
        found, s = _Found(), {"s": self._scope.sync_id}
        keys = sorted({key for page in pages for key in connection.execute(odd, s | page).scalars()})
        for start in range(0, len(keys), PAGE):
            rows = connection.execute(members, s | {"keys": codec.dumps(keys[start : start + PAGE])}).all()
            for _, group in groupby(rows, key=lambda row: row.value):
                verdict = match(tuple(_candidate(row) for row in group))
                if isinstance(verdict, Paired):
                    found.pairs.append(verdict)
                elif isinstance(verdict, Ambiguous):
                    found.waiting |= dict.fromkeys(verdict.refs, verdict.reason)
        return found

    def _pages(self, connection: Connection) -> list[Row]:
        """Where each page of unlinked dirty records starts and ends: what the database sorts at a time stays small at any size."""
        pages: list[Row] = []
        for side in range(len(SIDES)):
            after = ""
            while True:
                values = {"s": self._scope.sync_id, "side": side, "after": after, "limit": PAGE}
                first, after = connection.execute(_PAGE, values).one()
                if first is None:
                    break
                pages.append({"side": side, "first": first, "last": after})
        return pages

    def _apply(self, connection: Connection, log: Appender, found: _Found) -> None:
        pairs: list[Row] = []
        for pair in found.pairs:
            if pair.contact_id is None:
                pairs += [
                    self._row("crm", pair.crm_ref, pair_ref=pair.marketing_ref),
                    self._row("marketing", pair.marketing_ref, pair_ref=pair.crm_ref),
                ]
        self._scope.db.many(connection, _PAIR, pairs)
        self._scope.db.many(connection, _WAIT, [self._row(side, ref) for side, ref in found.waiting])
        self._join(connection, log, [pair for pair in found.pairs if pair.contact_id is not None])

    def _join(self, connection: Connection, log: Appender, joins: list[Paired]) -> None:
        """Unlinked records become the missing half of existing contacts."""
        if not joins:
            return
        keys = contact_keys(connection, self._scope, [pair.contact_id for pair in joins if pair.contact_id is not None])
        query = sa.text("SELECT contact_id FROM record WHERE sync_id = :sync_id AND side = :side AND ref = :ref")
        for pair in joins:
            refs: dict[Side, str] = {"crm": pair.crm_ref, "marketing": pair.marketing_ref}
            fresh = next(side for side in SIDES if connection.execute(query, self._row(side, refs[side])).scalar() is None)
            row = self._row(fresh, refs[fresh], contact_id=pair.contact_id)
            for statement in (_REPLACED, _JOIN, _ACTIVE):
                connection.execute(statement, row)
            connection.execute(_JOIN, self._row(other(fresh), refs[other(fresh)], contact_id=pair.contact_id))
            entry = Entry(
                kind="link", contact_id=pair.contact_id, side=fresh, ref=refs[fresh], new={"refs": {fresh: refs[fresh]}, "view": {}},
                rule="match", reason="shares a match key with this contact's other record",
            )  # fmt: skip
            log.add(entry, keys.get(pair.contact_id or 0))

    def _row(self, side: Side, ref: str, **more: Any) -> Row:
        return {"sync_id": self._scope.sync_id, "side": codec.SIDE_NO[side], "ref": ref, **more}

    def _holds(self, connection: Connection, log: Appender, waiting: dict[tuple[Side, str], str], now_us: int, run_id: int | None) -> None:
        current: dict[Owner, list[Any]] = {}
        for row in select_holds(connection, self._scope, AMBIGUOUS_HOLDS):
            current.setdefault(row.owner, []).append(row)
        for owner in sorted(set(waiting) | set(current), key=str):
            wanted = [Hold(AMBIGUOUS, waiting[owner])] if owner in waiting else []
            settle_holds(connection, self._scope, log, owner, current.get(owner, ()), wanted, now_us, run_id)
        for row in select_holds(connection, self._scope, ENDED_HOLDS):
            settle_holds(connection, self._scope, log, row.owner, [row], (), now_us, run_id)


def _candidate(row: Any) -> Candidate:
    """A record that waits, or was paired by an earlier key, is taken: nobody else can have it."""
    if row.contact_id is None and (row.pair_ref is not None or row.dirty == _WAITING):
        return Candidate(SIDES[row.side], row.ref, -1, partner=True)
    owner = row.contact_id
    return Candidate(SIDES[row.side], row.ref, owner, bool(row.partner), owner is not None and bool(row.unborn))
