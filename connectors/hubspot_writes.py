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
from connectors.hubspot_consent import Consents
from connectors.hubspot_reads import BATCH, CONTACTS, Reader
from connectors.hubspot_receipts import problem_of, receipts_of, refused_keys
from connectors.hubspot_shapes import ANSWER, OPT_OUT, STAGE, Answer, is_out, text
from syncline.errors import OutcomeUnknown, Rejected, SyncError
from syncline.ports import Change, Kind, Receipt
from syncline.records import Record

KINDS: tuple[Kind, ...] = ("consent", "create", "update", "archive", "restore")

Batch = Sequence[Change]
Fields = tuple[str, ...]
Step = Callable[[Fields, Batch], Iterator[Receipt]]
Entry = Callable[[Change], dict[str, Any]]


class Writer:
    """All writes, over one door. `create_key`: the unique property that creates go through, if the account has one."""

    def __init__(self, door: Door, reader: Reader, create_key: str | None) -> None:
        self._door = door
        self._create_key = create_key
        self._consents = Consents(door, reader)
        self._steps: Mapping[Kind, Step] = {
            "consent": self._consents.push,
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
            yield from self._consents.at_birth(born_out, fields)

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
            yield from receipts_of(reply.data or Answer(), batch, fields)
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


def _no_restore(_fields: Fields, batch: Batch) -> Iterator[Receipt]:
    error = Rejected("HubSpot brings an archived contact back only by hand, within 90 days")
    return (Receipt(change.key, change.ref, error=error) for change in batch)
