"""Mailchimp's writes: consent and addresses one by one, everything else in batches of 500. Only `connectors.mailchimp` imports it.

It promises: a batch never carries the status of an existing member; nobody is subscribed unless the change says so; an update replaces tags
only if the change holds tags; no write is sent twice. Batches are keyed by address, so no batch holds one address twice, and an echo that
names another member than the one meant is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, Generic, Literal

import msgspec

from connectors.http import Door
from connectors.mailchimp_shapes import NO_CONSENT, AnyMember, address_hash, refusal, shape, to_body, to_record
from syncline.errors import AlreadyExists, OutcomeUnknown, Recovery, Rejected, Stale, SyncError, Vanished
from syncline.ports import Change, Receipt
from syncline.records import Record, value

BATCH = 500
MEMBER = "/lists/{list}/members/{member}"
EXISTS = "ERROR_CONTACT_EXISTS"
ADDRESS = "email_address"
ABSENT = "Mailchimp has no such member any more"

Mode = Literal["create", "update", "retag"]
MODES: Mapping[Mode, Mapping[str, bool]] = {
    "create": {"update_existing": False, "sync_tags": False},
    "update": {"update_existing": True, "sync_tags": False},
    "retag": {"update_existing": True, "sync_tags": True},
}
"""`sync_tags` replaces the tags of every member in the batch, also of one that brings none: so only updates of tags travel with it."""


class _Answer(msgspec.Struct, Generic[AnyMember]):
    """What a batch came to."""

    new_members: list[AnyMember]
    updated_members: list[AnyMember]
    errors: list[dict[str, Any]]


@lru_cache(maxsize=16)
def _answers(fields: tuple[str, ...]) -> tuple[msgspec.json.Decoder[_Answer[Any]], str]:
    """Decodes a batch's answer for echoes of `fields`; and the attribute of its members that holds the address."""
    member = shape(tuple(dict.fromkeys((*fields, ADDRESS)))).member
    address = next(field.name for field in msgspec.structs.fields(member) if field.encode_name == ADDRESS)
    return msgspec.json.Decoder(_Answer[member]), address  # type: ignore[valid-type]


