"""Tryton's writes: many parties a call, each call one transaction. Only `connectors.tryton` imports it.

It promises: a write is held against the stamps it was decided on; one bad row holds up nobody else; a create that is sent again finds the
party it made, by the change's key, which the party carries as an identifier; the echo is read back after each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from connectors.tryton_names import Directory
from connectors.tryton_rpc import Rpc
from connectors.tryton_shapes import EVEN_ARCHIVED, stamps, standing, values
from syncline.errors import AlreadyExists, Merged, OutcomeUnknown, Rejected, Stale, SyncError, Vanished
from syncline.ports import Change, Receipt
from syncline.records import Record

PARTY = "model.party.party."
KEY_PREFIX = "syncline:"


@dataclass(frozen=True, slots=True)
class _Row:
    """One party's part of a call. `values` is what Tryton gets, `version` what it is held against ("" for nothing)."""

    change: Change
    values: Mapping[str, Any]
    version: str = ""


_Send = Callable[[Sequence[_Row]], list[str]]
"""Sends all rows in one call and returns their parties' refs."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Sends changes. `kinds`: field → Tryton's type. `read` gives the records of refs, with the fields an echo must show."""

    rpc: Rpc
    directory: Directory
    kinds: Mapping[str, str]
    read: Callable[[Sequence[str]], Iterator[Record]]

    def push(self, changes: Iterable[Change], size: int) -> Iterator[Receipt]:
        """One receipt a change. What stops everything is raised, after the receipts of what was done."""
        changes = iter(changes)
        while batch := list(islice(changes, size)):
            self.directory.make_categories_for(batch)
            yield from self._creates([change for change in batch if change.kind == "create"])
            yield from self._writes([change for change in batch if change.kind != "create"])

    def _creates(self, changes: Sequence[Change]) -> Iterator[Receipt]:
        born = self._born(changes) if changes else {}
        again = [change for change in changes if change.key in born]
        yield from self._applied(again, [born[change.key] for change in again]) if again else ()
        rows = []
        for change in changes:
            try:
                rows += [] if change.key in born else [_Row(change, self._newborn(change))]
            except SyncError as error:
                yield Receipt(change.key, error=error)
        yield from self._atomic(rows, self._create)

    def _newborn(self, change: Change) -> Mapping[str, Any]:
        key = {"identifiers": [["create", [{"type": None, "code": KEY_PREFIX + change.key}]]]}
        return {**values(change, None, self.kinds, self.directory.names), **key}

    def _writes(self, changes: Sequence[Change]) -> Iterator[Receipt]:
        """An archived party is read-only, so one that is to be restored is written in a call of its own before anything else of it."""
        rest = [change for change in changes if change.kind != "restore"]
        restores = {change.key: change for change in changes if change.kind == "restore"}
        for receipt in self._held(list(restores.values()), lambda _change, _version: {"active": True}):
            change = restores[receipt.key]
            if receipt.error or not (change.fields or change.consent):
                yield receipt
            else:
                rest.append(replace(change, version=receipt.record.version if receipt.record else None))
        yield from self._held(rest, self._values)

    def _held(self, changes: Sequence[Change], content: Callable[[Change, str], Mapping[str, Any]]) -> Iterator[Receipt]:
        """Writes held against the stamps they were decided on; a change without a version is held against a look taken now."""
        blind = [change.ref or "" for change in changes if not change.version]
        known = {one.ref: one for one in self.read(blind)} if blind else {}
        rows = []
        for change in changes:
            try:
                version = change.version or _writable(known[change.ref or ""])
                rows.append(_Row(change, content(change, version), version))
            except SyncError as error:
                yield Receipt(change.key, change.ref, error=error)
        yield from self._atomic(rows, self._write)

    def _values(self, change: Change, version: str) -> Mapping[str, Any]:
        archived = {"active": False} if change.kind == "archive" else {}
        return {**values(change, standing(version), self.kinds, self.directory.names), **archived}

    def _atomic(self, rows: Sequence[_Row], send: _Send) -> Iterator[Receipt]:
        """All rows in one call, which writes all of them or none."""
        changes = [row.change for row in rows]
        try:
            refs = send(rows) if rows else []
        except (Rejected, Stale) as error:
            yield from self._refused(rows, send, error)
        except OutcomeUnknown as error:
            yield from (Receipt(change.key, change.ref, error=error) for change in changes)
        else:
            yield from self._applied(changes, refs)

    def _refused(self, rows: Sequence[_Row], send: _Send, error: SyncError) -> Iterator[Receipt]:
        """One look tells whose record has moved; the others are sent again, in halves if the look told nothing, down to the one bad row.

        Tryton does not say which row it was, and says why only in its user's language.
        """
        reasons = self._taken(rows) if send == self._create else self._moved(rows)
        yield from (Receipt(row.change.key, row.change.ref, error=reasons[row.change.key]) for row in rows if row.change.key in reasons)
        rest = [row for row in rows if row.change.key not in reasons]
        if len(rows) == 1:
            yield from (Receipt(row.change.key, row.change.ref, error=_named(row.change, error)) for row in rest)
        elif reasons:
            yield from self._atomic(rest, send)
        else:
            yield from self._atomic(rest[: len(rest) // 2], send)
            yield from self._atomic(rest[len(rest) // 2 :], send)

    def _create(self, rows: Sequence[_Row]) -> list[str]:
        ids = self.rpc.call(PARTY + "create", [row.values for row in rows], purpose="write")
        return [str(number) for number in ids]

    def _write(self, rows: Sequence[_Row]) -> list[str]:
        held = {key: stamp for row in rows for key, stamp in stamps(row.change.ref or "", standing(row.version)).items()}
        pairs = [part for row in rows if row.values for part in ([int(row.change.ref or 0)], row.values)]
        if pairs:
            self.rpc.call(PARTY + "write", *pairs, context={"_timestamp": held}, purpose="write")
        return [row.change.ref or "" for row in rows]

    def _applied(self, changes: Sequence[Change], refs: Sequence[str]) -> Iterator[Receipt]:
        """Receipts with the echo, or without it when it cannot be read now."""
        try:
            echo = {one.ref: one for one in self.read(refs)}
        except SyncError:
            echo = {}
        return (Receipt(change.key, ref, echo.get(ref)) for change, ref in zip(changes, refs, strict=True))

    def _born(self, changes: Sequence[Change]) -> dict[str, str]:
        """Change key → party, for those that an earlier try has created."""
        codes = [KEY_PREFIX + change.key for change in changes]
        found = self.rpc.call(
            "model.party.identifier.search_read", [["code", "in", codes], EVEN_ARCHIVED], 0, None, None, ["code", "party"]
        )
        return {row["code"].removeprefix(KEY_PREFIX): str(row["party"]) for row in found}

    def _moved(self, rows: Sequence[_Row]) -> dict[str, SyncError]:
        """Change key → what has happened to its party since the write was decided."""
        now = {one.ref: one for one in self.read([row.change.ref or "" for row in rows])}
        looked = {row.change.key: _since(now[row.change.ref or ""], row.version) for row in rows}
        return {key: error for key, error in looked.items() if error}

    def _taken(self, rows: Sequence[_Row]) -> dict[str, SyncError]:
        """Change key → who has its code: the one unique field that a create may bring."""
        codes = {row.values["code"]: row.change.key for row in rows if row.values.get("code")}
        domain = [["code", "in", list(codes)], EVEN_ARCHIVED]
        found = self.rpc.call(PARTY + "search_read", domain, 0, None, None, ["code"]) if codes else []
        return {codes[row["code"]]: AlreadyExists("Tryton has a party with this code", ref=str(row["id"])) for row in found}


def _writable(seen: Record) -> str:
    """The version of a party that is still itself. Raises Vanished or Merged."""
    if error := _since(seen, seen.version or ""):
        raise error
    return seen.version or ""


def _since(seen: Record, version: str) -> SyncError | None:
    """What has happened to a party since it had `version`; None if nothing."""
    if seen.liveness == "merged":
        return Merged("Tryton: the party was replaced by another one", into=seen.merged_into or "")
    if seen.liveness == "gone":
        return Vanished("Tryton has no such party any more")
    return Stale("Tryton: the party changed since we read it") if seen.version != version else None


def _named(change: Change, error: SyncError) -> SyncError:
    """A refusal of a change of one field is a refusal of that field."""
    fields = [*change.fields, *change.consent]
    if isinstance(error, Stale):
        return error
    return Rejected(str(error), field=fields[0] if len(fields) == 1 else None, detail=error.detail)
