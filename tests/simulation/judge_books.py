"""I14, I17, I20, I21, I22: what was written is noted, wanted, within limits, taken from what was shown; and nothing waits for ever."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from flows.push import LONGEST_RETRY_S
from syncline.records import SIDES
from tests.simulation.case import Case, line, pairs
from tests.simulation.judge_values import MARK, unseen
from tests.simulation.mapping import limits
from tests.simulation.vendor import Effect, Vendor
from tests.simulation.words import BAD_PHONE, BAD_STAGE, members
from tests.simulation.world import Violation

REFUSED = (BAD_PHONE, BAD_STAGE, BAD_STAGE.upper())
"""Values that one of two can never read."""


def all_noted(case: Case) -> Iterator[Violation]:
    """I14: every write that took effect has its entry: this contact, this run, that side, this field. A lost log told what it told."""
    for side, vendor in case.world.vendors.items():
        for effect in vendor.effects:
            if not effect.engine or any(saved <= effect.at_us <= gone for saved, gone in case.world.lost):
                continue
            fields = {entry.field for entry in case.entries_of(effect, side)}
            quiet = effect.field == "*" or effect.before == effect.after
            if not fields or not (quiet or fields & {None, effect.field}):
                yield Violation("I14", f"{side} {effect.ref} {effect.field}: {effect.actor} is in no entry")


def honest_shadows(case: Case) -> Iterator[Violation]:
    """I21: what counts as agreed with a record, that very record has truly shown, or one that went into it.

    Of a set that was written on both sides, it may be what the other one showed.
    """
    tags = {tag for vendor in case.world.vendors.values() for _, shown in vendor.ever["tags"] for tag in MARK.findall(shown)}
    query = sa.text("SELECT side, ref, CASE shadow WHEN '=' THEN seen ELSE shadow END AS base FROM record WHERE shadow IS NOT NULL")
    with case.world.engine().store.database.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        vendor = case.world.vendors[SIDES[row.side]]
        rec = vendor.get(row.ref)
        whose = {effect.who for effect in vendor.effects if effect.ref == row.ref}
        refs = {e.ref for e in vendor.effects if e.who in whose} if rec is None else {one.ref for one in line(vendor, rec)}
        refs |= {one.ref for each in vendor if rec is None and each.into == row.ref for one in line(vendor, each)}
        for name, value in json.loads(row.base).items():
            across = name == "tags" and tags.issuperset(members(value))
            if not across and not any((ref, repr(value)) in vendor.ever[name] for ref in refs):
                yield Violation("I21", f"{row.ref} {name}: {value!r} counts as agreed and was never shown")


def within_limits(case: Case) -> Iterator[Violation]:
    """I20: no run removes, blanks or opts out more than the mapping allows, unless somebody said yes."""
    most, done = limits(case.world.setup), Counter[tuple[str, str]]()
    for vendor in case.world.vendors.values():
        for effect in vendor.effects:
            if effect.engine and (kind := _weighed(vendor, effect)):
                done[effect.actor.split("-")[0], kind] += 1
    approved = {str(run) for run in case.world.approved}
    for (run, kind), count in done.items():
        if count > most[kind] and run not in approved and not case.world.restored_database:
            yield Violation("I20", f"run {run}: {count} {kind}, {most[kind]} allowed")


def _weighed(vendor: Vendor, effect: Effect) -> str:
    if effect.op == "archive":
        return "deletes"
    if effect.field == "consent" and effect.after == vendor.profile.words["out"] and effect.op == "consent":
        return "unsubscribes"
    return "blanks" if effect.field != "*" and effect.before and not effect.after else ""


def no_empty_write(case: Case) -> Iterator[Violation]:
    """I17: a write changes something, where the vendor takes values as they come: nobody can know what others make of them.

    Nor what people have put there since we looked, or we ourselves without an answer that shows it; nor what stood there before a mapping
    was edited or something went back.
    """
    if {"mapping edited", "database restored", "vendor restored"} & case.world.injected.keys():
        return
    for side, vendor in case.world.vendors.items():
        writes: dict[tuple[str, int], bool] = {}
        last: dict[tuple[str, str], Effect] = {}
        for effect in vendor.effects:
            if effect.field == "*":
                continue
            before = last.get((effect.ref, effect.field))
            if effect.engine:
                key = (effect.actor, effect.at_us)
                unknown = vendor.habits.get(effect.field, "none") != "none" or (before is not None and _unknown(vendor, before, effect))
                writes[key] = writes.get(key, False) or unknown or effect.before != effect.after
            last[effect.ref, effect.field] = effect
        for (actor, _), changed in writes.items():
            if not changed:
                yield Violation("I17", f"{side}: {actor} changed nothing")


def _unknown(vendor: Vendor, before: Effect, write: Effect) -> bool:
    """Whether nobody could know what stood there. What is sent again has no answer, whatever another engine has heard."""
    lied = any(before.at_us <= lie <= write.at_us for lie in vendor.lies.get(write.ref, ()))
    return not before.engine or unseen(vendor, before, write) or (before.actor == write.actor and lied)


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


def no_orphaned_hold(case: Case) -> Iterator[Violation]:
    """I22: whatever waits, somebody decides about it: a contact that goes on, or a record that lives and has none.

    One that is ambiguous may have a contact: that waits for its other half.
    """
    query = sa.text(
        "SELECT h.id, c.state, r.liveness, CASE WHEN h.code <> 'Ambiguous' THEN r.contact_id END AS contact_id FROM hold AS h"
        " LEFT JOIN contact AS c ON c.sync_id = h.sync_id AND c.id = h.contact_id"
        " LEFT JOIN record AS r ON r.sync_id = h.sync_id AND h.contact_id IS NULL AND r.side = h.side AND r.ref = h.ref WHERE h.open = 1"
    )
    with case.world.engine().store.database.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        if row.state in ("merged", "erased") or (row.state is None and (row.liveness != 0 or row.contact_id is not None)):
            whose = f"contact {row.state}, record {row.liveness} of contact {row.contact_id}"
            yield Violation("I22", f"hold {row.id} is open, and nobody decides about it: {whose}")


def no_idle_hold(case: Case) -> Iterator[Violation]:
    """I22: no field waits of which both sides show the very same."""
    for crm, marketing in pairs(case):
        for name in crm.fields:
            same = crm.fields[name] == marketing.fields[name] and crm.fields[name] not in REFUSED
            if same and name != "consent" and case.waits_for("crm", crm, name):
                yield Violation("I22", f"{crm.ref} and {marketing.ref}: {name} waits, and both show {crm.fields[name]!r}")
