"""Push and settle: carry out the outbox batch by batch, looking again before every overwrite, and let the echo become the shadow.

Consent goes first on both sides. A batch is: claim, check again, mark as sending (its own commit, so that a crash is remembered), write,
settle in one transaction. Whatever was not applied leaves its record dirty: the next round looks at the world as it is and decides anew;
intentions are never repeated blindly. One `match` on the recovery decides what becomes of a failed change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from flows.progress import Progress
from flows.recheck import as_shown, behind, created_as, delta, heirs, look_again, without
from flows.sender import Pushed, Sender, applied, find, note_world, read
from flows.settings import Context
from state.echoes import APPLIED, Settled
from state.outbox import OutboxRow
from syncline.errors import AlreadyExists, OutcomeUnknown, Recovery, Rejected, SyncError, Unreachable
from syncline.plan import Hold
from syncline.ports import Change, Receipt
from syncline.records import SIDES, Record, Side

FIRST_RETRY_S = 60
LONGEST_RETRY_S = 6 * 3600
WITHOUT_FIELD_TRIES = 4
"""How often one record is sent again without the field that was refused, before the whole record waits."""


def push(context: Context, run_id: int, progress: Progress, pushed: Pushed) -> None:
    """Carry out the whole outbox, counting into `pushed`.

    A STOP error is raised once what is known has been settled; a RETRY error ends that side's part.
    """
    size = context.sync.outbox_size()
    progress.stage("push", size)
    if not size:
        return
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


def _push_side(sender: Sender, phase: int, progress: Progress) -> None:
    sync, capabilities = sender.context.sync, sender.connector.capabilities
    polled = False
    while rows := sync.claim(phase, sender.side, capabilities.batch_write):
        if capabilities.recheck == "delta_poll" and not polled and any(row.kind != "create" for row in rows):
            sender.fresh, polled = delta(sender), True
        ready, settled = look_again(sender, rows)
        if ready:
            sync.mark_sending([row.id for row in ready])
        _send(sender, ready, settled)
        progress.advance(len(rows))


# ---------------------------------------------------------------- send


def _send(sender: Sender, rows: list[OutboxRow], settled: list[Settled]) -> None:
    """Write a batch and settle it. What was answered before an error is settled before the error goes on."""
    waiting = {row.key: row for row in rows}
    try:
        _settle_answers(sender, waiting, _receipts(sender, rows), settled)
    except OutcomeUnknown as error:
        unborn = [row for row in waiting.values() if _only_the_key_knows(sender, row, error)]
        known = (_settle_one(sender, row, Receipt(row.key, row.ref, error=error)) for row in waiting.values() if row not in unborn)
        settled += [done for done in known if done is not None]
        if unborn:
            raise Unreachable(f"{sender.connector.title} did not say whether {len(unborn)} records were made; it is asked again") from error
    except SyncError as error:
        if error.recovery is Recovery.RETRY:  # nothing of the rest was written
            settled += [_failed(sender, row, error) for row in waiting.values() if not _only_the_key_knows(sender, row, error)]
        raise
    finally:
        _finish(sender, settled)


def _settle_answers(sender: Sender, waiting: dict[str, OutboxRow], receipts: Iterable[Receipt], settled: list[Settled]) -> None:
    """Settle what was answered; what was not stays in `waiting`, and an error says why.

    When the second look at one change fails, the rest of its batch is settled all the same: that was written, and has its answers.
    """
    unseen: dict[str, SyncError] = {}
    for receipt in receipts:
        if unseen and receipt.error is not None:
            unseen[receipt.key] = receipt.error  # no second look at this one either: the side does not answer now
            continue
        try:
            done = _settle_one(sender, waiting[receipt.key], receipt)
        except SyncError as error:
            if error.recovery is not Recovery.RETRY:
                raise
            unseen[receipt.key] = error
            continue
        if done is not None:
            del waiting[receipt.key]
            settled.append(done)
    if waiting.keys() - unseen:
        raise OutcomeUnknown(f"{sender.connector.title} did not answer for {len(waiting)} writes of a batch")
    if unseen:
        raise next(iter(unseen.values()))


def _only_the_key_knows(sender: Sender, row: OutboxRow, error: SyncError | None) -> bool:
    """A create without an answer that no look-up can find: it stays marked as sending, and is sent again by the change's own key.

    Decided anew it would have another key, and the record would be made twice. Being asked to come later is no answer to the first try.
    """
    if row.kind != "create" or error is None or sender.connector.capabilities.create_key:
        return False
    return isinstance(error, OutcomeUnknown) or (row.state == "sending" and error.recovery is Recovery.RETRY)


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
        echoes = _read_back(sender, [receipt.ref for receipt in blind if receipt.ref])
        yield from (replace(receipt, record=echoes.get(receipt.ref or "")) for receipt in blind)


def _read_back(sender: Sender, refs: list[str]) -> dict[str, Record]:
    """The echoes by ref; none when the side cannot be read just now: what was written stays written, and the next poll shows it."""
    try:
        return {record.ref: record for record in read(sender, refs)}
    except SyncError as error:
        if error.recovery is not Recovery.RETRY:
            raise
        return {}


def _settle_one(sender: Sender, row: OutboxRow, receipt: Receipt) -> Settled | None:
    """What became of one change: the one place where an error's recovery decides. None: only its key can tell, later."""
    error = receipt.error
    if _only_the_key_knows(sender, row, error):
        return None
    if error is None:
        done = applied(sender, row, receipt.record, receipt.ref)
        # A create sent again may answer with the record that the first one made, and that somebody has edited since.
        return replace(done, found=True) if row.kind == "create" and row.state == "sending" else done
    match error.recovery:
        case Recovery.HOLD:
            return _refused(sender, row, error)
        case Recovery.REREAD:
            return _reread(sender, row, error)
        case Recovery.RETRY:
            return _failed(sender, row, error)
        case _:
            raise error


