"""One scripted history for the crash tests: what people do, the rounds that follow, and the end state that must always be reached.

First load with creates on both sides, links and an opt-out at birth; then edits on both sides, an address change, unsubscribes on both
sides, a delete and a merge. Everything is read from the twins' true state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from flows.round import Kind
from tests.e2e.world import World

CRM_OWN = ("id", "createdate", "lastmodifieddate", "hs_object_id", "merged_into", "hs_merged_object_ids")
"""Ids and times differ from run to run."""
MARKETING_OWN = ("id", "contact_id", "timestamp_signup", "timestamp_opt", "last_changed")


def first_load(world: World) -> None:
    world.pair("ann", {"firstname": "Ann", "marketing_tags": "vip"}, {"FNAME": "Ann", "LNAME": "Byrne", "tags": ["newsletter"]})
    world.pair("cara", {"firstname": "Cara"}, {"FNAME": "Cara", "tags": ["newsletter"]})
    for name in ("dan", "eve", "eva", "flo"):
        world.pair(name, {"firstname": name.title()}, {"FNAME": name.title()})
    for name in ("bob", "bea"):
        world.crm.edit("create", fields={"email": f"{name}@people.example", "firstname": name.title(), "marketing_tags": "vip;event"})
    for name, status in (("gil", "subscribed"), ("hana", "unsubscribed")):
        world.marketing.edit("create", email=f"{name}@people.example", fields={"FNAME": name.title(), "STAGE": "SQL", "status": status})


def a_day_later(world: World) -> None:
    ids = {record["email"].partition("@")[0]: record["id"] for record in world.crm.records() if record["state"] == "live"}
    world.crm.edit("update", id=ids["ann"], fields={"firstname": "Anna"})
    world.marketing.edit("update", email="ann@people.example", fields={"LNAME": "Burke"})
    world.crm.edit("change_email", id=ids["cara"], to="cara.new@people.example")
    world.crm.edit("update", id=ids["cara"], fields={"marketing_tags": "newsletter;event"})
    world.crm.edit("delete", id=ids["dan"])
    world.crm.edit("merge", winner=ids["eve"], loser=ids["eva"])
    world.marketing.edit("unsubscribe", email="flo@people.example")
    world.crm.edit("unsubscribe", email="bob@people.example")
    world.marketing.edit("change_email", email="bea@people.example", to="bea.new@people.example")


ACTS: tuple[tuple[Callable[[World], None], tuple[Kind, ...]], ...] = (
    (first_load, ("sync", "sync")),
    (a_day_later, ("sync", "sweep")),
)


def play(world: World, act: int = 0, note: Callable[[int], None] | None = None) -> None:
    """The history from `act` on; `note(n)` is called when the people of act n have done theirs and our rounds begin."""
    for number, (people, _) in enumerate(ACTS[act:], act):
        people(world)
        if note:
            note(number)
        rounds(world, number)


def rounds(world: World, act: int) -> None:
    """Our own part of an act."""
    for kind in ACTS[act][1]:
        report = world.sync(kind)
        assert report.error is None, report.error


def rest(world: World) -> None:
    """Until nobody writes any more."""
    for kind in ("sync", "sweep"):
        world.settle(kind)


def end_state(world: World) -> dict[str, Any]:
    """Both sides as they truly are, without ids and times."""
    crm = [{k: v for k, v in r.items() if k not in CRM_OWN and v not in (None, "")} for r in world.crm.records()]
    members = [{k: v for k, v in r.items() if k not in MARKETING_OWN} for r in world.marketing.records()]
    return {
        "crm": sorted(crm, key=lambda r: (r.get("email", ""), r["state"])),
        "marketing": sorted(members, key=lambda r: (r["email_address"], r["state"])),
        "holds": world.holds(),
    }


def creates(world: World) -> Counter[tuple[str, str]]:
    """How often we made each person on each side."""
    made = [("crm", e["after"]["email"]) for e in world.crm.effects() if (e["actor"], e["op"]) == ("api", "create")]
    made += [("marketing", e["after"]["email_address"]) for e in world.marketing.effects() if (e["actor"], e["op"]) == ("api", "create")]
    return Counter(made)
