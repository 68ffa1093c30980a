"""The inert plan of a run: chunks of contact plans and what the guard weighs of them. Nothing here touches contacts, log or outbox."""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec
import sqlalchemy as sa
from msgspec import structs

from state import codec
from state.database import insert
from state.log import StoredEntry
from state.scope import Scope
from state.tables import PLAN_CHUNK
from syncline.errors import UsageError
from syncline.log import Entry
from syncline.plan import ContactPlan, Hold, Write
from syncline.ports import Kind
from syncline.records import Native, Side

TOTALS = ("creates", "updates", "archives", "blanks", "unsubscribes", "overwrites", "holds", "links")
BIRTHS = ("create", "link")
"""Entries that begin a contact's story: they say its refs and its view."""

_INSERT = insert(PLAN_CHUNK, PLAN_CHUNK.columns.keys())
_CHUNKS = sa.text("SELECT number, body FROM plan_chunk WHERE sync_id = :s AND run_id = :run AND number > :after ORDER BY number LIMIT 1")
_TOTALS = sa.text(
    f"SELECT {', '.join(f'COALESCE(SUM({name}), 0) AS {name}' for name in ('contacts', *TOTALS))}"
    " FROM plan_chunk WHERE sync_id = :s AND run_id = :run"
)


class StoredWrite(msgspec.Struct, array_like=True, gc=False):
    """A `Write` of a stored plan, in its order; its values still text."""

    side: Side
    kind: Kind
    ref: str | None
    fields: msgspec.Raw
    consent: msgspec.Raw
    expect: msgspec.Raw
    version: str | None
    anchor: msgspec.Raw
    confirms: msgspec.Raw
    entries: tuple[int, ...]
    shown: msgspec.Raw
    untold: msgspec.Raw


class StoredPlan(msgspec.Struct, array_like=True, gc=False):
    """A `ContactPlan` of a stored plan, its values still text: a commit only moves them, and writes the same bytes."""

    contact_id: int
    new: bool
    state: str
    refs: dict[Side, str]
    view: msgspec.Raw
    agreed_us: dict[str, int]
    shadows: dict[Side, msgspec.Raw]
    entries: tuple[StoredEntry, ...]
    writes: tuple[StoredWrite, ...]
    holds: tuple[Hold, ...]


def _listed(kind: type) -> Any:
    """A struct with the fields of one of the kernel's values, that JSON holds as an array."""
    return msgspec.defstruct(kind.__name__, list(get_type_hints(kind).items()), array_like=True)


_Entry, _Write = _listed(Entry), _listed(Write)
_entry, _write = attrgetter(*_Entry.__struct_fields__), attrgetter(*_Write.__struct_fields__)
_NEW = _Entry.__struct_fields__.index("new")


class _Shown(msgspec.Struct, array_like=True):
    """`ContactPlan` as JSON holds it: the kernel's `Value` also allows MISSING, which has no JSON."""

    contact_id: int
    new: bool
    state: str
    refs: dict[Side, str]
    view: dict[str, codec.Canonical]
    agreed_us: dict[str, int]
    shadows: dict[Side, Native]
    entries: tuple[_Entry, ...]
    writes: tuple[_Write, ...]
    holds: tuple[Hold, ...]
    totals: dict[str, int]


_encode = msgspec.json.Encoder().encode
"""Not sorted: the planner goes through the fields in the mapping's order, and sorts what it keeps in sets."""

_shown = msgspec.json.Decoder(list[_Shown])
_stored = msgspec.json.Decoder(list[StoredPlan])


class Chunk(Sequence[ContactPlan]):
    """A stored chunk. `stored` is what a commit takes; the kernel's plans are made of it when somebody looks at them."""

    def __init__(self, body: bytes, where: str) -> None:
        self._body, self._where = body, where
        self.stored: list[StoredPlan] = _decode(_stored, body, where)

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: Any) -> Any:
        return self._plans[index]

    def __iter__(self) -> Iterator[ContactPlan]:
        return iter(self._plans)

    @cached_property
    def _plans(self) -> list[ContactPlan]:
        return [_whole(plan) for plan in _decode(_shown, self._body, self._where)]


def _lean(plan: ContactPlan) -> tuple[Any, ...]:
    """What is stored, in the order of `StoredPlan`. A birth's entry says the refs and the view that its plan says: stored once."""
    entries = [_entry(entry) for entry in plan.entries]
    if entries and plan.entries[0].kind in BIRTHS and plan.entries[0].new == {"refs": plan.refs, "view": plan.view}:
        entries[0] = (*entries[0][:_NEW], None, *entries[0][_NEW + 1 :])
    return (
        plan.contact_id, plan.new, plan.state, plan.refs, plan.view, plan.agreed_us, plan.shadows, entries,
        [_write(write) for write in plan.writes], plan.holds, plan.totals,
    )  # fmt: skip


def _whole(plan: _Shown) -> ContactPlan:
    """The inverse of `_lean`."""
    for entry in plan.entries:
        if entry.kind in BIRTHS and entry.new is None:
            entry.new = {"refs": plan.refs, "view": plan.view}
    return ContactPlan(
        plan.contact_id, plan.new, plan.state, plan.refs, plan.view, plan.agreed_us, plan.shadows,
        tuple(Entry(*structs.astuple(entry)) for entry in plan.entries),
        tuple(Write(*structs.astuple(write)) for write in plan.writes), plan.holds, plan.totals,
    )  # fmt: skip


class Plans:
    """One sync's stored plans."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def save_plan(self, run_id: int, number: int, plans: Sequence[ContactPlan]) -> None:
        """Store one chunk. It remembers which observations it was decided on: later ones stay dirty when it is committed."""
        totals = dict.fromkeys(TOTALS, 0)
        for plan in plans:
            for name, count in plan.totals.items():
                totals[name] += count
        body = _encode([_lean(plan) for plan in plans])
        with self._scope.write() as connection:
            staged = connection.execute(sa.text("SELECT staged FROM sync WHERE id = :s"), {"s": self._scope.sync_id}).scalar_one()
            row: dict[str, Any] = {
                "sync_id": self._scope.sync_id, "run_id": run_id, "number": number, "staged": staged, "body": body,
                "contacts": len(plans), **totals,
            }  # fmt: skip
            connection.execute(_INSERT, row)

    def plan_totals(self, run_id: int) -> dict[str, int]:
        """What the whole plan of that run would do, summed: contacts, creates, updates, archives, blanks, unsubscribes, …"""
        with self._scope.read() as connection:
            row = connection.execute(_TOTALS, {"s": self._scope.sync_id, "run": run_id}).one()
        return {name: int(value) for name, value in row._asdict().items()}

    def plan_chunks(self, run_id: int) -> Iterator[tuple[int, Chunk]]:
        """(number, plans) of every chunk that is not committed yet, in order; one chunk in memory at a time."""
        after = -1
        while True:
            with self._scope.read() as connection:
                row = connection.execute(_CHUNKS, {"s": self._scope.sync_id, "run": run_id, "after": after}).first()
            if row is None:
                return
            after = row.number
            yield row.number, Chunk(row.body, f"plan_chunk {run_id}/{row.number}, body")

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
        if not doomed:
            return
        with self._scope.write() as connection:
            for run in doomed:
                connection.execute(
                    sa.text("DELETE FROM plan_chunk WHERE sync_id = :s AND run_id = :run"), {"s": self._scope.sync_id, "run": run}
                )


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes, where: str) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError:
        raise UsageError(f"the database is damaged: {where} cannot be read; drop this plan and run again") from None