def _refused(sender: Sender, row: OutboxRow, error: SyncError) -> Settled | None:
    """A refused field waits alone: the rest of its record is sent again without it. A refused record waits whole.

    What shares the refused native name was not written either, and waits with it.
    """
    holds: list[Hold] = []
    for _ in range(WITHOUT_FIELD_TRIES):
        sent = {error.field} & {*row.fields, *row.consent} if isinstance(error, Rejected) and error.field else ()
        if not sent:  # the whole record is refused, or for a field that we have not sent: without it, it would be the same again
            break
        refused = behind(sender, sent)
        holds += (_hold(sender, error, name) for name in refused)
        row = without(sender, row, refused)
        if not row.fields and not row.consent and row.kind != "create":
            return Settled(row, f"held:{type(error).__name__}", holds=tuple(holds))
        sender.context.sync.mark_sending([row.id])  # fails when another run has taken over while the vendor answered
        receipt = next(iter(_receipts(sender, [row])))
        if receipt.error is None or receipt.error.recovery is not Recovery.HOLD:
            done = _settle_one(sender, row, receipt)
            if done is None or done.result != APPLIED:
                return done
            if done.left_out:  # it is decided again, and refused again
                return replace(done, left_out=(*done.left_out, *(hold.field for hold in holds)))
            return replace(done, holds=tuple(holds))
        error = receipt.error
    return Settled(row, f"held:{type(error).__name__}", holds=(*holds, _hold(sender, error)))


def _hold(sender: Sender, error: SyncError, field: str = "") -> Hold:
    return Hold(type(error).__name__, str(error), field, sender.side)


def _reread(sender: Sender, row: OutboxRow, error: SyncError) -> Settled:
    """The world is not as we thought: look, and let the next round decide. A write of ours whose answer was lost is recognised."""
    if row.kind == "create":
        records = list(_lost_create(sender, row, error))
        if records and isinstance(error, OutcomeUnknown):
            return replace(applied(sender, row, records[0]), found=True)
        if records and not any(_may_be_the_same(sender, row, record) for record in records):
            return Settled(row, f"held:{type(error).__name__}", holds=(_hold(sender, error),))
    else:
        records = list(read(sender, [row.ref] if row.ref else []))
        done = as_shown(sender, row, records[0]) if records else None
        if done is not None:
            return done
    note_world(sender, [*records, *heirs(sender, [row], records)])
    return Settled(row, "moved")


def _may_be_the_same(sender: Sender, row: OutboxRow, record: Record) -> bool:
    """Whether the next round can pair them: no other contact has that record, and it shows a match key of ours, not as a second address."""
    if sender.context.sync.contact_by(sender.side, record.ref) not in (None, row.contact_id):
        return False
    keys = [match.key[sender.side] for match in sender.context.mapping.match]
    return record.liveness == "live" and any(key(row.fields) is not None and key(row.fields) == key(record.fields) for key in keys)


def _lost_create(sender: Sender, row: OutboxRow, error: SyncError) -> Iterator[Record]:
    if isinstance(error, AlreadyExists) and error.ref:
        yield from read(sender, [error.ref])
        return
    key = sender.connector.capabilities.create_key
    if key:
        yield from find(sender, key, [created_as(row, key)])


# ---------------------------------------------------------------- settle


def _finish(sender: Sender, settled: list[Settled]) -> None:
    for done in sender.context.sync.settle(sender.run_id, settled, sender.context.clock(), sender.context.mapping.version):
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
    attempts = sender.context.sync.attempts(row.contact_id)
    delay_s = max(min(FIRST_RETRY_S * 2**attempts, LONGEST_RETRY_S), getattr(error, "after_s", None) or 0)
    return Settled(row, f"failed:{type(error).__name__}", retry_at_us=sender.context.clock() + round(delay_s * 1_000_000))
