"""Tryton's writes: many parties a call, each call one transaction. Only `connectors.tryton` imports it.

It promises: a write is held against the stamps it was decided on; one bad row holds up nobody else (a refused call is halved until that row
stands alone); a create that is sent again finds the party it made, by the change's key, which the party carries as an identifier; the echo
is read back after each call.
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
                version = change.version or _standing_version(known[change.ref or ""])
                rows.append(_Row(change, content(change, version), version))
            except SyncError as error:
                yield Receipt(change.key, change.ref, error=error)
        yield from self._atomic(rows, self._write)

    def _values(self, change: Change, version: str) -> Mapping[str, Any]:
        archived = {"active": False} if change.kind == "archive" else {}
        return {**values(change, standing(version), self.kinds, self.directory.names), **archived}

    def _atomic(self, rows: Sequence[_Row], send: Callable[[Sequence[_Row]], list[str]]) -> Iterator[Receipt]:
        """All rows in one call; on a refusal, which has written nothing, each half in a call of its own."""
        if not rows:
            return
        changes = [row.change for row in rows]
        try:
            refs = send(rows)
        except (Rejected, Stale) as error:
            half = len(rows) // 2
            yield from (receipt for part in (rows[:half], rows[half:]) for receipt in self._atomic(part, send)) if half else ()
            yield from () if half else [Receipt(changes[0].key, changes[0].ref, error=self._reason(rows[0], error))]
        except OutcomeUnknown as error:
            yield from (Receipt(change.key, change.ref, error=error) for change in changes)
        else:
            yield from self._applied(changes, refs)

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

    def _reason(self, row: _Row, error: SyncError) -> SyncError:
        """Why this row was refused. Tryton's own words come in its user's language, so we look at the party instead."""
        change = row.change
        if change.kind == "create":
            return self._taken(change) or _named(change, error)
        [seen] = self.read([change.ref or ""])
        if moved := _moved(seen):
            return moved
        if isinstance(error, Stale) or seen.version != row.version:
            return Stale("Tryton: the party changed since we read it")
        if seen.liveness == "archived" and change.kind != "restore":
            return Rejected("Tryton: an archived party is read-only until it is restored", detail=error.detail)
        return _named(change, error)

    def _taken(self, change: Change) -> SyncError | None:
        """The one unique field a create may bring is the party's code."""
        code = change.fields.get("code")
        ids = self.rpc.call(PARTY + "search", [["code", "=", code], EVEN_ARCHIVED], 0, 1, None) if code else []
        return AlreadyExists("Tryton has a party with this code", ref=str(ids[0])) if ids else None


def _standing_version(seen: Record) -> str:
    """The version of a party that can be written. Raises Vanished or Merged."""
    if moved := _moved(seen):
        raise moved
    return seen.version or ""


def _moved(seen: Record) -> SyncError | None:
    if seen.liveness == "merged":
        return Merged("Tryton: the party was replaced by another one", into=seen.merged_into or "")
    return Vanished("Tryton has no such party any more") if seen.liveness == "gone" else None


def _named(change: Change, error: SyncError) -> SyncError:
    """A refusal of a change of one field is a refusal of that field."""
    fields = [*change.fields, *change.consent]
    return Rejected(str(error), field=fields[0] if len(fields) == 1 else None, detail=error.detail)
