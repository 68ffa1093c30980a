"""Push and settle: carry out the outbox batch by batch, looking again before every overwrite, and let the echo become the shadow.

Consent goes first on both sides. A batch is: claim, check again, mark as sending (its own commit, so that a crash is remembered), write,
settle in one transaction. Whatever was not applied leaves its record dirty: the next round looks at the world as it is and decides anew;
intentions are never repeated blindly. One `match` on the recovery decides what becomes of a failed change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import structs

from flows.observe import digest_of, observation, salt_of
from flows.progress import Progress
from flows.settings import Context
from state.outbox import OutboxRow
from state.settling import Settled
from syncline.errors import AlreadyExists, OutcomeUnknown, Recovery, Rejected, SyncError
from syncline.plan import Hold
from syncline.ports import Change, Receipt
from syncline.records import MISSING, SIDES, Record, Side, other

FIRST_RETRY_S = 60
LONGEST_RETRY_S = 6 * 3600
WITHOUT_FIELD_TRIES = 4
"""How often one record is sent again without the field that was refused, before the whole record waits."""


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


def push(context: Context, run_id: int, progress: Progress) -> Pushed:
    """Carry out the whole outbox. A STOP error is raised once what is known has been settled; a RETRY error ends that side's part."""
    pushed = Pushed()
    progress.stage("push", context.sync.outbox_size())
    stopped: set[Side] = set()
    for phase in (0, 1):
        for side in SIDES:
            if side in stopped:
                continue
            try:
                _push_side(Sender(context, side, run_id, pushed), phase, progress)
            except SyncError as error:
                if error.recovery is not Recovery.RETRY:
                    raise
                pushed.failure = pushed.failure or error
                stopped.add(side)
                _give_back(Sender(context, side, run_id, pushed), error)
    return pushed


def _push_side(sender: Sender, phase: int, progress: Progress) -> None:
    sync, capabilities = sender.context.sync, sender.connector.capabilities
    polled = False
    while rows := sync.claim(phase, sender.side, capabilities.batch_write):
        if capabilities.recheck == "delta_poll" and not polled and any(row.kind != "create" for row in rows):
            sender.fresh, polled = _delta(sender), True
        ready, settled = _look_again(sender, rows)
        if ready:
            sync.mark_sending([row.id for row in ready])
        _send(sender, ready, settled)
        progress.advance(len(rows))


# ---------------------------------------------------------------- look again


def _look_again(sender: Sender, rows: Sequence[OutboxRow]) -> tuple[list[OutboxRow], list[Settled]]:
    """Split a batch into rows that may be written and rows that are settled already: done, or moved under our hands."""
    creates = [row for row in rows if row.kind == "create"]
    others = [row for row in rows if row.kind != "create"]
    ready, settled = _look_for_lost_creates(sender, creates)
    match sender.connector.capabilities.recheck:
        case "conditional":
            return ready + others, settled
        case "batch_read":
            current = {r.ref: r for r in _read(sender, [row.ref for row in others if row.ref])} if others else {}
        case _:
            lost = [row.ref for row in others if row.ref and row.state == "sending"]
            current = {**sender.fresh, **({r.ref: r for r in _read(sender, lost)} if lost else {})}
    moved: list[Record] = []
    for row in others:
        record = current.get(row.ref or "")
        if record is None or _as_expected(row, record):
            ready.append(row)
        elif _already(row, record):
            settled.append(_applied(sender, row, record))
        else:
            moved.append(record)
            settled.append(Settled(row, "moved"))
    _observe(sender, [*moved, *_heirs(sender, others, moved)])
    return ready, settled


def _heirs(sender: Sender, rows: Sequence[OutboxRow], records: Sequence[Record]) -> list[Record]:
    """Where the losers of a merge just vanish, one that has gone may live on in whoever holds its address: ask before calling it dead."""
    capabilities, gone = sender.connector.capabilities, {record.ref for record in records if record.liveness == "gone"}
    key = capabilities.create_key
    if capabilities.merges != "absorbed" or not key:
        return []
    addresses = {str(row.anchor[key]) for row in rows if row.ref in gone and row.anchor.get(key)}
    return [record for record in _find(sender, key, sorted(addresses)) if gone & set(record.absorbed)] if addresses else []


def _look_for_lost_creates(sender: Sender, creates: Sequence[OutboxRow]) -> tuple[list[OutboxRow], list[Settled]]:
    """A create that was being sent when we died may have been applied: look it up by the create key before sending it again."""
    key = sender.connector.capabilities.create_key
    lost = [row for row in creates if row.state == "sending"] if key else []
    if not lost:
        return list(creates), []
    found = {_fold(r.fields.get(key)): r for r in _find(sender, key, [_created_as(row, key) for row in lost])}
    ready, settled = [row for row in creates if row not in lost], []
    for row in lost:
        record = found.get(_fold(_created_as(row, key)))
        if record is None:
            ready.append(row)
        else:
            settled.append(replace(_applied(sender, row, record), found=True))
    return ready, settled


def _created_as(row: OutboxRow, key: str) -> str:
    """The value of the create key this row was, or would be, created with: a mapped field's, or the change's own key."""
    return str(row.fields.get(key, row.key))


