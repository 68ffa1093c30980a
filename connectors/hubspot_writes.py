"""Writing HubSpot contacts: batches of 100, one receipt a change. Only `hubspot*` import it.

A batch is done, done in part (207), or refused whole because of one item. Then the item is taken out by its trace id, or found by
halving, so that it never costs its neighbours. The echo is made from the write's own answer: no call is spent on reading back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, takewhile
from typing import Any

from connectors.http import Door
from connectors.hubspot_problems import problem_of, refused_keys
from connectors.hubspot_reads import BATCH, CONTACTS, Reader
from connectors.hubspot_shapes import ANSWER, OPT_OUT, STAGE, Answer, Row, instant_us, is_out, text
from syncline.errors import ConsentRefused, Merged, OutcomeUnknown, Rejected, SyncError, Vanished
from syncline.ports import Change, Kind, Receipt
from syncline.records import Record

KINDS: tuple[Kind, ...] = ("consent", "create", "update", "archive", "restore")
UNSUBSCRIBE = "/communication-preferences/v4/statuses/batch/unsubscribe-all"

Batch = Sequence[Change]
Fields = tuple[str, ...]
Step = Callable[[Fields, Batch], Iterator[Receipt]]
Entry = Callable[[Change], dict[str, Any]]


class Writer:
    """All writes, over one door. `create_key`: the unique property that creates go through, if the account has one."""

    def __init__(self, door: Door, reader: Reader, create_key: str | None) -> None:
        self._door = door
        self._reader = reader
        self._create_key = create_key
        self._steps: Mapping[Kind, Step] = {
            "consent": self._consent,
            "create": self._create,
            "update": self._update,
            "archive": self._archive,
            "restore": _no_restore,
        }

    def push(self, fields: Fields, changes: Iterable[Change]) -> Iterator[Receipt]:
        """One receipt a change. Batches of one kind are in flight together, kinds are not.

        When an error must end the run, what was done is told first.
        """
        for (kind, _), group in groupby(_batches(changes), key=lambda item: item[0]):
            yield from self._group(self._steps[kind], fields, (batch for _, batch in group))

    def _group(self, step: Step, fields: Fields, batches: Iterator[Batch]) -> Iterator[Receipt]:
        failures: list[SyncError] = []

        def deliver(batch: Batch) -> list[Receipt]:
            receipts: list[Receipt] = []
            try:
                for receipt in step(fields, batch):
                    receipts.append(receipt)
            except SyncError as error:
                failures.append(error)
            return receipts

        for receipts in self._door.spread(deliver, takewhile(lambda _: not failures, batches)):
            yield from receipts
        if failures:
            raise failures[0]

    def _create(self, fields: Fields, batch: Batch) -> Iterator[Receipt]:
        """New contacts; those born opted out are opted out at once, by address, before their receipt is given."""
        key = self._create_key
        if key:
            path, entry = "batch/upsert", lambda c: {"id": c.key, "idProperty": key, "properties": _texts(c)}
        else:
            path, entry = "batch/create", lambda c: {"properties": {name: value for name, value in _texts(c).items() if value}}
        born_out: list[tuple[Change, Receipt]] = []
        by_key = {change.key: change for change in batch}
        for receipt in self._send(path, entry, fields, batch, repeat=bool(key)):
            change = by_key[receipt.key]
            if receipt.error is None and is_out(change.consent.get(OPT_OUT)):
                born_out.append((change, receipt))
            else:
                yield receipt
        if born_out:
            yield from self._opted_out_at_birth(born_out, fields)

    def _opted_out_at_birth(self, born: list[tuple[Change, Receipt]], fields: Fields) -> Iterator[Receipt]:
        addresses = [text(change.fields.get("email")).strip().lower() for change, _ in born]
        try:
            outcome = self._unsubscribe([address for address in addresses if address])
        except SyncError as failure:
            # The contacts are there: say so, and let the engine look again rather than create them twice.
            outcome = dict.fromkeys(addresses, OutcomeUnknown(f"created, but not yet opted out: {failure}"))
        for (_, receipt), address in zip(born, addresses, strict=True):
            error = outcome[address] if address else _no_address()
            yield replace(receipt, error=error) if error else replace(receipt, record=_shown_out(receipt, fields))

    def _update(self, fields: Fields, batch: Batch) -> Iterator[Receipt]:
        """Only the changed properties. A stage that did not move is cleared and set again: HubSpot lets it go back in no other way."""
        by_key, stuck = {change.key: change for change in batch}, {}
        for receipt in self._send("batch/update", _update_entry, fields, batch):
            if _stage_stuck(by_key[receipt.key], receipt):
                stuck[receipt.key] = receipt
            else:
                yield receipt
        if stuck:
            yield from self._move_back([by_key[key] for key in stuck], stuck, fields)

    def _move_back(self, batch: Batch, first: Mapping[str, Receipt], fields: Fields) -> Iterator[Receipt]:
        wanted = [replace(change, fields={STAGE: change.fields[STAGE]}) for change in batch]
        cleared = [replace(change, fields={STAGE: ""}) for change in batch]
        try:
            list(self._send("batch/update", _update_entry, fields, cleared, repeat=True))
            for receipt in self._send("batch/update", _update_entry, fields, wanted, repeat=True):
                yield replace(receipt, record=_both(first[receipt.key].record, receipt.record))
        except SyncError as error:
            told = OutcomeUnknown(f"the lifecycle stage was being moved back: {error}")
            yield from (Receipt(change.key, change.ref, error=told) for change in batch)

    def _archive(self, fields: Fields, batch: Batch) -> Iterator[Receipt]:
        """Into the recycle bin. Harmless to repeat."""
        body = {"inputs": [{"id": change.ref} for change in batch]}
        self._door.call("POST", f"{CONTACTS}/batch/archive", json=body, purpose="write", repeat=True)
        yield from (Receipt(change.key, change.ref, Record(change.ref or "", {}, liveness="archived")) for change in batch)

    def _consent(self, fields: Fields, batch: Batch) -> Iterator[Receipt]:
        """Opts people out, by address. There is no way back: only the person can opt in again."""
        outs = [change for change in batch if is_out(change.consent.get(OPT_OUT))]
        yield from (Receipt(change.key, change.ref, error=_only_the_person()) for change in batch if change not in outs)
        addresses: dict[str, str | SyncError] = self._addresses(outs)
        outcome = self._unsubscribe(sorted({address for address in addresses.values() if isinstance(address, str)}))
        for change in outs:
            address = addresses[change.key]
            error = outcome[address] if isinstance(address, str) else address
            record = None if error else Record(change.ref or "", {OPT_OUT: "true"} if OPT_OUT in fields else {})
            yield Receipt(change.key, change.ref, record, error)

    def _addresses(self, changes: Batch) -> dict[str, str | SyncError]:
        """Change key → the contact's address, or why there is none."""
        unnamed = [change.ref for change in changes if change.ref and not change.anchor.get("email")]
        records = {record.ref: record for record in self._reader.read(("email",), unnamed)}
        return {change.key: _address(change, records.get(change.ref or "")) for change in changes}

    def _unsubscribe(self, addresses: Sequence[str]) -> dict[str, SyncError | None]:
        """Address → None when it is opted out, else why not. Harmless to repeat; one bad address does not cost the others."""
        if not addresses:
            return {}
        reply = self._door.call(
            "POST", UNSUBSCRIBE, query={"channel": "EMAIL"}, json={"inputs": list(addresses)}, purpose="write", repeat=True, expect=(400,)
        )
        if reply.status == 400 and len(addresses) == 1:
            return {
                addresses[0]: Rejected(
                    "HubSpot refuses to opt this address out", field="email", detail=(reply.data or {}).get("message", "")
                )
            }
        if reply.status == 400:
            half = len(addresses) // 2
            return self._unsubscribe(addresses[:half]) | self._unsubscribe(addresses[half:])
        done = {result.get("subscriberIdString", "").lower() for result in reply.data.get("results", ())}
        return {address: None if address in done else _untold() for address in addresses}

    def _send(self, path: str, entry: Entry, fields: Fields, batch: Batch, *, repeat: bool = False) -> Iterator[Receipt]:
        """One batch call, and as many more as it takes to keep refused items from the others."""
        body = {"inputs": [entry(change) | {"objectWriteTraceId": change.key} for change in batch]}
        try:
            reply = self._door.call(
                "POST", f"{CONTACTS}/{path}", json=body, purpose="write", repeat=repeat, expect=(400, 404, 409), decoder=ANSWER
            )
        except OutcomeUnknown as error:
            yield from (Receipt(change.key, change.ref, error=error) for change in batch)
            return
        if reply.status < 300:
            yield from _receipts(reply.data or Answer(), batch, fields)
            return
        problem = reply.data or {}
        refused = refused_keys(problem, batch)
        yield from (Receipt(change.key, change.ref, error=problem_of(problem, change)) for change in batch if change.key in refused)
        rest = [change for change in batch if change.key not in refused]
        middle = len(rest) if refused else len(rest) // 2
        for part in (rest[:middle], rest[middle:]):
            if part:
                yield from self._send(path, entry, fields, part, repeat=repeat)


