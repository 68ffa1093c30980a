"""How far each side has been staged: by polls, and by a full listing that is under way.

While a listing runs, its place is the cursor, and where polls stood is kept beside it: a listing that turns out not to be one (an account
that shows nothing, a page that was lost) must not move the poll past edits that it did not show.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from state import codec
from state.scope import Scope
from state.statements import Connection
from syncline.cursor import Cursor
from syncline.records import Side

_SELECT = sa.text("SELECT at_us, ref, token, polled_us, polled_ref FROM cursor WHERE sync_id = :s AND side = :side")
_SAVE = sa.text(
    "INSERT INTO cursor (sync_id, side, at_us, ref, token) VALUES (:s, :side, :at_us, :ref, :token)"
    " ON CONFLICT (sync_id, side) DO UPDATE SET at_us = excluded.at_us, ref = excluded.ref, token = excluded.token,"
    " polled_us = CASE WHEN excluded.token IS NULL THEN NULL WHEN cursor.token IS NULL THEN cursor.at_us ELSE cursor.polled_us END,"
    " polled_ref = CASE WHEN excluded.token IS NULL THEN NULL WHEN cursor.token IS NULL THEN cursor.ref ELSE cursor.polled_ref END"
)
_FORGET = sa.text("DELETE FROM cursor WHERE sync_id = :s AND side = :side")


def save_cursor(connection: Connection, scope: Scope, side: Side, cursor: Cursor) -> None:
    """Part of the transaction that stages what it has passed."""
    connection.execute(_SAVE, {**_of(scope, side), "at_us": cursor.at_us, "ref": cursor.ref, "token": cursor.token})


class Cursors:
    """One sync's cursors."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def cursor(self, side: Side) -> Cursor | None:
        """How far that side has been staged; None before the first page or after a change of mapping."""
        with self._scope.read() as connection:
            row = connection.execute(_SELECT, _of(self._scope, side)).first()
        return None if row is None else Cursor(row.at_us, row.ref, row.token)

    def go_back(self, side: Side, otherwise: Cursor | None = None) -> None:
        """A listing is not believed: polls go on where they stood before it. Where none ever did, from `otherwise`; None: list again."""
        with self._scope.write() as connection:
            row = connection.execute(_SELECT, _of(self._scope, side)).first()
            if row is not None and row.token is None:
                return  # no place of the listing was ever saved
            cursor = otherwise if row is None or row.polled_us is None else Cursor(row.polled_us, row.polled_ref)
            if cursor is not None:
                save_cursor(connection, self._scope, side, cursor)
            else:
                connection.execute(_FORGET, _of(self._scope, side))


def _of(scope: Scope, side: Side) -> dict[str, Any]:
    return {"s": scope.sync_id, "side": codec.SIDE_NO[side]}
