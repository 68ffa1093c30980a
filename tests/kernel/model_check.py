"""A bounded breadth-first search over the real planner: every order of a handful of events, every promise asked in every state.

The bounds: two people, two fields (a name, consent) beside the address, two edits a side, polls that show a change at once or one round
late, one round that dies after any number of its writes, one person made twice, one merge, one delete and its undoing. People are linked on
both sides at the start, or the second one is known to one side only. The vendors are asked, never the engine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from kernel_modules import Kernel
from late_world import LateWorld
from native import CONSENT, consent_lens, mapping
from planner_checks import folds_to_the_tables
from world import SIDES

PEOPLE = ("1", "2")
STARTS = ("linked", "crm only", "marketing only")
"""Where the second person is known at the start."""
LATE: dict[str, frozenset[str]] = {
    "": frozenset(),
    "crm late": frozenset({"crm"}),
    "marketing late": frozenset({"marketing"}),
    "both late": frozenset(SIDES),
}


class Left(NamedTuple):
    """What may still happen."""

    crm: int = 2
    marketing: int = 2
    crash: int = 1
    again: int = 1
    merge: int = 1
    delete: int = 1


class State(NamedTuple):
    world: LateWorld
    left: Left
    path: tuple[str, ...]
    said: tuple[tuple[str, str, str], ...] = ()
    """(side, record, name): the last thing that each side said of each record's name."""
    out: frozenset[tuple[str, str]] = frozenset()
    """(side, record) of every opt-out by hand that nobody may widen."""


def start(k: Kernel, where: str) -> State:
    chosen = mapping(k, ("email", "last", "consent"), crm="full")
    consent = chosen.field("consent")
    wordy = replace(consent, lenses={side: consent_lens(k, CONSENT["full"]) for side in SIDES})
    fields = tuple(wordy if one.name == "consent" else one for one in chosen.fields)
    world = LateWorld(k, replace(chosen, fields=fields))
    for person in PEOPLE:
        for side in SIDES:
            if person == "1" or where in ("linked", f"{side} only"):
                world.add_person(side, f"{side}{person}", person, last="Base", consent="in")
        if person == "1" or where == "linked":
            world.until_quiet()
    return State(world, Left(), (where,))


def explore(k: Kernel, depth: int, most: int = 0) -> tuple[int, list[tuple[str, ...]]]:
    """Every state within `depth` events, or the first `most`: how many there are, and the paths that lead on to nothing new."""
    frontier = [start(k, where) for where in STARTS]
    seen, ends = {_look(state) for state in frontier}, []
    for _ in range(depth):
        fresh: list[State] = []
        for state in frontier:
            before = len(fresh)
            for after in events(state):
                look = _look(after)
                if look not in seen and not (most and len(seen) >= most):
                    seen.add(look)
                    holds_in_the_end(after)
                    fresh.append(after)
            if len(fresh) == before:
                ends.append(state.path)
        frontier = fresh
    return len(seen), ends + [state.path for state in frontier]


def walk(k: Kernel, seed: int, steps: int) -> tuple[str, ...]:
    """One path of any events, down to where nothing is left to happen: a glance beyond the depth that can be searched whole."""
    rng = random.Random(seed)
    state = start(k, rng.choice(STARTS))
    for _ in range(steps):
        state = rng.choice(list(events(state)))
        holds_in_the_end(state)
    return state.path


def replayed(k: Kernel, path: tuple[str, ...]) -> State:
    """The state at the end of a path."""
    state = start(k, path[0])
    for name in path[1:]:
        state = next(after for after in events(state) if after.path[-1] == name)
    return state


# ---------------------------------------------------------------- events


def events(state: State) -> Iterator[State]:
    """Everything that may happen next."""
    yield from _rounds(state)
    for side in SIDES:
        if getattr(state.left, side):
            yield from _edits(state, side)
    if state.left.again:
        yield from _made_twice(state)
    if state.left.merge:
        yield from _merges(state)
    yield from _deletes(state)


def _next(state: State, name: str, **left: int) -> State:
    return state._replace(world=state.world.clone(), left=state.left._replace(**left), path=(*state.path, name))


