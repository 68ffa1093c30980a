"""Writes on their way: claimed in order, marked before they are sent. What became of them is `settling`'s.

A row in state "sending" may have reached the vendor: whoever finds one after a crash looks first (by ref, or by the create key) and never
blindly repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from state import codec
from state.scope import Scope
from syncline.errors import UsageError
from syncline.ports import Kind
from syncline.records import SIDES, Native, Side

# By kind, because a vendor's batch holds one kind: mixed batches would cost a call for each. The version is the record's newest, for an
# earlier write of this very round may have moved it; but once the record shows more than our own writes, only the one it was decided on.
_CLAIM = sa.text(
    "SELECT o.id, o.run_id, CASE WHEN s.outbox_id IS NULL THEN 'ready' ELSE 'sending' END, o.phase, o.side, o.contact_id, o.kind, o.key,"
    " o.ref, o.body, r.version, COALESCE(r.dirty, 0), COALESCE(r.staged, 0) FROM outbox AS o"
    " LEFT JOIN record AS r ON r.sync_id = o.sync_id AND r.side = o.side AND r.ref = o.ref LEFT JOIN sent AS s ON s.outbox_id = o.id"
    " WHERE o.sync_id = :s AND o.phase = :phase AND o.side = :side ORDER BY o.kind, o.id LIMIT :limit"
)
_ATTEMPTS = sa.text("SELECT MAX(attempts) FROM record WHERE sync_id = :s AND contact_id = :contact")
_SENDING = sa.text("INSERT INTO sent (outbox_id) VALUES (:id) ON CONFLICT DO NOTHING")


class _Body(msgspec.Struct, array_like=True, gc=False):
    fields: dict[str, Any]
    consent: dict[str, Any]
    expect: dict[str, Any]
    version: str | None
    anchor: dict[str, Any]
    confirms: tuple[str, ...]
    seqs: tuple[int, ...]
    shown: dict[str, Any]
    untold: dict[Side, dict[str, Any]]
    staged: int
    born: bytes | None


_decoder = msgspec.json.Decoder(_Body)


class OutboxRow(msgspec.Struct, frozen=True, gc=False):
    """One intended write. `key` names it for ever; `seqs`: the log entries it carries out; `phase`: 0 consent, 1 everything else.

    `version`: the record's newest known one; `moved`: its record has shown something else since this was decided. `born`: where this makes
    a new contact's record across, that contact's secret.
    """

    id: int
    run_id: int
    state: str
    phase: int
    side: Side
    contact_id: int
    kind: Kind
    key: str
    ref: str | None = None
    fields: Mapping[str, Any] = {}
    consent: Mapping[str, Any] = {}
    expect: Mapping[str, Any] = {}
    version: str | None = None
    anchor: Mapping[str, Any] = {}
    confirms: tuple[str, ...] = ()
    seqs: tuple[int, ...] = ()
    shown: Mapping[str, Any] = {}
    untold: Mapping[Side, Native] = {}
    moved: bool = False
    born: bytes | None = None


class Outbox:
    """One sync's outbox."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def outbox_size(self) -> int:
        """Writes that are not settled."""
        query = sa.text("SELECT COUNT(*) FROM outbox WHERE sync_id = :s")
        with self._scope.read() as connection:
            return int(connection.execute(query, {"s": self._scope.sync_id}).scalar_one())

    def claim(self, phase: int, side: Side, limit: int) -> list[OutboxRow]:
        """The next unsettled rows (ready or sending), kind by kind, oldest first."""
        values = {"s": self._scope.sync_id, "phase": phase, "side": codec.SIDE_NO[side], "limit": limit}
        with self._scope.read() as connection:
            return list(map(_row, connection.execute(_CLAIM, values).cursor.fetchall()))

    def attempts(self, contact_id: int) -> int:
        """How often writes to this contact have failed since the last that did not."""
        with self._scope.read() as connection:
            return connection.execute(_ATTEMPTS, {"s": self._scope.sync_id, "contact": contact_id}).scalar() or 0

    def mark_sending(self, ids: Sequence[int]) -> None:
        """These are about to be sent: on disk before the call."""
        with self._scope.write() as connection:
            self._scope.db.many(connection, _SENDING, [(id,) for id in ids])


def _row(row: tuple[Any, ...]) -> OutboxRow:
    id, run_id, state, phase, side, contact_id, kind, key, ref, text, version, dirty, staged = row
    try:
        body = _decoder.decode(text)
    except msgspec.DecodeError:
        raise UsageError(f"the database is damaged: outbox {id}, body cannot be read; restore a backup") from None
    moved = bool(dirty) or staged > body.staged
    return OutboxRow(
        id, run_id, state, phase, SIDES[side], contact_id, kind, key, ref, body.fields, body.consent,
        body.expect, (not moved and version) or body.version, body.anchor, body.confirms, body.seqs, body.shown, body.untold,
        moved, body.born,
    )  # fmt: skip