@value
class _Row:
    """One member of a batch. Two rows may never share `address`, in lower case, in one batch."""

    address: str
    change: Change
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """Sends changes to one audience; echoes hold `fields`. `member` reads one member's body by contact_id or address hash, or None."""

    door: Door
    audience: str
    fields: tuple[str, ...]
    member: Callable[[str], Mapping[str, Any] | None]

    def push(self, changes: Iterable[Change]) -> Iterator[Receipt]:
        """One receipt a change. What stops everything (credentials, throttling) is raised, after the receipts of what was done."""
        changes = iter(changes)
        while chunk := list(islice(changes, BATCH)):
            batchable = [change for change in chunk if change.kind == "update" and _stays(change)]
            yield from self._singly(self._consent, [change for change in chunk if change.kind == "consent"])
            yield from self._create([change for change in chunk if change.kind == "create"])
            yield from self._batches("update", [change for change in batchable if "tags" not in change.fields])
            yield from self._batches("retag", [change for change in batchable if "tags" in change.fields])
            yield from self._singly(self._move, [change for change in chunk if change.kind == "update" and not _stays(change)])
            yield from self._singly(self._restore, [change for change in chunk if change.kind == "restore"])
            yield from self._singly(self._archive, [change for change in chunk if change.kind == "archive"])

    def _singly(self, write: Callable[[Change], Receipt], changes: Sequence[Change]) -> Iterator[Receipt]:
        """Eight at a time. An error that is not about one change stops the rest, and is raised once those under way have their receipts."""
        ending: list[SyncError] = []

        def attempt(change: Change) -> Receipt:
            try:
                return write(change)
            except SyncError as error:
                return Receipt(change.key, change.ref, error=error)

        for receipt in self.door.spread(attempt, takewhile(lambda _: not ending, changes)):
            if receipt.error and receipt.error.recovery in (Recovery.STOP, Recovery.RETRY):
                ending.append(receipt.error)
            else:
                yield receipt
        if ending:
            raise ending[0]

    def _consent(self, change: Change) -> Receipt:
        """Looked up first: a status, any status, would bring an archived member back."""
        member = self._found(change)
        if member["status"] not in ("archived", change.consent["status"]):
            member = self._call("PATCH", change, {"status": change.consent["status"]})
        return self._echo(change, member)

    def _create(self, changes: Sequence[Change]) -> Iterator[Receipt]:
        """A member who comes back from the archive has the old tags again, whatever a create says: the new ones follow."""
        tagged = {change.key: change for change in changes if "tags" in change.fields}
        late = []
        for receipt in self._batches("create", changes):
            change = tagged.get(receipt.key)
            shown = receipt.record.fields.get("tags") if receipt.record else None
            if change is None or shown is None or set(shown) == set(change.fields["tags"] or ()):
                yield receipt
            else:
                late.append(_tags(change, str(change.fields[ADDRESS])))
        yield from self._retag(late) if late else ()

    def _retag(self, rows: Sequence[_Row]) -> Iterator[Receipt]:
        """The tags of members that were just written without them."""
        waiting = {row.change.key: row for row in rows}
        try:
            for receipt in self._send("retag", rows):
                del waiting[receipt.key]
                yield receipt
        except SyncError as error:
            yield from self._all(list(waiting.values()), OutcomeUnknown(f"all was written but the tags: {error}"))

    def _move(self, change: Change) -> Receipt:
        """An update of one member by its id, with its new address. Tags are no part of a member's own body: they follow."""
        body = to_body(change, self.fields)
        tagged = body.pop("tags", None) is not None
        member = self._call("PATCH", change, body)
        return self._echo(change, member) if not tagged else next(self._retag([_tags(change, member[ADDRESS])]))

    def _restore(self, change: Change) -> Receipt:
        """Back from the archive with the consent asked for. Looked up first: a PUT would make a new member of one deleted for ever."""
        member = self._found(change)
        if member["status"] != "archived":
            return self._echo(change, member)
        status = change.consent.get("status", NO_CONSENT)
        body = {"email_address": member["email_address"], "status_if_new": status, "status": status}
        return self._echo(change, self._call("PUT", change, body))

    def _archive(self, change: Change) -> Receipt:
        self._call("DELETE", change, None)
        return Receipt(change.key, change.ref)

    def _found(self, change: Change) -> Mapping[str, Any]:
        member = self.member(change.ref or "")
        if member is None:
            raise Vanished(ABSENT)
        return member

    def _call(self, method: str, change: Change, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        args = {"list": self.audience, "member": change.ref or ""}
        member: Mapping[str, Any] = self.door.call(method, MEMBER, args=args, json=body, purpose="write").data
        return member

    def _batches(self, mode: Mode, changes: Sequence[Change]) -> Iterator[Receipt]:
        rows = [_row(mode, change, self.fields) for change in changes]
        while rows:
            first = {row.address: row for row in reversed(rows)}
            yield from self._send(mode, list(first.values())[::-1])
            rows = [row for row in rows if first[row.address] is not row]

    def _send(self, mode: Mode, rows: Sequence[_Row]) -> Iterator[Receipt]:
        """One batch. A batch refused as a whole is halved until the member that spoils it stands alone."""
        body = {"members": [row.body for row in rows], **MODES[mode]}
        try:
            decoder, address = _answers(self.fields)
            answer = self.door.call("POST", "/lists/{list}", args={"list": self.audience}, json=body, purpose="write", decoder=decoder).data
        except Rejected as error:
            half = len(rows) // 2
            parts = (rows[:half], rows[half:]) if half else ()
            yield from (receipt for part in parts for receipt in self._send(mode, part))
            yield from () if half else self._all(rows, error)
        except OutcomeUnknown as error:
            yield from self._all(rows, error)
        else:
            yield from self._receipts(rows, answer, address)

    def _receipts(self, rows: Sequence[_Row], answer: _Answer[Any], address: str) -> Iterator[Receipt]:
        done = {getattr(member, address).lower(): member for member in (*answer.new_members, *answer.updated_members)}
        refused = {error[ADDRESS].lower(): error for error in answer.errors}
        record = shape(self.fields).record
        doubtful = [row for row in rows if row.address not in done and _doubtful(row, refused.get(row.address))]
        for row in rows:
            if row.address in done:
                yield _echoed(row.change, record(done[row.address]))
            elif row not in doubtful:
                yield Receipt(row.change.key, row.change.ref, error=_failure(refused.get(row.address)))
        for row, there in zip(doubtful, self.door.spread(self._look, doubtful), strict=True):
            yield _explained(row, there, refused[row.address])

    def _look(self, row: _Row) -> Mapping[str, Any] | SyncError | None:
        """The member a refused row is about, or why it cannot be told."""
        try:
            return self.member(row.change.ref or address_hash(row.address))
        except SyncError as error:
            return error

    def _echo(self, change: Change, member: Mapping[str, Any]) -> Receipt:
        return _echoed(change, to_record(member, self.fields))

    def _all(self, rows: Sequence[_Row], error: SyncError) -> Iterator[Receipt]:
        return (Receipt(row.change.key, row.change.ref, error=error) for row in rows)


def _echoed(change: Change, record: Record) -> Receipt:
    if change.ref not in (None, record.ref):
        return Receipt(change.key, change.ref, error=Vanished("this address belongs to another Mailchimp member now"))
    if record.liveness == "archived":
        return Receipt(change.key, record.ref, error=Vanished("this Mailchimp member was archived meanwhile"))
    return Receipt(change.key, record.ref, record)


def _stays(change: Change) -> bool:
    """Its address is known and does not change, so a batch can name the member by it."""
    return "email_address" in change.anchor and "email_address" not in change.fields


def _row(mode: Mode, change: Change, fields: tuple[str, ...]) -> _Row:
    own = to_body(change, fields)
    body = {"status": NO_CONSENT, **own, **change.consent} if mode == "create" else {**own, "email_address": change.anchor["email_address"]}
    return _Row(str(body.get("email_address", "")).strip().lower(), change, body)


def _tags(change: Change, address: str) -> _Row:
    """The change's tags alone."""
    return _Row(address.strip().lower(), change, {ADDRESS: address, "tags": list(change.fields["tags"] or ())})


def _doubtful(row: _Row, problem: Mapping[str, Any] | None) -> bool:
    """Refused, and only a look at the member tells why: a create met somebody, or an update met nobody (or not whom it meant)."""
    return problem is not None and (problem.get("error_code") == EXISTS or (row.change.ref is not None and not problem.get("field")))


def _explained(row: _Row, there: Mapping[str, Any] | SyncError | None, problem: Mapping[str, Any]) -> Receipt:
    key, ref, known = row.change.key, row.change.ref, there if isinstance(there, Mapping) else None
    if ref is None:
        owner = known["contact_id"] if known else None
        return Receipt(key, owner, error=AlreadyExists("Mailchimp has a member with this address", ref=owner))
    if there is None:
        return Receipt(key, ref, error=Vanished(ABSENT))
    if known and known["email_address"].lower() != row.address:
        return Receipt(key, ref, error=Stale("this Mailchimp member has another address now"))
    return Receipt(key, ref, error=_failure(problem))


def _failure(problem: Mapping[str, Any] | None) -> SyncError:
    if problem is None:
        return OutcomeUnknown("Mailchimp's answer to a batch does not name this member")
    return refusal(problem.get("error", ""), problem.get("field"))