def _rounds(state: State) -> Iterator[State]:
    for how, late in LATE.items():
        after = _next(state, f"round {how}".strip())
        writes = after.world.round(late=late)
        yield after
        if state.left.crash and not late:
            for dies_at in range(-1, writes + 1 if writes else 0):
                died = _next(state, f"round dies at {dies_at}", crash=0)
                died.world.round(dies_at=dies_at)
                yield died


def _edits(state: State, side: str) -> Iterator[State]:
    budget = getattr(state.left, side)
    for person in PEOPLE:
        ref = f"{side}{person}"
        record = state.world.vendors[side].get(ref)
        if record is None or record.liveness != "live":
            continue
        name = f"{side}{budget} {person}"
        after = _next(state, f"edit {ref} {name}", **{side: budget - 1})
        after.world.edit(side, ref, last=name)
        yield after._replace(said=(*(one for one in state.said if one[:2] != (side, ref)), (side, ref, name)))
        if record.fields["consent"] != "out":
            after = _next(state, f"opt out {ref}", **{side: budget - 1})
            after.world.edit(side, ref, consent="out")
            yield after._replace(out=state.out | {(side, ref)})
        else:
            after = _next(state, f"claim {ref}", **{side: budget - 1})
            after.world.edit(side, ref, consent="in")
            yield after._replace(out=_still_out(after, side, ref))


def _still_out(state: State, side: str, ref: str) -> frozenset[tuple[str, str]]:
    """Once neither the record nor its partner says it any more, each taken back by hand, there is nothing left to defend.

    Nor what the two were told by who was merged into them; nor what those had said before the two were changed, heard of or not.
    """
    world = state.world
    linked = [set(kept.refs.items()) for kept in world.contacts.values() if kept.state != "merged" and kept.refs.get(side) == ref]
    theirs = linked[0] if linked else {(side, ref)}
    heard = {
        (at, lost) for kept in world.contacts.values() if kept.refs.get(side) == ref for at in SIDES for lost in kept.losers.get(at, ())
    }
    records = [world.vendors[one][each] for one, each in theirs]
    if "out" in [record.fields["consent"] for record in records]:
        return state.out
    since = min(record.modified_us for record in records)
    older = {(at, lost) for at, lost in state.out if world.vendors[at][lost].modified_us < since}
    merged = {(at, lost) for at, lost in older if ("crm", _merged_into(state, at, lost)) in theirs}
    return state.out - theirs - (heard & world.heard) - merged


def _merged_into(state: State, side: str, ref: str) -> str:
    """The record of the CRM that this one, or its partner, was merged into; of the CRM's own, itself when it was not."""
    into = state.world.into
    if side == "marketing" and into.get(("crm", f"crm{ref[-1]}")) == "crm1" and state.path[0] == "linked":
        return "crm1"  # her contact went with her other record
    return into.get((side, ref), ref) if side == "crm" else ""


def _made_twice(state: State) -> Iterator[State]:
    """The second person is made by hand where somebody, or the engine, has made it or is about to."""
    for side in SIDES:
        fresh = f"{side}2" if f"{side}2" not in state.world.vendors[side] else f"{side}2b"
        if side == "marketing" and state.world.live_at(side, "p2@people.example"):
            continue  # it refuses a second record with an address
        after = _next(state, f"made {fresh}", again=0)
        after.world.add_person(side, fresh, "2", last=f"Again in {side}", consent="in")
        yield after


def _merges(state: State) -> Iterator[State]:
    """Two records of the CRM become one: the two people's, or the two of one person."""
    live = {ref for ref, record in state.world.vendors["crm"].items() if record.liveness == "live"}
    for loser, into in (("crm2", "crm1"), ("crm2b", "crm2"), ("crm2", "crm2b")):
        if loser in live and into in live:
            after = _next(state, f"merge {loser} into {into}", merge=0)
            after.world.merge("crm", loser, into)
            yield after


def _deletes(state: State) -> Iterator[State]:
    record = state.world.vendors["crm"]["crm1"]
    if state.left.delete and record.liveness == "live":
        after = _next(state, "delete crm1", delete=0)
        after.world.set_liveness("crm", "crm1", "archived")
        after.world.deleted = frozenset({"1"})
        yield after
    elif record.liveness == "archived" and "1" in state.world.deleted:
        after = _next(state, "undelete crm1")
        after.world.set_liveness("crm", "crm1", "live")
        after.world.deleted = frozenset()
        yield after


