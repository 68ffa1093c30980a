"""What the judge has before it: the settled world, who the engine says is one person, what it says waits, and what its log says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from state.log import LogRow
from syncline.log import Entry
from syncline.records import SIDES, Side
from tests.simulation.vendor import Effect, Rec, Vendor
from tests.simulation.words import searchable
from tests.simulation.world import World

_LINKS = sa.text(
    "SELECT r.side, r.ref, r.contact_id, c.state FROM record AS r JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id"
)


@dataclass(slots=True)
class Case:
    """What the judge has before it. `contact[side, ref]`: (contact, its state); `held`: (contact or record, field) that waits.

    `rows`: the whole log; `by_write`: its entries by (run, contact).
    """

    world: World
    contact: dict[tuple[Side, str], tuple[int, str]] = field(default_factory=dict)
    held: set[tuple[Any, str]] = field(default_factory=set)
    text: str = ""
    rows: list[LogRow] = field(default_factory=list)
    by_write: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    def waits(self, side: Side, rec: Rec, *fields: str) -> bool:
        return any(self.waits_for(side, rec, name) for name in ("", *fields))

    def waits_for(self, side: Side, rec: Rec, name: str) -> bool:
        """Whether this very field waits."""
        owner = self.contact.get((side, rec.ref), ((side, rec.ref), ""))[0]
        return any((who, name) in self.held for who in (owner, (side, rec.ref)))

    def refused(self, recs: Mapping[Side, Rec]) -> bool:
        """Whether one side takes no write at all of this person, and it is said that they wait."""
        return any(rec.who == self.world.vendors[side].poisoned and self.waits(side, rec) for side, rec in recs.items())

    def entries_of(self, write: Effect, side: Side) -> list[Entry]:
        """What the log says of this write: of its run and its contact, to this side."""
        run_id, contact_id, _, _ = write.actor.split("-")[:4]
        return [entry for entry in self._entries().get((run_id, contact_id), ()) if side in entry.to]

    def entries_about(self, contact: int) -> list[Entry]:
        return [row.entry for row in self.rows if row.entry.contact_id == contact]

    def linked(self, side: Side) -> Iterator[tuple[int, str]]:
        """(when, record) of every link that the log tells of."""
        for row in self.rows:
            entry = row.entry
            if entry.kind in ("link", "create") and side in entry.new["refs"]:
                yield row.at_us, entry.new["refs"][side]
            elif entry.kind == "rebind" and entry.side == side and entry.new:
                yield row.at_us, entry.new
            elif entry.kind == "receipt":
                yield from ((row.at_us, ref) for _, where, ref in entry.new["refs"] if where == side)

    def _entries(self) -> dict[tuple[str, str], list[Entry]]:
        if not self.by_write:
            for row in self.rows:
                self.by_write.setdefault((str(row.run_id), str(row.entry.contact_id)), []).append(row.entry)
        return self.by_write


def case_of(world: World) -> Case:
    """What there is to be judged by now."""
    case = Case(world, text=_text(world), rows=list(world.engine().sync.entries()))
    with world.engine().store.database.read() as connection:
        for row in connection.execute(_LINKS):
            case.contact[SIDES[row.side], row.ref] = (row.contact_id, row.state)
    case.held = {(hold.owner, hold.field) for hold in world.engine().sync.holds()}
    return case


def _text(world: World) -> str:
    """All that is true anywhere, and all that the log says, lost logs too."""
    shown = [searchable(value) for vendor in world.vendors.values() for rec in vendor for value in rec.fields.values() if value]
    return "\n".join([*shown, *world.old_logs, world.log_text()])


def pairs(case: Case) -> Iterator[tuple[Rec, Rec]]:
    """Live records that the engine says are one active contact."""
    by_contact: dict[int, dict[Side, Rec]] = defaultdict(dict)
    for side, vendor in case.world.vendors.items():
        for rec in vendor.live():
            contact, state = case.contact.get((side, rec.ref), (None, ""))
            if contact is not None and state == "active":
                by_contact[contact][side] = rec
    yield from ((found["crm"], found["marketing"]) for found in by_contact.values() if len(found) == 2)


def line(vendor: Vendor, rec: Rec) -> list[Rec]:
    """The record and all that went into it, by a merge or under an older id."""
    found = [rec]
    for one in found:
        found += [each for each in vendor if each.life == "merged" and each.into == one.ref]
    return found
