"""Writes on their way: claimed in order, marked before they are sent. What became of them is `settling`'s.

A row in state "sending" may have reached the vendor: whoever finds one after a crash looks first (by ref, or by the create key) and never
blindly repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from state import codec
from state.database import among
from state.scope import Scope
from state.tables import OUTBOX
from syncline.errors import UsageError
from syncline.ports import Kind
from syncline.records import SIDES, Side

_CLAIM = sa.text("SELECT * FROM outbox WHERE sync_id = :s AND phase = :phase AND side = :side AND id > :after ORDER BY id LIMIT :limit")
_SENDING = sa.update(OUTBOX).where(among(OUTBOX.c.id, "ids")).values(state="sending")


class _Body(msgspec.Struct):
    fields: dict[str, Any]
    consent: dict[str, Any]
    expect: dict[str, Any]
    version: str | None
    anchor: dict[str, Any]
    confirms: tuple[str, ...]
    seqs: tuple[int, ...]


_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One intended write. `key` names it for ever; `seqs`: the log entries it carries out; `phase`: 0 consent, 1 everything else."""

    id: int
    run_id: int
    state: str
    phase: int
    side: Side
    contact_id: int
    kind: Kind
    key: str
    ref: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    anchor: Mapping[str, Any] = field(default_factory=dict)
    confirms: tuple[str, ...] = ()
    seqs: tuple[int, ...] = ()


class Outbox:
    """One sync's outbox."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def outbox_size(self) -> int:
        """Writes that are not settled."""
        query = sa.text("SELECT COUNT(*) FROM outbox WHERE sync_id = :s")
        with self._scope.read() as connection:
            return int(connection.execute(query, {"s": self._scope.sync_id}).scalar_one())

    def claim(self, phase: int, side: Side, limit: int, after_id: int = 0) -> list[OutboxRow]:
        """The next unsettled rows (ready or sending), oldest first, beyond `after_id`."""
        values = {"s": self._scope.sync_id, "phase": phase, "side": codec.SIDE_NO[side], "after": after_id, "limit": limit}
        with self._scope.read() as connection:
            return [_row(row) for row in connection.execute(_CLAIM, values)]

    def mark_sending(self, ids: Sequence[int]) -> None:
        """These are about to be sent: on disk before the call."""
        with self._scope.write() as connection:
            connection.execute(_SENDING, {"ids": codec.dumps(ids)})


def _row(row: Any) -> OutboxRow:
    try:
        body = _decoder.decode(row.body)
    except msgspec.DecodeError:
        raise UsageError(f"the database is damaged: outbox {row.id}, body cannot be read; restore a backup") from None
    return OutboxRow(
        row.id, row.run_id, row.state, row.phase, SIDES[row.side], row.contact_id, row.kind, row.key, row.ref, body.fields, body.consent,
        body.expect, body.version, body.anchor, body.confirms, body.seqs,
    )  # fmt: skip
