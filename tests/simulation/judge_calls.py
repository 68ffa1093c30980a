"""I7, I16: a round calls no more often than pages and batches require; a quiet one polls each side, and that is all."""

from __future__ import annotations

from collections import Counter
from math import ceil

from flows.round import Report
from syncline.records import Side
from tests.simulation.vendor import Effect
from tests.simulation.world import World


def cheap_when_quiet(world: World) -> None:
    """I7: where nothing happened, a round polls each side, and that is all. A poll shows what the round before has written."""
    since_us = world.heard[-2][0] if len(world.heard) > 1 else 0
    for (side, op), count in world.calls.items():
        vendor = world.vendors[side]
        written = {effect.ref for effect in vendor.effects if effect.at_us >= since_us}
        polls = max(2, 1 + ceil(len(written) / vendor.profile.page))
        if op != "describe" and (op != "pull" or count > polls):
            world.broken("I7", f"{count} {op} calls to {side} in a quiet round")


def no_call_too_many(world: World, report: Report, written: dict[Side, list[Effect]]) -> None:
    """I16, of a round in which nothing went wrong. `written`: the effects of this round."""
    keys = {side: {effect.actor for effect in effects if effect.engine} for side, effects in written.items()}
    idle = report.pushed.applied - sum(map(len, keys.values()))  # applied already: an archive of what was archived has no effect
    for side, vendor in world.vendors.items():
        batches = Counter((key.split("-")[0], key.split("-")[3] == "consent") for key in keys[side])
        most = {"push": idle + sum(ceil(count / vendor.profile.capabilities.batch_write) for count in batches.values())}
        if (observed := report.observed.get(side)) is not None and vendor.profile.capabilities.recheck != "delta_poll":
            most["pull"] = ceil(observed.read / vendor.profile.page) + (2 if observed.full else 1)
        for op, bound in most.items():
            if world.calls[side, op] > bound and not _refused(world, report):
                world.broken("I16", f"run {report.run_id}: {world.calls[side, op]} {op} calls to {side}, {bound} would do")


def _refused(world: World, report: Report) -> bool:
    """Whether a write was refused: one that was left over, and decided anew in the same round, is no hold by its end."""
    return any(row.entry.kind in ("hold", "release") for row in world.engine().sync.entries(run_id=report.run_id))