def _as_expected(row: OutboxRow, record: Record) -> bool:
    """Whether the fields we are about to overwrite, or bury, still show what the decision was made on, and the address is still theirs."""
    if row.kind == "restore":
        return record.liveness != "live"
    decided_on = {**row.anchor, **row.expect}
    return record.liveness == "live" and all(_same(record.fields.get(name, MISSING), value) for name, value in decided_on.items())


def _already(row: OutboxRow, record: Record) -> bool:
    """Whether the record shows what we meant to write: our own write whose answer was lost, or the same edit by a person."""
    if row.kind in ("archive", "restore"):
        return (record.liveness == "live") is (row.kind == "restore")
    wanted = {**row.fields, **row.consent}
    return record.liveness == "live" and all(_same(record.fields.get(name, MISSING), value) for name, value in wanted.items())


def _same(one: Any, two: Any) -> bool:
    """Native equality; a list read from JSON and a tuple are the same, and so are null and empty text."""
    one, two = (list(v) if isinstance(v, tuple) else None if v == "" else v for v in (one, two))
    return bool(one == two)


def _delta(sender: Sender) -> dict[str, Record]:
    """One fresh poll of this side just before its writes: what changed since the round's own poll, by ref."""
    context, salt = sender.context, salt_of(sender.context)
    changed: dict[str, Record] = {}
    for page in sender.connector.pull(sender.spec.object, sender.spec.native, context.sync.cursor(sender.side)):
        known = context.sync.digests(sender.side, [record.ref for record in page.records]) if page.records else {}
        changed |= {r.ref: r for r in page.records if known.get(r.ref) != digest_of(r, salt)}
    return changed


# ---------------------------------------------------------------- send


def _send(sender: Sender, rows: list[OutboxRow], settled: list[Settled]) -> None:
    """Write a batch and settle it. What was answered before an error is settled before the error goes on."""
    waiting = {row.key: row for row in rows}
    try:
        for receipt in _receipts(sender, rows):
            row = waiting.pop(receipt.key)
            settled.append(_settle_one(sender, row, receipt))
        if waiting:
            raise OutcomeUnknown(f"{sender.connector.title} did not answer for {len(waiting)} writes of a batch")
    except OutcomeUnknown as error:
        settled += [_settle_one(sender, row, Receipt(row.key, row.ref, error=error)) for row in waiting.values()]
    except SyncError as error:
        if error.recovery is Recovery.RETRY:  # nothing of the rest was written
            settled += [_failed(sender, row, error) for row in waiting.values()]
        raise
    finally:
        _finish(sender, settled)


def _receipts(sender: Sender, rows: Sequence[OutboxRow]) -> Iterator[Receipt]:
    if not rows:
        return iter(())
    changes = (Change(r.key, r.kind, r.ref, r.fields, r.consent, r.version, r.anchor) for r in rows)
    receipts = sender.connector.push(sender.spec.object, sender.spec.native, changes)
    return _with_echoes(sender, receipts, {row.key: row for row in rows})


def _with_echoes(sender: Sender, receipts: Iterable[Receipt], rows: Mapping[str, OutboxRow]) -> Iterator[Receipt]:
    """Applied changes without an echo are read back together, once per batch: the shadow is never taken from what we sent."""
    blind = []
    for receipt in receipts:
        if receipt.error is None and receipt.record is None and rows[receipt.key].kind != "archive":
            blind.append(receipt)
        else:
            yield receipt
    if blind:
        echoes = {record.ref: record for record in _read(sender, [receipt.ref for receipt in blind if receipt.ref])}
        yield from (replace(receipt, record=echoes.get(receipt.ref or "")) for receipt in blind)


def _settle_one(sender: Sender, row: OutboxRow, receipt: Receipt) -> Settled:
    """What became of one change: the one place where an error's recovery decides."""
    error = receipt.error
    if error is None:
        return _applied(sender, row, receipt.record, receipt.ref)
    match error.recovery:
        case Recovery.HOLD:
            return _refused(sender, row, error)
        case Recovery.REREAD:
            return _reread(sender, row, error)
        case Recovery.RETRY:
            return _failed(sender, row, error)
        case _:
            raise error


def _refused(sender: Sender, row: OutboxRow, error: SyncError) -> Settled:
    """A refused field waits alone: the rest of its record is sent again without it. A refused record waits whole."""
    hold: Hold | None = None
    held: list[str] = []
    for _ in range(WITHOUT_FIELD_TRIES):
        canonical = _canonical(sender, error) if isinstance(error, Rejected) else None
        hold = hold or Hold(type(error).__name__, str(error), canonical or "", sender.side)
        if canonical is None:
            break
        held.append(canonical)
        row = _without(sender, row, canonical)
        if not row.fields and not row.consent and row.kind != "create":
            break
        receipt = next(iter(_receipts(sender, [row])))
        if receipt.error is None:
            return replace(_applied(sender, row, receipt.record, receipt.ref), hold=hold, held_fields=tuple(held))
        if receipt.error.recovery is not Recovery.HOLD:
            return _settle_one(sender, row, receipt)
        error = receipt.error
    return Settled(row, f"held:{type(error).__name__}", hold=hold, held_fields=tuple(held))


