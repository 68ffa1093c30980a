"""Look again before an overwrite: what the vendor shows now decides whether a write still means what it meant. Only `push` imports it.

By the best means the connector declares: its own conditional write, one batch read per write batch, or one fresh poll of the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from msgspec import structs

from flows.observe import believed, digest_of, same, told, whole
from flows.sender import Sender, applied, find, note_world, read
from state.echoes import Settled
from state.outbox import OutboxRow
from syncline.merge import read_field
from syncline.plan import ALL_SHOWN
from syncline.records import MISSING, SIDES, Record, other


def look_again(sender: Sender, rows: Sequence[OutboxRow]) -> tuple[list[OutboxRow], list[Settled]]:
    """Split a batch into rows that may be written and rows that are settled already: done, or moved under our hands."""
    creates = [row for row in rows if row.kind == "create"]
    others = [row for row in rows if row.kind != "create"]
    ready, settled = _look_for_lost_creates(sender, creates)
    match sender.connector.capabilities.recheck:
        case "conditional":
            return ready + others, settled
        case "batch_read":
            current = {r.ref: r for r in read(sender, [row.ref for row in others if row.ref])} if others else {}
        case _:
            # A poll says what is new to us: not what the answer to an earlier write of this round has shown already. And its index may be
            # late: nobody sees any more what an archive has buried, so that needs a look at the record itself.
            unsure = [row.ref for row in others if row.ref and (row.moved or row.state == "sending" or row.kind == "archive")]
            current = {**sender.fresh, **({r.ref: r for r in read(sender, unsure)} if unsure else {})}
    odd: list[tuple[OutboxRow, Record]] = []
    for row in others:
        record = current.get(row.ref or "")
        if record is None or _as_expected(row, record):
            ready.append(row)
        else:
            odd.append((row, record))
    moved, late = list[Record](), _late(sender, [record for _, record in odd])
    for row, record in odd:
        done = as_shown(sender, row, record) if record.ref not in late else None
        if done is None:
            moved.append(record)
        settled.append(done or Settled(row, "moved"))
    note_world(sender, [*moved, *heirs(sender, others, moved)])
    return ready, settled


def _late(sender: Sender, records: Sequence[Record]) -> set[str]:
    """Those that show less than we have seen of them: what such a one shows may be what is about to be put right."""
    seen = [whole(sender.context, sender.side, record) for record in records]
    return {each.record.ref for each in sender.context.sync.older(sender.side, seen)} if seen else set()


def heirs(sender: Sender, rows: Sequence[OutboxRow], records: Sequence[Record]) -> list[Record]:
    """Where the losers of a merge just vanish, one that has gone may live on in whoever holds its address: ask before calling it dead."""
    capabilities, gone = sender.connector.capabilities, {record.ref for record in records if record.liveness == "gone"}
    key = capabilities.create_key
    if capabilities.merges != "absorbed" or not key:
        return []
    addresses = {str(row.anchor[key]) for row in rows if row.ref in gone and row.anchor.get(key)}
    return [record for record in find(sender, key, sorted(addresses)) if gone & set(record.absorbed)] if addresses else []


def _look_for_lost_creates(sender: Sender, creates: Sequence[OutboxRow]) -> tuple[list[OutboxRow], list[Settled]]:
    """A create that was being sent when we died may have been applied: look it up by the create key before sending it again.

    A poll may have shown it meanwhile, or a record that somebody else has made: whoever is linked by now is not made.
    """
    key = sender.connector.capabilities.create_key
    unsure = [row for row in creates if row.state == "sending"]
    there = sender.context.sync.standing(sender.side, [row.contact_id for row in unsure]) if unsure else frozenset()
    linked = [Settled(row, "moved") for row in unsure if row.contact_id in there]
    creates = [row for row in creates if row.state != "sending" or row.contact_id not in there]
    lost = [row for row in unsure if row.contact_id not in there] if key else []
    if not lost:
        return list(creates), linked
    found = {fold(r.fields.get(key)): r for r in find(sender, key, [created_as(row, key) for row in lost])}
    ready, settled = [row for row in creates if row not in lost], linked
    for row in lost:
        record = found.get(fold(created_as(row, key)))
        if record is None:
            ready.append(row)
        else:
            settled.append(replace(applied(sender, row, record), found=True))
    return ready, settled


def created_as(row: OutboxRow, key: str) -> str:
    """The value of the create key this row was, or would be, created with: a mapped field's, or the change's own key."""
    return str(row.fields.get(key, row.key))


def _as_expected(row: OutboxRow, record: Record) -> bool:
    """Whether the fields we are about to overwrite, or bury, still show what the decision was made on, and the address is still theirs."""
    if row.kind == "restore":
        return record.liveness != "live"
    decided_on = {**row.anchor, **row.expect}
    if row.kind == "archive" and any(not _same(value, None) for name, value in record.fields.items() if name not in decided_on):
        return False  # a permission has come back, and with it what nobody has judged
    return record.liveness == "live" and all(_same(record.fields.get(name, MISSING), value) for name, value in decided_on.items())


def as_shown(sender: Sender, row: OutboxRow, record: Record) -> Settled | None:
    """The write, settled, as far as the record shows what was meant; None when it shows nothing of it.

    It may be our own write whose answer was lost, or the same edit by a person. What the vendor, or a person, has made of the other fields
    is judged anew, and they alone: those that show what was meant are agreed.
    """
    if row.kind in ("archive", "restore"):
        done = (record.liveness == "live") is (row.kind == "restore")
        return applied(sender, row, record) if done else None
    wanted = {**row.fields, **row.consent}
    odd = {name for name, value in wanted.items() if not _same(record.fields.get(name, MISSING), value)}
    odd -= {name for name in odd if _means_the_same(sender, name, record, wanted)}
    left = behind(sender, odd)
    row = without(sender, row, left)
    rest = {**row.fields, **row.consent}
    if record.liveness != "live" or not rest or odd & rest.keys():  # what is odd and no field's has left the mapping: it is not shown
        return None
    return replace(applied(sender, row, record), left_out=left)


def _means_the_same(sender: Sender, native: str, record: Record, wanted: Mapping[str, Any]) -> bool:
    """Whether every field that is written into this name reads there as it was meant: the vendor may have given it another form."""
    names, shown = behind(sender, {native}), record.fields
    for field_ in map(sender.context.mapping.field, names):
        meant = read_field(field_, sender.side, {**shown, **wanted})[0]
        if meant is MISSING or field_.canon(read_field(field_, sender.side, shown)[0]) != field_.canon(meant):
            return False
    return bool(names)


def behind(sender: Sender, natives: Set[str]) -> tuple[str, ...]:
    """The canonical fields that are written into any of these native names: the parts of a full name share one."""
    side = sender.side
    return tuple(f.name for f in sender.context.mapping.fields if f.may_write(side) and not natives.isdisjoint(f.lenses[side].names))


def without(sender: Sender, row: OutboxRow, left: Sequence[str]) -> OutboxRow:
    """The write without these fields, which then count as not written: their bases stay as they are."""
    across, mapping = other(sender.side), sender.context.mapping
    names = {side: {name for one in left for name in mapping.field(one).lenses[side].names} for side in SIDES}
    ours, theirs = names[sender.side], names[across]
    confirms = mapping.sides[across].native if row.confirms == ALL_SHOWN and left else row.confirms
    untold = {side: {k: v for k, v in bases.items() if k not in names[side]} for side, bases in row.untold.items()}
    return structs.replace(
        row,
        fields={k: v for k, v in row.fields.items() if k not in ours},
        consent={k: v for k, v in row.consent.items() if k not in ours},
        expect={k: v for k, v in row.expect.items() if k not in ours},
        confirms=tuple(name for name in confirms if name not in theirs),
        untold=untold if any(untold.values()) else {},
    )


def _same(one: Any, two: Any) -> bool:
    """Native equality; a list read from JSON and a tuple are the same, and so are null and empty text."""
    one, two = (list(v) if isinstance(v, tuple) else None if v == "" else v for v in (one, two))
    return bool(one == two)


def delta(sender: Sender) -> dict[str, Record]:
    """One fresh poll of this side just before its writes: what changed since the round's own poll, by ref."""
    context = sender.context
    changed: dict[str, Record] = {}
    for page in sender.connector.pull(sender.spec.object, sender.spec.native, context.sync.cursor(sender.side)):
        known = context.sync.digests(sender.side, [record.ref for record in page.records]) if page.records else {}
        new = [r for r in page.records if r.ref not in known or not same(known[r.ref][0], digest_of(r, told(r)))]
        seen = believed(context, sender.side, [whole(context, sender.side, record) for record in new])
        changed |= {each.record.ref: each.record for each in seen}
    return changed


def fold(value: Any) -> str:
    return str(value).strip().casefold()
