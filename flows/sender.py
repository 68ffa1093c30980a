"""One side's writes of one round, and the ways in which they touch the world and the store. `push` and `recheck` share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.observe import digest_of, keys_of, told, whole
from flows.settings import Context
from state.echoes import Settled
from state.outbox import OutboxRow
from syncline.errors import SyncError
from syncline.records import Record, Side


@dataclass(slots=True)
class Pushed:
    """What became of the writes. `failure`: the first error that stopped a side for this run."""

    applied: int = 0
    held: int = 0
    moved: int = 0
    failed: int = 0
    failure: SyncError | None = None

    def count(self, result: str) -> None:
        name = result.partition(":")[0]
        setattr(self, name, getattr(self, name) + 1)


@dataclass(slots=True)
class Sender:
    """One side's writes of one round."""

    context: Context
    side: Side
    run_id: int
    pushed: Pushed
    fresh: Mapping[str, Record] = field(default_factory=dict)

    @property
    def connector(self) -> Any:
        return self.context.connectors[self.side]

    @property
    def spec(self) -> Any:
        return self.context.mapping.sides[self.side]


def applied(sender: Sender, row: OutboxRow, record: Record | None, ref: str | None = None) -> Settled:
    if record is None:
        return Settled(row, "applied", ref=ref or row.ref)
    text = told(record)
    digest = digest_of(record, text) if len(record.fields) == len(sender.spec.native) else None
    first, second = keys_of(sender.context, sender.side, record)
    return Settled(row, "applied", ref=record.ref, echo=record, digest=digest, keys=(first, second), text=text.decode())


def note_world(sender: Sender, records: Iterable[Record]) -> None:
    seen = [whole(sender.context, sender.side, record) for record in records]
    if seen:
        sender.context.sync.observe_moved(sender.side, seen, sender.context.clock())


def read(sender: Sender, refs: list[str]) -> Iterator[Record]:
    return iter(sender.connector.read(sender.spec.object, sender.spec.native, refs)) if refs else iter(())


def find(sender: Sender, key: str, values: list[str]) -> Iterator[Record]:
    return iter(sender.connector.find(sender.spec.object, sender.spec.native, key, values))