def _batches(changes: Iterable[Change]) -> Iterator[tuple[tuple[Kind, int], list[Change]]]:
    """((kind, round), batch). A contact is in a batch once; its second change waits for a later round, which waits for the first."""
    waiting: dict[Kind, dict[str, Change]] = {kind: {} for kind in KINDS}
    rounds = 0
    for change in changes:
        batch, name = waiting[change.kind], change.ref or change.key
        if name in batch or len(batch) == BATCH:
            yield (change.kind, rounds), list(batch.values())
            rounds += name in batch
            batch.clear()
        batch[name] = change
    yield from (((kind, rounds), list(batch.values())) for kind, batch in waiting.items() if batch)


def _receipts(answer: Answer, batch: Batch, fields: Fields) -> Iterator[Receipt]:
    """Results and problems come in any order: by trace id, else by record id, else by address."""
    by_trace = {row.objectWriteTraceId: row for row in answer.results if row.objectWriteTraceId}
    by_id = {row.id: row for row in answer.results}
    by_address = {row.properties.get("email"): row for row in answer.results if row.properties.get("email")}
    problems = [(refused_keys(problem, batch), problem) for problem in answer.errors]
    for change in batch:
        row = by_trace.get(change.key) or (
            by_id.get(change.ref) if change.ref else by_address.get(text(change.fields.get("email")).lower())
        )
        problem = next((problem for keys, problem in problems if change.key in keys), None)
        if row and not problem:
            yield Receipt(change.key, row.id, _echo(row, change, fields))
        else:
            yield Receipt(change.key, change.ref, error=problem_of(problem, change) if problem else _untold())


