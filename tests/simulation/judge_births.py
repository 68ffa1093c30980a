"""Whom the engine makes, asked at the moment it does: nobody twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from state import codec
from syncline.ports import Change
from syncline.records import Side, other
from tests.simulation.words import address_key

if TYPE_CHECKING:
    from tests.simulation.world import World

_MERGED = sa.text(
    "SELECT COUNT(*) FROM record AS r JOIN contact AS c ON c.sync_id = r.sync_id AND c.id = r.contact_id"
    " WHERE r.side = :side AND r.ref = :ref AND c.state = 'merged'"
)


def whose(world: World, side: Side, change: Change) -> int:
    """Whose record a create makes: only the simulation knows who has this address on the other side."""
    far = world.vendors[other(side)]
    key = address_key(change.fields.get("email"))
    found = far.at(key) or next((rec for rec in far if address_key(rec.fields.get("email")) == key), None)
    who = found.who if found is not None else -1
    _first_of(world, side, who, key, change)
    return who


def _first_of(world: World, side: Side, who: int, key: str, change: Change) -> None:
    """I9, at the moment a record is made: nobody is made twice whom we were, or could be, shown alive under this address."""
    vendor = world.vendors[side]
    for rec in vendor.of(who):
        looks = [vendor.last_shown.get(rec.ref)]
        # A restored database has forgotten what it was shown, and a poll does not show all of it again; nor what a listing left out.
        if not world.restored_database and rec.ref not in vendor.left_out:
            looks.append(vendor.indexed(rec.ref, vendor.polled_us))
        known = max((look for look in looks if look is not None), key=lambda look: look.stamp_us, default=None)
        same = known is not None and {address_key(look.fields.get("email")) for look in (known, rec)} == {key}
        # What a vendor went back to is older than we know: a look by id believes it, at the end of a sweep.
        back = any(e.ref == rec.ref and e.op == "restored" and e.at_us > world.swept_us for e in vendor.effects)
        if known is not None and known.life == "live" and same and not back and not _a_losers(world, side, rec.ref):
            world.broken("I9", f"{change.key} makes person {who} in {side} again: {rec.ref} is there")


def _a_losers(world: World, side: Side, ref: str) -> bool:
    """Whether it is what a merged contact has left here, and goes when it is seen: somebody had brought it back."""
    with world.engine().store.database.read() as connection:
        return bool(connection.execute(_MERGED, {"side": codec.SIDE_NO[side], "ref": ref}).scalar_one())
