"""HubSpot's consent channel: people are opted out of all e-mail by address. Only `hubspot_writes` imports it.

There is no way back through us: only the person can opt in again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.http import Door
from connectors.hubspot_reads import Reader
from connectors.hubspot_receipts import untold
from connectors.hubspot_shapes import OPT_OUT, is_out, text
from syncline.errors import ConsentRefused, Merged, OutcomeUnknown, Rejected, SyncError, Vanished
from syncline.ports import Change, Receipt
from syncline.records import Record

UNSUBSCRIBE = "/communication-preferences/v4/statuses/batch/unsubscribe-all"


class Consents:
    """Opt-outs, a batch a call."""

    def __init__(self, door: Door, reader: Reader) -> None:
        self._door = door
        self._reader = reader

    def push(self, fields: tuple[str, ...], batch: Sequence[Change]) -> Iterator[Receipt]:
        """Opts contacts out, by the address the change brings along, else by the one they have now."""
        outs = [change for change in batch if is_out(change.consent.get(OPT_OUT))]
        yield from (
            Receipt(change.key, change.ref, error=_only_the_person()) for change in batch if not is_out(change.consent.get(OPT_OUT))
        )
        addresses: dict[str, str | SyncError] = self._addresses(outs)
        outcome = self._unsubscribe(sorted({address for address in addresses.values() if isinstance(address, str)}))
        for change in outs:
            address = addresses[change.key]
            error = outcome[address] if isinstance(address, str) else address
            record = None if error else Record(change.ref or "", {OPT_OUT: "true"} if OPT_OUT in fields else {})
            yield Receipt(change.key, change.ref, record, error)

    def _addresses(self, changes: Sequence[Change]) -> dict[str, str | SyncError]:
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
            why = (reply.data or {}).get("message", "")
            return {addresses[0]: Rejected("HubSpot refuses to opt this address out", field="email", detail=why)}
        if reply.status == 400:
            half = len(addresses) // 2
            return self._unsubscribe(addresses[:half]) | self._unsubscribe(addresses[half:])
        done = {result.get("subscriberIdString", "").lower() for result in reply.data.get("results", ())}
        return {address: None if address in done else untold() for address in addresses}

    def at_birth(self, born: list[tuple[Change, Receipt]], fields: tuple[str, ...]) -> Iterator[Receipt]:
        addresses = [text(change.fields.get("email")).strip().lower() for change, _ in born]
        try:
            outcome = self._unsubscribe([address for address in addresses if address])
        except SyncError as failure:
            # The contacts are there: say so, and let the engine look again rather than create them twice.
            outcome = dict.fromkeys(addresses, OutcomeUnknown(f"created, but not yet opted out: {failure}"))
        for (_, receipt), address in zip(born, addresses, strict=True):
            error = outcome[address] if address else _no_address()
            yield replace(receipt, error=error) if error else replace(receipt, record=_shown_out(receipt, fields))


def _address(change: Change, record: Record | None) -> str | SyncError:
    if record is not None and record.liveness == "gone":
        return Vanished("HubSpot: the contact is not there any more")
    if record is not None and record.merged_into:
        return Merged("HubSpot: the contact was merged into another", into=record.merged_into)
    address = text(change.anchor.get("email") or (record.fields.get("email") if record else None)).strip().lower()
    return address or _no_address()


def _shown_out(receipt: Receipt, fields: tuple[str, ...]) -> Record | None:
    record = receipt.record
    return replace(record, fields={**record.fields, OPT_OUT: "true"}) if record and OPT_OUT in fields else record


def _no_address() -> SyncError:
    return Rejected("HubSpot opts people out by address, and this contact has none", field="email")


def _only_the_person() -> SyncError:
    return ConsentRefused("HubSpot: an opt-out can be taken back only by the person", field=OPT_OUT)
