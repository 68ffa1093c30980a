"""I19: what is known of a record never gets older, whatever older copies and late indexes show."""

from __future__ import annotations

import sqlalchemy as sa

from syncline.records import SIDES, Side
from tests.simulation.world import World

GOES_BACK = {"vendor restored", "database restored"}
"""After these, what is known is to get older."""

TOLD_TWICE = 2
"""A full list and then a look by id, both from an older copy: to whoever asks, the vendor has gone back."""

_KNOWN = sa.text("SELECT side, ref, modified_us FROM record WHERE modified_us IS NOT NULL")


def never_older(world: World, newest: dict[tuple[Side, str], int]) -> None:
    """Look at what is known after a step. `newest`: of each record, as of the steps before; kept up."""
    if GOES_BACK & world.injected.keys():
        return
    with world.engine().store.database.read() as connection:
        rows = connection.execute(_KNOWN).all()
    for row in rows:
        key = (SIDES[row.side], row.ref)
        lies = [at_us for at_us in world.vendors[key[0]].lies.get(row.ref, ()) if at_us >= world.began_us]
        if row.modified_us < newest.get(key, row.modified_us) and len(lies) < TOLD_TWICE:
            world.broken("I19", f"{key[0]} {row.ref}: known as of {newest[key]}, and then as of {row.modified_us}")
        newest[key] = row.modified_us