def _look(state: State) -> Any:
    """All that the future depends on; of times, their order among the records of one person, or of two that became one."""
    world, one_time = state.world, bool(state.world.into)
    books = [(side, book) for side in SIDES for book in (world.vendors[side], world.known[side], world.polled[side])]
    times: dict[str, set[int]] = {}
    for side, book in books:
        for ref, record in book.items():
            times.setdefault("" if one_time else world.person[side, ref], set()).add(record.modified_us)
    ranks = {who: {at: rank for rank, at in enumerate(sorted(found))} for who, found in times.items()}
    records = [
        (ref, r.liveness, ranks["" if one_time else world.person[side, ref]][r.modified_us], *r.fields.values())
        for side, book in books
        for ref, r in sorted(book.items())
    ]
    kept = [(number, one.state, str(one.refs), str(one.shadows), str(one.view), str(one.losers)) for number, one in world.contacts.items()]
    waiting = [(row.contact_id, row.sending, str(row.write)) for row in world.outbox]
    rest = (state.left, state.out, world.deleted, world.made, frozenset(world.moved), frozenset(world.heard), tuple(sorted(state.said)))
    return hash((rest, tuple(records), tuple(kept), tuple(waiting)))


# ---------------------------------------------------------------- promises


def holds_in_the_end(state: State) -> None:
    """I1, I2, I4, I9, I11, once nothing more happens."""
    world = state.world.clone()
    try:
        world.until_quiet(6)
        _one_record_each(world)
        _converged(world)
        _nothing_lost(world, state)
        _consent(world, state)
        folds_to_the_tables(world)
    except AssertionError as error:
        raise AssertionError(f"{state.path}: {error}") from error


def _one_record_each(world: LateWorld) -> None:
    """I9: nobody has two records that the engine made or linked. After a merge, a record may be of whom it was merged into."""
    for side in SIDES:
        for person in PEOPLE:
            linked = [kept.refs[side] for kept in world.contacts.values() if kept.state == "active" and side in kept.refs]
            live = [ref for ref in linked if world.vendors[side][ref].liveness == "live"]
            theirs = [ref for ref in live if world.vendors[side][ref].fields["email"][1] == person]
            assert len(theirs) <= 1, f"I9: {side} has {theirs}"


def _converged(world: LateWorld) -> None:
    """I1; and I4: who was deleted in the CRM is live nowhere that the policy reaches."""
    for contact_id, kept in world.contacts.items():
        shown = {side: world.vendors[side][ref] for side, ref in kept.refs.items()}
        if kept.state == "active" and len(shown) == 2:
            crm, marketing = (shown[side] for side in SIDES)
            assert crm.liveness == marketing.liveness == "live", f"I1: contact {contact_id}, {crm.liveness} and {marketing.liveness}"
            assert crm.fields["last"] == marketing.fields["last"], f"I1: contact {contact_id}, {crm.fields} and {marketing.fields}"
            assert ("out" in crm.fields.values()) == ("out" in marketing.fields.values()), f"I11: {crm.fields} and {marketing.fields}"
    if "1" in world.deleted:
        assert world.vendors["crm"]["crm1"].liveness == "archived", "I4: crm1 is back"


def _nothing_lost(world: LateWorld, state: State) -> None:
    """I2: each side's last word is shown somewhere, or stands in the log with the rule that overrode it."""
    shown = {record.fields["last"] for records in world.vendors.values() for record in records.values()}
    told = {value for entry in world.log if entry.rule and isinstance(entry.old, str) for value in (entry.old,)}
    for side, ref, value in state.said:
        assert value in shown | told, f"I2: {value!r}, said in {side} of {ref}, is lost"


def _consent(world: LateWorld, state: State) -> None:
    """I11: a contact one of whose records was opted out by hand, itself or as the loser of a merge, is sent nothing."""
    for side, ref in state.out:
        if ref not in world.known[side]:
            continue  # merged away before any poll showed it
        with_crm = _merged_into(state, side, ref)
        for kept in world.contacts.values():
            if kept.state == "active" and len(kept.refs) == 2 and (kept.refs[side] == ref or kept.refs["crm"] == with_crm):
                shown = {one: world.vendors[one][kept.refs[one]].fields["consent"] for one in SIDES}
                assert set(shown.values()) == {"out"}, f"I11: {ref} had opted out, and {kept.refs} show {shown}"
