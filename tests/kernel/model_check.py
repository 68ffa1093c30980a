"""A bounded breadth-first search: two people, few events each, every order, a round possible after each. The vendors are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kernel_modules import Kernel
from native import mapping
from planner_checks import folds_to_the_tables
from world import FAR, SIDES, World

PEOPLE = ("1", "2")


class State(NamedTuple):
    world: World
    left: tuple[int, int, int, int, int]
    """What may still happen: edits in the CRM, edits in marketing, lost answers, merges, deletes."""
    said: tuple[tuple[str, str, str], ...] = ()
    path: tuple[str, ...] = ()
    human_deleted: bool = False
    out: frozenset[str] = frozenset()


def start(k: Kernel) -> State:
    world = World(k, mapping(k, ("email", "last", "consent")))
    for person in PEOPLE:
        for side in SIDES:
            consent = "no" if side == "crm" else "sub"
            world.add(side, f"{side}{person}", email=f"p{person}@people.example", last="Base", consent=consent)
    world.until_quiet()
    return State(world, (2, 2, 1, 1, 1))


def explore(k: Kernel, depth: int) -> int:
    seen: set[Any] = set()
    frontier = [start(k)]
    for _ in range(depth):
        fresh = []
        for state in frontier:
            for after in _after(state):
                look = _look(after)
                if look not in seen:
                    seen.add(look)
                    fresh.append(after)
                    holds_in_the_end(after)
        frontier = fresh
    return len(seen)


def _after(state: State) -> Iterator[State]:
    crm, marketing, answers, merges, deletes = state.left
    world = state.world
    yield _moved(state, "round", state.left, World.round)
    if crm and world.vendors["crm"]["crm1"].liveness == "live":
        yield _edit(state, "crm", (crm - 1, marketing, answers, merges, deletes))
    if marketing:
        yield _edit(state, "marketing", (crm, marketing - 1, answers, merges, deletes))
    if answers:
        yield _moved(state, "lost answers", (crm, marketing, 0, merges, deletes), lambda w: w.round(frozenset(SIDES)))
    if merges and {world.vendors["crm"][ref].liveness for ref in ("crm1", "crm2")} == {"live"}:
        yield _moved(state, "merge", (crm, marketing, answers, 0, deletes), lambda w: w.merge("crm", "crm2", "crm1"))
    if world.vendors["crm"]["crm1"].liveness == "live" and deletes:
        after = _moved(state, "delete", (crm, marketing, answers, merges, 0), lambda w: w.set_liveness("crm", "crm1", "archived"))
        yield after._replace(human_deleted=True)
    if state.human_deleted and world.vendors["crm"]["crm1"].liveness == "archived":
        after = _moved(state, "undelete", state.left, lambda w: w.set_liveness("crm", "crm1", "live"))
        yield after._replace(human_deleted=False)
    if not state.out:
        after = _moved(state, "opt out", state.left, lambda w: w.edit("marketing", "marketing2", consent="unsub"))
        yield after._replace(out=frozenset("2"))


def _moved(state: State, name: str, left: tuple[int, int, int, int, int], act: Callable[[World], object]) -> State:
    world = state.world.clone()
    act(world)
    return state._replace(world=world, left=left, path=(*state.path, name))


def _edit(state: State, side: str, left: tuple[int, int, int, int, int]) -> State:
    value, ref = f"{side} edit {left}", f"{side}1"
    after = _moved(state, f"{side} edits", left, lambda w: w.edit(side, ref, last=value))
    said = [one for one in state.said if one[0] != side]
    return after._replace(said=(*said, (side, ref, value)))


def _look(state: State) -> Any:
    world = state.world
    records = [(side, ref, r.liveness, *map(str, r.fields.values())) for side in SIDES for ref, r in sorted(world.vendors[side].items())]
    kept = [(one.state, *sorted(one.refs.items()), str(one.shadows), str(one.view), str(one.losers)) for one in world.contacts.values()]
    times = sorted({r.modified_us for side in SIDES for r in world.vendors[side].values()})
    order = [times.index(r.modified_us) for side in SIDES for r in world.vendors[side].values()]
    return (state.left, state.human_deleted, state.out, tuple(records), tuple(kept), tuple(order))


def holds_in_the_end(state: State) -> None:
    """I1, I2, I4, I9, I11, once nothing more happens."""
    world = state.world.clone()
    world.until_quiet(6)
    _one_record_each(world, state)
    _converged(world, state)
    if state.human_deleted:
        assert world.vendors["crm"]["crm1"].liveness == "archived", f"{state.path}: a deleted person is back"
    for side, _, value in state.said:
        shown = [r.fields["last"] for vendor in world.vendors.values() for r in vendor.values()]
        told = [said for entry in world.log for said in (entry.old, entry.new)]
        assert value in shown or value in told, f"{state.path}: {value!r} said in {side} is lost"
    if state.out:
        assert world.vendors["marketing"]["marketing2"].fields["consent"] == "unsub", f"{state.path}: subscribed again"
        if world.vendors["crm"]["crm2"].liveness == "merged" and world.vendors["crm"]["crm1"].liveness == "live":
            assert world.vendors["marketing"]["marketing1"].fields["consent"] == "unsub", f"{state.path}: the merge lost an opt-out"
    folds_to_the_tables(world)


def _one_record_each(world: World, state: State) -> None:
    for side in SIDES:
        for person in PEOPLE:
            address = f"p{person}@people.example"
            live = [ref for ref, r in world.vendors[side].items() if r.liveness == "live" and r.fields["email"] == address]
            assert len(live) <= 1, f"{state.path}: {side} has {live}"
        assert all(ref.startswith(f"{side}{person}") for ref in world.vendors[side] for person in ref[len(side)]), state.path


def _converged(world: World, state: State) -> None:
    for contact_id, kept in world.contacts.items():
        shown = [world.vendors[side][ref] for side, ref in kept.refs.items()]
        if kept.state != "active" or len(shown) < 2:
            continue
        assert {record.liveness for record in shown} == {"live"}, f"{state.path}: contact {contact_id}"
        assert shown[0].fields["last"] == shown[1].fields["last"], f"{state.path}: contact {contact_id} and {FAR}"