def _canonical(sender: Sender, error: Rejected) -> str | None:
    """The canonical field behind the native one that the vendor named."""
    fields = sender.context.mapping.fields
    return next((f.name for f in fields if error.field in f.lenses[sender.side].names), None) if error.field else None


def _without(sender: Sender, row: OutboxRow, canonical: str) -> OutboxRow:
    lenses = sender.context.mapping.field(canonical).lenses
    ours, theirs = lenses[sender.side].names, lenses[other(sender.side)].names
    return structs.replace(
        row,
        fields={k: v for k, v in row.fields.items() if k not in ours},
        consent={k: v for k, v in row.consent.items() if k not in ours},
        expect={k: v for k, v in row.expect.items() if k not in ours},
        confirms=tuple(name for name in row.confirms if name not in theirs),
    )


def _reread(sender: Sender, row: OutboxRow, error: SyncError) -> Settled:
    """The world is not as we thought: look, and let the next round decide. A write of ours whose answer was lost is recognised."""
    if row.kind == "create":
        records = list(_lost_create(sender, row, error))
        if records and isinstance(error, OutcomeUnknown):
            return replace(_applied(sender, row, records[0]), found=True)
        if records and not any(_may_be_the_same(sender, row, record) for record in records):
            return Settled(row, f"held:{type(error).__name__}", hold=Hold(type(error).__name__, str(error), "", sender.side))
    else:
        records = list(_read(sender, [row.ref] if row.ref else []))
        if records and _already(row, records[0]):
            return _applied(sender, row, records[0])
    _observe(sender, [*records, *_heirs(sender, [row], records)])
    return Settled(row, "moved")


def _may_be_the_same(sender: Sender, row: OutboxRow, record: Record) -> bool:
    """Whether the next round can pair them: no other contact has that record, and it shows a match key of ours, not as a second address."""
    if sender.context.sync.contact_by(sender.side, record.ref) not in (None, row.contact_id):
        return False
    keys = [match.key[sender.side] for match in sender.context.mapping.match]
    return record.liveness == "live" and any(key(row.fields) is not None and key(row.fields) == key(record.fields) for key in keys)


def _lost_create(sender: Sender, row: OutboxRow, error: SyncError) -> Iterator[Record]:
    if isinstance(error, AlreadyExists) and error.ref:
        yield from _read(sender, [error.ref])
        return
    key = sender.connector.capabilities.create_key
    if key:
        yield from _find(sender, key, [_created_as(row, key)])


# ---------------------------------------------------------------- settle


def _applied(sender: Sender, row: OutboxRow, record: Record | None, ref: str | None = None) -> Settled:
    if record is None:
        return Settled(row, "applied", ref=ref or row.ref)
    whole = len(record.fields) == len(sender.spec.native)
    digest = digest_of(record, salt_of(sender.context)) if whole else None
    seen = observation(sender.context, sender.side, record, digest)
    return Settled(row, "applied", ref=record.ref, echo=record, digest=digest, keys=(seen.key_1, seen.key_2))


def _finish(sender: Sender, settled: list[Settled]) -> None:
    if settled:
        sender.context.sync.settle(sender.run_id, settled, sender.context.clock(), sender.context.mapping.version)
    for done in settled:
        sender.pushed.count(done.result)


def _give_back(sender: Sender, error: SyncError) -> None:
    """A side that cannot be written now: its rows leave the outbox and their records stay dirty, to be decided again in time.

    Not those that an earlier run was sending when it died: they may have been applied, and are looked up when the side answers again.
    """
    for phase in (0, 1):
        while rows := [row for row in sender.context.sync.claim(phase, sender.side, 500) if row.state == "ready"]:
            _finish(sender, [_failed(sender, row, error) for row in rows])


def _failed(sender: Sender, row: OutboxRow, error: SyncError) -> Settled:
    """To be decided again after a pause that doubles with every failure, and is never shorter than the vendor's own wish."""
    delay_s = max(min(FIRST_RETRY_S * 2**row.attempts, LONGEST_RETRY_S), getattr(error, "after_s", None) or 0)
    return Settled(row, f"failed:{type(error).__name__}", retry_at_us=sender.context.clock() + round(delay_s * 1_000_000))


def _observe(sender: Sender, records: Iterable[Record]) -> None:
    salt = salt_of(sender.context)
    seen = [observation(sender.context, sender.side, record, digest_of(record, salt)) for record in records]
    if seen:
        sender.context.sync.observe_moved(sender.side, seen, sender.context.clock())


def _read(sender: Sender, refs: list[str]) -> Iterator[Record]:
    return iter(sender.connector.read(sender.spec.object, sender.spec.native, refs)) if refs else iter(())


def _find(sender: Sender, key: str, values: list[str]) -> Iterator[Record]:
    return iter(sender.connector.find(sender.spec.object, sender.spec.native, key, values))


def _fold(value: Any) -> str:
    return str(value).strip().casefold()
