"""A record that comes back to an ended contact, when its person was made anew across meanwhile: it joins the new contact.

Else both contacts have half a person, and the new one, whose record across could not be made yet, would make a second there.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from state.log import Appender, contact_keys
from state.scope import Scope
from state.statements import Connection
from syncline.identity import Paired
from syncline.log import Entry
from syncline.records import CRM, SIDES, Side

_ACROSS = "(SELECT 1 FROM record AS x WHERE x.sync_id = {0}.sync_id AND x.contact_id = {0}.contact_id AND x.side <> {0}.side"
_ENDED = f"c.state IN ('deleted', 'unlinked') AND NOT EXISTS {_ACROSS.format('r')} AND x.liveness = 0)"
_UNBORN = f"f.liveness = 0 AND h.state = 'active' AND NOT EXISTS {_ACROSS.format('f')})"
_RETURNED = {
    key: sa.text(
        "SELECT r.side, r.ref, r.contact_id AS ended, f.ref AS far, f.contact_id AS heir FROM record AS r"
        " JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id"
        f" JOIN record AS f ON f.sync_id = r.sync_id AND f.{key} = r.{key} AND f.side <> r.side"
        " JOIN contact AS h ON h.sync_id = f.sync_id AND h.id = f.contact_id"
        " WHERE r.sync_id = :s AND r.dirty = 1 AND r.contact_id IS NOT NULL AND r.liveness = 0"
        f" AND {_ENDED} AND {_UNBORN}"  # an ORDER BY would make SQLite walk every record in that order
    )
    for key in ("key_1", "key_2")
}
_LEAVES = sa.text("UPDATE record SET contact_id = NULL, shadow = NULL WHERE sync_id = :s AND side = :side AND ref = :ref")
_LOOK_AGAIN = sa.text("UPDATE record SET dirty = 1 WHERE sync_id = :s AND contact_id = :contact AND liveness <> 3")


def let_go(connection: Connection, scope: Scope, log: Appender, key: str) -> list[Paired]:
    """Take such records from their ended contacts; returns whom they pair with. Where two could be meant, nothing moves."""
    rows = sorted(connection.execute(_RETURNED[key], {"s": scope.sync_id}).all())
    meant = Counter(end for row in rows for end in ((row.side, row.ref), row.heir))
    found = [row for row in rows if meant[row.side, row.ref] == meant[row.heir] == 1]
    keys = contact_keys(connection, scope, [row.ended for row in found]) if found else {}
    for row in found:
        side = SIDES[row.side]
        connection.execute(_LEAVES, {"s": scope.sync_id, "side": row.side, "ref": row.ref})
        connection.execute(_LOOK_AGAIN, {"s": scope.sync_id, "contact": row.ended})
        reason = "its person was made anew, and goes on in another contact"
        log.add(Entry("rebind", row.ended, side=side, ref=row.ref, old=row.ref, rule="match", reason=reason), keys.get(row.ended))
    return [_paired(SIDES[row.side], row.ref, row.far, row.heir) for row in found]


def _paired(side: Side, ref: str, far: str, contact_id: int) -> Paired:
    return Paired(ref, far, contact_id) if side == CRM else Paired(far, ref, contact_id)