def _echo(row: Row, change: Change, fields: Fields) -> Record | None:
    """What the answer shows of the asked fields; None, so that it is read back, if it does not show one that was written."""
    shown = row.properties
    if any(name not in shown for name, value in change.fields.items() if change.ref or text(value)):
        return None
    return Record(row.id, {name: shown[name] for name in fields if name in shown}, instant_us(row.updatedAt) if row.updatedAt else None)


def _texts(change: Change) -> dict[str, str]:
    return {name: text(value) for name, value in change.fields.items()}


def _update_entry(change: Change) -> dict[str, Any]:
    return {"id": change.ref, "properties": _texts(change)}


def _stage_stuck(change: Change, receipt: Receipt) -> bool:
    """HubSpot passes over a backward move in silence: the answer shows the old stage."""
    wanted, record = text(change.fields.get(STAGE)), receipt.record
    return bool(wanted and record and record.fields.get(STAGE, wanted) != wanted)


def _both(first: Record | None, second: Record | None) -> Record | None:
    return replace(second, fields={**first.fields, **second.fields}) if first and second else None


def _shown_out(receipt: Receipt, fields: Fields) -> Record | None:
    record = receipt.record
    return replace(record, fields={**record.fields, OPT_OUT: "true"}) if record and OPT_OUT in fields else record


def _address(change: Change, record: Record | None) -> str | SyncError:
    if record is not None and record.liveness == "gone":
        return Vanished("HubSpot: the contact is not there any more")
    if record is not None and record.merged_into:
        return Merged("HubSpot: the contact was merged into another", into=record.merged_into)
    address = text(change.anchor.get("email") or (record.fields.get("email") if record else None)).strip().lower()
    return address or _no_address()


def _no_address() -> SyncError:
    return Rejected("HubSpot opts people out by address, and this contact has none", field="email")


def _only_the_person() -> SyncError:
    return ConsentRefused("HubSpot: an opt-out can be taken back only by the person", field=OPT_OUT)


def _untold() -> SyncError:
    return OutcomeUnknown("HubSpot's answer does not say what became of this change")


def _no_restore(_fields: Fields, batch: Batch) -> Iterator[Receipt]:
    error = Rejected("HubSpot brings an archived contact back only by hand, within 90 days")
    return (Receipt(change.key, change.ref, error=error) for change in batch)
