"""The dry run keeps its word: `plan` changes nothing anywhere, and tells exactly which values the next `sync` will write."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from flows.round import Report, planned_contacts, run_round
from sandbox.handles import Twins
from syncline.plan import ContactPlan
from tests.e2e.world import World

CONTACTS = 120
OWN = {
    "crm": {"createdate", "lastmodifieddate", "hs_object_id", "syncline_key"},
    "marketing": {
        "by_person", "source", "member_rating", "timestamp_signup", "timestamp_opt", "ip_opt", "last_changed", "vip", "language",
    },
}  # fmt: skip
"""What the vendors keep themselves when something is written, and the key that makes our creates safe to repeat."""

Value = tuple[str, str, str, Any, Any]
"""One written value: side, record (its id, or the address of a new one), native field, before, after."""


@pytest.fixture
def messy(running_twins: Twins, tmp_path: Path) -> World:
    """Both twins full of people who overlap, disagree and are spelled badly; limits that a first load does not trip."""
    running_twins.reset(contacts=CONTACTS, seed=11)
    world = World(running_twins, tmp_path)
    limits = "{deletes: 1%, blanks: 2%, unsubscribes: 5%, overwrites: 20%, empty_side: stop}"
    world.edit_mapping((limits, "{deletes: 100%, blanks: 100%, unsubscribes: 100%, overwrites: 100%, empty_side: stop}"))
    return world


def plan(world: World) -> tuple[Report, list[ContactPlan]]:
    with world.context() as context:
        report = run_round(context, "plan")
        return report, list(planned_contacts(context, report.run_id))


def plain(name: str, value: Any) -> Any:
    """A native value as text, the way either vendor keeps it; blanks are one."""
    if isinstance(value, list | tuple):
        return tuple(sorted(value)) or None
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value).strip()
    return (text.lower() if name.startswith("email") else text) or None


def predicted(plans: Iterable[ContactPlan]) -> set[Value]:
    found: set[Value] = set()
    for each in plans:
        for write in each.writes:
            named = {name.removeprefix("merge_fields."): (name, value) for name, value in {**write.fields, **write.consent}.items()}
            ref = write.ref or plain("email", write.fields.get("email") or write.fields.get("email_address"))
            if write.kind == "archive":
                found.add((write.side, ref, "*", "live", "archived"))
            for short, (name, value) in named.items():
                before, after = plain(short, write.expect.get(name)), plain(short, value)
                if not (write.kind == "create" and short == "hs_email_optout" and after == "false"):
                    found.add((write.side, ref, short, before, after))
    return {value for value in found if value[3] != value[4]}


def effected(world: World, since: dict[str, int]) -> set[Value]:
    """What the vendors say we changed: per record and field from the first value to the last."""
    first: dict[tuple[str, str, str], Any] = {}
    last: dict[tuple[str, str, str], Any] = {}
    born: dict[tuple[str, str], str] = {}
    for side in ("crm", "marketing"):
        for effect in getattr(world, side).effects(since[side]):
            if effect["actor"] != "api":
                continue
            ref = effect["contact_id"] if side == "marketing" else effect["id"]
            changed = {effect["field"]: (effect["before"], effect["after"])}
            if effect["op"] == "create":
                born[side, ref] = plain("email", effect["after"].get("email") or effect["after"].get("email_address"))
                changed = {name: (None, value) for name, value in effect["after"].items()}
            elif effect["op"] == "archive":
                changed = {"*": ("live", "archived")}
            for name, (before, after) in changed.items():
                if name not in OWN[side]:
                    first.setdefault((side, ref, name), plain(name, before))
                    last[side, ref, name] = plain(name, after)
    values = {(side, born.get((side, ref), ref), name, before, last[side, ref, name]) for (side, ref, name), before in first.items()}
    return {value for value in values if value[3] != value[4]}


def seen(world: World) -> tuple[Any, ...]:
    """Everything there is to see of both vendors."""
    return tuple(told for twin in (world.crm, world.marketing) for told in (twin.records(), twin.effects()))


def plan_then_sync(world: World) -> tuple[Report, list[ContactPlan], set[Value]]:
    """Plan, and check that it touched nothing; sync, and check that it did what the plan said."""
    before = seen(world)
    since = {side: max((e["n"] + 1 for e in getattr(world, side).effects()), default=0) for side in ("crm", "marketing")}
    report, plans = plan(world)
    assert report.error is None and report.status == "planned"
    assert seen(world) == before
    assert {name for calls in report.calls.values() for name in calls} == {"read"}
    told = predicted(plans)
    done = world.sync()
    assert done.error is None
    assert done.totals == report.totals
    came = effected(world, since)
    assert came - told == set(), "written, and not predicted"
    assert told - came == set(), "predicted, and not written"
    return report, plans, told


def test_a_first_load_does_what_its_plan_says(messy: World) -> None:
    report, plans, told = plan_then_sync(messy)
    assert {write.kind for each in plans for write in each.writes} >= {"create", "update", "consent"}
    assert report.totals["links"] > 40 and report.totals["creates"] > 20 and len(told) > 300
    messy.at_rest()


def test_edits_on_both_sides_do_what_their_plan_says(messy: World) -> None:
    messy.settle()
    edit_everything(messy, random.Random(5))
    _report, plans, told = plan_then_sync(messy)
    rules = {entry.rule for each in plans for entry in each.entries}
    assert rules >= {"one_side", "newest", "union", "furthest", "most_restrictive", "one_way", "agreed", "create", "merged"}
    assert {write.kind for each in plans for write in each.writes} >= {"create", "update", "consent", "archive"}
    assert {hold.code for each in plans for hold in each.holds} >= {"UnknownChoice", "Conflict"}
    assert len(told) > 40
    messy.at_rest()


def test_a_plan_over_unplanned_edits_is_made_anew(messy: World) -> None:
    """A plan that nobody approved binds nobody: what was edited after it is decided on as it then stands."""
    messy.settle()
    email = next(m["email_address"] for m in linked_members(messy))
    messy.marketing.edit("update", email=email, fields={"LNAME": "Early"})
    plan(messy)
    messy.marketing.edit("update", email=email, fields={"LNAME": "Late"})
    plan_then_sync(messy)
    assert messy.crm_record(email.lower())["lastname"] == "Late"


def linked_members(world: World) -> list[dict[str, Any]]:
    """Subscribed members whose address the CRM knows too, in a fixed order."""
    known = {record["email"] for record in world.crm.records() if record["state"] == "live"}
    members = [m for m in world.marketing.records() if m["state"] == "live" and m["status"] == "subscribed"]
    return sorted((m for m in members if m["email_address"].lower() in known), key=lambda m: m["email_address"].lower())


def edit_everything(world: World, rng: random.Random) -> None:
    """One of each kind of edit, on people chosen by `rng`: single, double, equal, refused, moved, merged, new."""
    people = [m["email_address"] for m in linked_members(world)]
    rng.shuffle(people)
    chosen = iter(people)

    def crm(email: str, **fields: Any) -> None:
        world.crm.edit("update", email=email.lower(), fields=fields)

    def marketing(email: str, **fields: Any) -> None:
        world.marketing.edit("update", email=email, fields=fields)

    for n in range(4):
        crm(next(chosen), lastname=f"Changed {n}", company=f"Firm {n}", phone=f"+353 1 555 01{n:02}")
        marketing(next(chosen), LNAME=f"Altered {n}", COUNTRY="FR", tags=["vip", "event"])
    crm(next(chosen), firstname="Maximiliana Bernadette Wilhelmina Anastasia de la Concepción")
    crm(next(chosen), lifecyclestage="other")
    marketing(next(chosen), STAGE="CUST")
    marketing(next(chosen), COMPANY="Not told by sales")
    both = [next(chosen) for _ in range(5)]
    crm(both[0], lastname="Older")
    crm(both[1], lastname="Same")
    marketing(both[1], LNAME="Same")
    crm(both[2], date_of_birth="1980-01-01")
    marketing(both[2], BDAY="1981-01-01")
    crm(both[3], marketing_tags="partner")
    marketing(both[3], tags=["webinar"])
    world.later(3600)
    marketing(both[0], LNAME="Newer")
    world.marketing.edit("unsubscribe", email=next(chosen))
    world.crm.edit("unsubscribe", email=next(chosen).lower())
    world.marketing.edit("clean", email=next(chosen))
    world.crm.edit("change_email", email=next(chosen).lower(), to="moved.here@people.example")
    world.marketing.edit("change_email", email=next(chosen), to="moved.there@people.example")
    ids = [world.crm_record(next(chosen).lower())["id"] for _ in range(2)]
    world.crm.edit("merge", winner=ids[0], loser=ids[1])
    world.crm.edit("create", fields={"email": "new.sales@people.example", "firstname": "New", "lifecyclestage": "lead"})
    world.marketing.edit("create", email="New.Marketing@people.example", fields={"FNAME": "New", "STAGE": "SQL", "tags": ["trial"]})
    for n in range(2):
        world.pair(f"both{n}", {"firstname": "Both", "lifecyclestage": "lead"}, {"FNAME": "Both", "LNAME": "Sides"})
