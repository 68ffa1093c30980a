"""I14, I17, I20, I21, I22: what was written is noted, wanted, within limits, taken from what was shown; and nothing waits for ever."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from flows.push import LONGEST_RETRY_S
from syncline.records import SIDES
from tests.simulation.case import Case
from tests.simulation.mapping import LIMITS
from tests.simulation.vendor import Effect, Vendor
from tests.simulation.world import Violation


def all_noted(case: Case) -> Iterator[Violation]:
    """I14: every write that took effect has its entry: this contact, this run, that side."""
    if case.world.restored_database:
        return
    noted = {(str(row.run_id), str(row.entry.contact_id), side) for row in case.world.engine().sync.entries() for side in row.entry.to}
    for side, vendor in case.world.vendors.items():
        for effect in vendor.effects:
            if effect.engine:
                run_id, contact_id, _, _ = effect.actor.split("-")[:4]
                if (run_id, contact_id, side) not in noted:
                    yield Violation("I14", f"{side} {effect.ref} {effect.field}: {effect.actor} is in no entry")


def honest_shadows(case: Case) -> Iterator[Violation]:
    """I21: what counts as agreed with a side, that side has truly shown."""
    query = sa.text("SELECT side, ref, CASE shadow WHEN '=' THEN seen ELSE shadow END AS base FROM record WHERE shadow IS NOT NULL")
    with case.world.engine().store.database.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        ever = case.world.vendors[SIDES[row.side]].ever
        for name, value in json.loads(row.base).items():
            if repr(value) not in ever[name]:
                yield Violation("I21", f"{row.ref} {name}: {value!r} counts as agreed and was never shown")


def within_limits(case: Case) -> Iterator[Violation]:
    """I20: no run removes, blanks or opts out more than the mapping allows, unless somebody said yes."""
    done: Counter[tuple[str, str]] = Counter()
    for vendor in case.world.vendors.values():
        for effect in vendor.effects:
            if effect.engine and (kind := _weighed(vendor, effect)):
                done[effect.actor.split("-")[0], kind] += 1
    approved = {str(run) for run in case.world.approved}
    for (run, kind), count in done.items():
        if count > LIMITS[kind] and run not in approved and not case.world.restored_database:
            yield Violation("I20", f"run {run}: {count} {kind}, {LIMITS[kind]} allowed")


def _weighed(vendor: Vendor, effect: Effect) -> str:
    if effect.op == "archive":
        return "deletes"
    if effect.field == "consent" and effect.after == vendor.profile.words["out"] and effect.op == "consent":
        return "unsubscribes"
    return "blanks" if effect.field != "*" and effect.before and not effect.after else ""


def no_empty_write(case: Case) -> Iterator[Violation]:
    """I17: a write changes something, where the vendor takes values as they come: nobody can know what others make of them."""
    for side, vendor in case.world.vendors.items():
        writes: dict[tuple[str, int], bool] = {}
        for effect in vendor.effects:
            if effect.engine and effect.field != "*":
                key = (effect.actor, effect.at_us)
                bent = vendor.habits.get(effect.field, "none") != "none"
                writes[key] = writes.get(key, False) or bent or effect.before != effect.after
        for (actor, _), changed in writes.items():
            if not changed and not case.world.injected:
                yield Violation("I17", f"{side}: {actor} changed nothing")


def nothing_stuck(case: Case) -> Iterator[Violation]:
    """I22: once all is quiet nothing is on its way, and whatever is tried again is tried before long."""
    engine, now_us = case.world.engine(), case.world.now_us
    if left := engine.sync.outbox_size():
        yield Violation("I22", f"{left} writes are still on their way")
    query = sa.text("SELECT side, ref FROM record WHERE retry_at_us > :latest")
    with engine.store.database.read() as connection:
        rows = connection.execute(query, {"latest": now_us + LONGEST_RETRY_S * 1_000_000}).all()
    for row in rows:
        yield Violation("I22", f"{row.ref} is not tried again within {LONGEST_RETRY_S // 3600} hours")
