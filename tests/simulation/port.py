"""A simulated vendor as a connector: the same promises as over HTTP, and faults where somebody has laid them.

Every call passes two boundaries, `before` it is carried out and `after`: there people edit, another engine starts, we die. A fault is laid
for the n-th next call of an operation and happens once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from syncline.cursor import Cursor, finished, since_us, within
from syncline.errors import AuthFailed, OutcomeUnknown, RateLimited, Rejected, SyncError, Unreachable
from syncline.ports import Change, Health, Page, Receipt, Schema
from syncline.records import Record, Side
from tests.simulation.desk import Desk, end_of
from tests.simulation.vendor import Rec, Vendor
from tests.simulation.words import address_key

Boundary = Callable[[Side, str, str], None]
"""(side, operation, before | after) → whatever happens at that moment."""

REFUSING: Mapping[str, Callable[[], SyncError]] = {
    "throttle": lambda: RateLimited("asked to wait", after_s=30),
    "unreachable": lambda: Unreachable("no answer"),
    "auth": lambda: AuthFailed("the token has expired"),
}
FAULTS: Mapping[str, tuple[str, ...]] = {
    # operation → what may befall it
    "pull": ("throttle", "unreachable", "auth", "stale", "twice", "empty", "part"),
    "read": ("throttle", "unreachable", "auth", "stale"),
    "find": ("throttle", "unreachable", "auth"),
    "push": ("throttle", "unreachable", "auth", "lost", "half_lost", "half_down", "items", "no_echo"),
    "describe": ("unreachable",),
}


@dataclass(slots=True)
class Fault:
    """For the `after`-th next call of `op`."""

    op: str
    kind: str
    after: int = 0


class Port:
    """The connector. `faults` are shared by all ports of a vendor: what is laid happens to whoever calls."""

    secrets = ()
    objects = ("people",)

    def __init__(
        self, vendor: Vendor, boundary: Boundary, faults: list[Fault], hidden: set[str], happened: Callable[[str], None],
        who: Callable[[Side, Change], int],
    ) -> None:  # fmt: skip
        self.vendor, self.profile = vendor, vendor.profile
        self.name = self.title = vendor.profile.name
        self.anchors, self.capabilities = vendor.profile.anchors, vendor.profile.capabilities
        self.clock_offset_us = 0
        self.calls: dict[str, int] = {}
        self._boundary, self._faults, self._hidden, self._happened = boundary, faults, hidden, happened
        self._desk = Desk(vendor, hidden, who)

    def check(self) -> Health:
        return Health(self.title)

    def describe(self, object: str) -> Schema:
        self._call("describe")
        return Schema(object, self.profile.fields)

    def close(self) -> None:
        """Nothing is open."""

    # ---- calls

    def _call(self, op: str) -> str:
        """A call leaves the house: counted, the moment before it, and what befalls it: the fault's kind, "" for none."""
        self.calls[op] = self.calls.get(op, 0) + 1
        self._boundary(self.vendor.side, op, "before")
        self.clock_offset_us = self.vendor.offset_us
        laid = [fault for fault in self._faults if fault.op == op]
        due = next((fault for fault in laid if fault.after <= 0), None)
        for fault in laid:
            fault.after -= 1
        if due is None:
            return ""
        self._faults.remove(due)
        self._happened(due.kind)
        if due.kind in REFUSING:
            raise REFUSING[due.kind]()
        return due.kind

    def _answered(self, op: str) -> None:
        self._boundary(self.vendor.side, op, "after")

    # ---- reading

    def _shown(self, rec: Rec, fields: Sequence[str], bare: bool = False) -> Record:
        """A record as this vendor shows it, without the fields that we may not see just now."""
        self.vendor.first_shown.setdefault(rec.ref, self.vendor.now())
        self.vendor.last_shown[rec.ref] = rec
        self.vendor.left_out.discard(rec.ref)
        if not bare:
            looks = self.vendor.looks.setdefault(rec.ref, [])
            if all(rec.stamp_us >= look.stamp_us for _, look, _ in looks):  # an older copy shows nothing to whoever knows a newer one
                self.vendor.blind[rec.ref] = frozenset(self._hidden)
            looks.append((self.vendor.now(), rec, frozenset(self._hidden)))
        native = {} if bare else {name: rec.fields.get(name) for name in fields if name not in self._hidden}
        times = {name: at for name, at in rec.times.items() if name in native} if self.profile.field_times else None
        version = str(rec.stamp_us) if self.capabilities.versions else None
        return Record(
            rec.ref, native, rec.stamp_us, version, rec.life, rec.into if self.capabilities.merges == "pointer" else None,
            rec.absorbed, times or None, rec.proof,
        )  # fmt: skip

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        if cursor is None or cursor.token:
            return self._listing(fields, cursor)
        return self._changes(fields, cursor, self.capabilities.overlap_s)

    def _changes(self, fields: tuple[str, ...], cursor: Cursor, overlap_s: int) -> Iterator[Page]:
        """What the index knows to have changed. A page is a call; a row edited meanwhile is shown again, or next time."""
        rows: list[str] | None = None
        began_us, since = 0, since_us(cursor, overlap_s)
        while rows is None or rows:
            kind = self._call("pull")
            if rows is None:
                began_us, rows = self.vendor.clock(), self._changed(since)
                self.vendor.polls.append(self.vendor.now())
            here, rows = rows[: self.profile.page], rows[self.profile.page :]
            if kind == "twice":
                rows = [*rows, *here]
            shown = [rec for ref in here if (rec := self._stale(ref, kind) or self.vendor.indexed(ref)) is not None]
            records = [self._shown(rec, fields) for rec in shown if rec.life == "live" or self.profile.shows_dead]
            self._answered("pull")
            if not rows:
                cursor = finished(cursor, began_us)
            elif not self.profile.shows_dead and records and self.capabilities.merges == "none":
                cursor = within(cursor, records[-1].modified_us or 0, records[-1].ref)
            yield Page(records, cursor)

    def _changed(self, since: int) -> list[str]:
        """Refs by stamp, or by id, as the vendor sorts; those of one stamp in no order."""
        found = [rec for ref in self.vendor.records if (rec := self.vendor.indexed(ref)) is not None and rec.stamp_us >= since]
        self.vendor.rng.shuffle(found)
        by_stamp = self.capabilities.merges == "none"
        return [rec.ref for rec in sorted(found, key=lambda rec: rec.stamp_us if by_stamp else rec.ref)]

    def _listing(self, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        """Everyone by id, from the truth; then what changed meanwhile. A token says where it goes on. A part is never called complete."""
        began, _, after = (cursor.token if cursor and cursor.token else "0:").partition(":")
        began_us, whole, more = int(began), True, True
        while more:
            kind = self._call("pull")
            began_us = began_us or self.vendor.clock()
            rows = [rec for rec in sorted(self.vendor, key=lambda rec: rec.ref) if rec.ref > after and self._listed(rec)]
            here, more = rows[: self.profile.page], len(rows) > self.profile.page
            if kind == "empty":
                here, more, began_us = [], False, self.vendor.clock()
            after = here[-1].ref if here else after
            if kind == "part" and len(here) > 1:
                self.vendor.left_out.add(here[0].ref)
                here, whole = here[1:], False
            shown = [self._stale(rec.ref, kind) or rec for rec in here]
            records = [self._shown(rec, fields) for rec in (shown * 2 if kind == "twice" else shown)]
            self._answered("pull")
            yield Page(records, Cursor(0, token=f"{began_us}:{after}"))
            if kind == "empty":
                yield Page((), Cursor(began_us), complete=True)
                return
        for page in self._changes(fields, Cursor(began_us), 0):
            yield Page(page.records, Cursor(0, token=f"{began_us}:{after}"))
        yield Page((), Cursor(began_us), complete=whole)

    def _listed(self, rec: Rec) -> bool:
        return rec.life in ("live", "archived") or (rec.life == "merged" and self.capabilities.merges == "pointer")

    def _stale(self, ref: str, kind: str) -> Rec | None:
        """What an older copy shows, where there is one; noted, for whoever believes it cannot know better."""
        old = self.vendor.older(ref) if kind == "stale" and self.profile.stale and ref in self.vendor.records else None
        if old is not None:
            self.vendor.lies[ref].append(self.vendor.now())
        return old

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        size = self.capabilities.batch_read
        for start in range(0, len(refs), size):
            kind = self._call("read")
            records = [self._one(ref, fields, kind) for ref in refs[start : start + size]]
            self._answered("read")
            yield from records

    def _one(self, ref: str, fields: Sequence[str], kind: str) -> Record:
        rec = self.vendor.get(ref)
        if rec is None:
            return Record(ref, {}, liveness="gone")
        if rec.life == "merged" and self.capabilities.merges == "absorbed":
            return Record(ref, {}, liveness="merged", merged_into=end_of(self.vendor, rec).ref)
        if rec.life == "archived" and self.capabilities.merges == "absorbed":
            return Record(ref, {}, liveness="gone")
        return self._shown(self._stale(ref, kind) or rec, fields)

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        size = self.capabilities.batch_read
        for start in range(0, len(values), size):
            self._call("find")
            keys = {address_key(value) for value in values[start : start + size]}
            records = [self._shown(rec, fields) for rec in self.vendor.live() if address_key(rec.fields.get(field)) in keys]
            self._answered("find")
            yield from records

    # ---- writing

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        changes = iter(changes)
        while batch := list(islice(changes, self.capabilities.batch_write)):
            kind = self._call("push")
            half = len(batch) // 2
            sent = batch[:half] if kind == "half_down" else batch
            receipts = [
                self._spoilt(change) if kind == "items" and at % 2 == 0 else self._written(change, fields) for at, change in enumerate(sent)
            ]
            self._answered("push")
            if kind in ("lost", "half_lost"):
                known = 0 if kind == "lost" else half
                unknown = OutcomeUnknown("no answer to a write")
                self._unheard(receipts[known:])
                receipts = [*receipts[:known], *(Receipt(change.key, change.ref, error=unknown) for change in batch[known:])]
            if kind == "no_echo":
                self._unheard(receipts)
                receipts = [self._silent(receipt) for receipt in receipts]
            yield from receipts
            if kind == "half_down":
                raise Unreachable("no answer")

    def _unheard(self, receipts: Iterable[Receipt]) -> None:
        """What these answers would have shown, nobody has seen."""
        for receipt in receipts:
            if receipt.record is not None:
                self.vendor.unheard[receipt.record.ref].append(self.vendor.now())
            looks = self.vendor.looks.get(receipt.record.ref) if receipt.record is not None else None
            if looks:  # a database that was restored meanwhile has forgotten them all
                looks.pop()

    def _silent(self, receipt: Receipt) -> Receipt:
        """An answer that does not show the record."""
        if receipt.record is not None:
            self.vendor.silent[receipt.record.ref].append(self.vendor.now())
        return replace(receipt, record=None)

    def _spoilt(self, change: Change) -> Receipt:
        """One bad item in an answer that is good on the whole: refused for a while, or asked to come again.

        Who knows a create by its key knows whom it made, and so refuses it no more.
        """
        later = self.vendor.rng.random() < 0.5 or change.key in self.vendor.born
        error: SyncError = RateLimited("this one later", after_s=20) if later else Rejected("not this one")
        return Receipt(change.key, change.ref, error=error)

    def _written(self, change: Change, fields: Sequence[str]) -> Receipt:
        try:
            rec = self._desk.carry_out(change)
        except SyncError as error:
            return Receipt(change.key, change.ref, error=error)
        return Receipt(change.key, rec.ref, self._shown(rec, fields, bare=change.kind == "archive" and rec.life != "live"))
