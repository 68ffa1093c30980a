"""The inert plan of a run: chunks of contact plans and what the guard weighs of them. Nothing here touches contacts, log or outbox."""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from state import codec
from state.scope import Scope
from state.tables import PLAN_CHUNK
from syncline.errors import UsageError
from syncline.log import Entry
from syncline.plan import ContactPlan, Hold, Write
from syncline.records import Native, Side

TOTALS = ("creates", "updates", "archives", "blanks", "unsubscribes", "overwrites", "holds", "links")
_INSERT = sa.insert(PLAN_CHUNK)
_CHUNKS = sa.text("SELECT number, body FROM plan_chunk WHERE sync_id = :s AND run_id = :run AND number > :after ORDER BY number LIMIT 1")
_TOTALS = sa.text(
    f"SELECT {', '.join(f'COALESCE(SUM({name}), 0) AS {name}' for name in ('contacts', *TOTALS))}"
    " FROM plan_chunk WHERE sync_id = :s AND run_id = :run"
)


class _Stored(msgspec.Struct):
    """`ContactPlan` as JSON holds it: the kernel's `Value` also allows MISSING, which has no JSON."""

    contact_id: int
    new: bool
    state: str
    refs: dict[Side, str]
    view: dict[str, codec.Canonical]
    agreed_us: dict[str, int]
    shadows: dict[Side, Native]
    entries: tuple[Entry, ...]
    writes: tuple[Write, ...]
    holds: tuple[Hold, ...]
    totals: dict[str, int]


_NAMES = _Stored.__struct_fields__
_decoder = msgspec.json.Decoder(list[_Stored])


class Plans:
    """One sync's stored plans."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def save_plan(self, run_id: int, number: int, plans: Sequence[ContactPlan]) -> None:
        """Store one chunk. It remembers which observations it was decided on: later ones stay dirty when it is committed."""
        totals = {name: sum(plan.totals.get(name, 0) for plan in plans) for name in TOTALS}
        with self._scope.write() as connection:
            staged = connection.execute(sa.text("SELECT staged FROM sync WHERE id = :s"), {"s": self._scope.sync_id}).scalar_one()
            row: dict[str, Any] = {
                "sync_id": self._scope.sync_id, "run_id": run_id, "number": number, "staged": staged, "body": codec.dumps(list(plans)),
                "contacts": len(plans), **totals,
            }  # fmt: skip
            connection.execute(_INSERT, row)

    def plan_totals(self, run_id: int) -> dict[str, int]:
        """What the whole plan of that run would do, summed: contacts, creates, updates, archives, blanks, unsubscribes, …"""
        with self._scope.read() as connection:
            row = connection.execute(_TOTALS, {"s": self._scope.sync_id, "run": run_id}).one()
        return {name: int(value) for name, value in row._mapping.items()}

    def plan_chunks(self, run_id: int) -> Iterator[tuple[int, list[ContactPlan]]]:
        """(number, plans) of every chunk that is not committed yet, in order; one chunk in memory at a time."""
        after = -1
        while True:
            with self._scope.read() as connection:
                row = connection.execute(_CHUNKS, {"s": self._scope.sync_id, "run": run_id, "after": after}).first()
            if row is None:
                return
            after = row.number
            yield row.number, _plans(row.body, f"plan_chunk {run_id}/{row.number}, body")

    def plan_exists(self, run_id: int) -> bool:
        """Whether that run has chunks left to commit."""
        return run_id in self.planned_runs()

    def planned_runs(self) -> list[int]:
        """Runs that have chunks left."""
        query = sa.text("SELECT DISTINCT run_id FROM plan_chunk WHERE sync_id = :s ORDER BY run_id")
        with self._scope.read() as connection:
            return list(connection.execute(query, {"s": self._scope.sync_id}).scalars())

    def drop_plan(self, run_id: int | None = None, keep: Sequence[int] = ()) -> None:
        """Forget that run's plan, or (None) all plans but those of the runs in `keep`. Its observations are still dirty."""
        doomed = [run for run in self.planned_runs() if run not in keep] if run_id is None else [run_id]
        with self._scope.write() as connection:
            for run in doomed:
                connection.execute(
                    sa.text("DELETE FROM plan_chunk WHERE sync_id = :s AND run_id = :run"), {"s": self._scope.sync_id, "run": run}
                )


def _plans(body: str, where: str) -> list[ContactPlan]:
    try:
        stored = _decoder.decode(body)
    except msgspec.DecodeError:
        raise UsageError(f"the database is damaged: {where} cannot be read; drop this plan and run again") from None
    return [ContactPlan(**_fields(plan)) for plan in stored]


def _fields(plan: _Stored) -> Mapping[str, Any]:
    return {name: getattr(plan, name) for name in _NAMES}
