"""Who leaves the scope, together with an edit, an opt-out or a merge: the cases that must come out right, by name."""

from __future__ import annotations

from typing import Any

from kernel_modules import Kernel
from native import mapping
from pair import linked, shown
from planner_checks import folds_to_the_tables
from world import SIDES, World

SCOPE = {"crm": lambda values, _native: values["birthday"] != "out"}
LEAVES = ("keep", "unlink", "archive")
INSIDE = {"crm": None, "marketing": {"stage": "m_customer"}}
"""Bases of who was inside, and has just got another record across."""


def out_of(kernel: Kernel, leave: str, **policy: Any) -> World:
    return linked(kernel, scope=SCOPE, on_leave=leave, **policy)


def leave(world: World, **also: Any) -> None:
    world.edit("crm", "crm", birthday="out", **also)


def come_back(world: World) -> None:
    world.edit("crm", "crm", birthday="1980-02-29")
    world.until_quiet()
    folds_to_the_tables(world)


def test_an_archive_on_leaving_buries_no_edit_that_only_its_record_shows(kernel: Kernel) -> None:
    """What the record outside shows too is lost with nobody."""
    for edit, liveness in (({"last": "Byrne"}, "live"), ({"consent": "unsub"}, "live"), ({"first": "Anna"}, "archived")):
        world = out_of(kernel, "archive")
        world.edit("marketing", "marketing", **edit)
        leave(world, first="Anna")
        world.until_quiet()
        assert world.vendors["marketing"]["marketing"].liveness == liveness, edit
        come_back(world)
        assert [shown(world, "crm", name) for name in ("last", "first")] == [edit.get("last", "Kelly"), "Anna"]
        assert shown(world, "marketing", "first") == "Anna" and world.contacts[1].state == "active"


def test_a_pair_that_parts_for_an_edit_says_so(kernel: Kernel) -> None:
    world = out_of(kernel, "archive")
    world.edit("marketing", "marketing", last="Byrne")
    leave(world)
    assert world.until_quiet() == 0 and world.contacts[1].state == "unlinked"
    assert [(entry.kind, entry.side, entry.rule) for entry in world.log[-1:]] == [("unlink", "marketing", "edit_survives")]
    assert dict(world.plan(1).totals) == {} and shown(world, "crm", "last") == "Kelly"


def test_an_opt_out_travels_with_whoever_parts(kernel: Kernel) -> None:
    for side, word, far, told in (("crm", "out", "marketing", "unsub"), ("marketing", "unsub", "crm", "out")):
        for how in LEAVES if side == "marketing" else ("keep", "unlink"):
            world = out_of(kernel, how)
            world.edit(side, side, consent=word)
            leave(world, last="Byrne")
            world.until_quiet()
            assert shown(world, far, "consent") == told and shown(world, "marketing", "last") == "Kelly", (side, how)
            assert world.contacts[1].state == ("active" if how == "keep" else "unlinked")
            folds_to_the_tables(world)
            come_back(world)
            assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == ("out", "unsub")


def test_what_is_said_of_consent_after_a_parting_stays_where_it_is_said(kernel: Kernel) -> None:
    """Also what a person takes back that both had said by then."""
    world = out_of(kernel, "unlink")
    for side, word in (("crm", "out"), ("marketing", "unsub")):
        world.edit(side, side, consent=word)
    leave(world)
    assert world.until_quiet() == 0
    world.edit("crm", "crm", consent="in")
    assert world.until_quiet() == 0 and shown(world, "marketing", "consent") == "unsub"
    world.edit("marketing", "marketing", consent="sub")
    come_back(world)
    assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == ("in", "sub")
    world = out_of(kernel, "unlink")
    leave(world)
    world.until_quiet()
    world.edit("crm", "crm", consent="out")
    assert world.until_quiet() == 0 and shown(world, "marketing", "consent") == "sub"


def test_nothing_waits_with_a_pair_that_has_parted(kernel: Kernel) -> None:
    for how, codes in (("keep", ["UnknownChoice"]), ("unlink", [])):
        world = out_of(kernel, how)
        leave(world, consent="what?")
        assert world.until_quiet() == 0 and [hold.code for hold in world.holds[1]] == codes, how


def test_a_loser_goes_whatever_becomes_of_its_winner(kernel: Kernel) -> None:
    """It leaves the scope, is out of it already, is archived, or is waiting to be brought back."""
    for how in LEAVES:
        for asleep in (False, True):
            world = out_of(kernel, how)
            world.can_restore = False
            for side in SIDES:
                world.add(side, f"{side}2", **world.vendors[side][side].fields | {"email": "b@people.example"})
            world.until_quiet()
            if asleep:
                leave(world)
                world.until_quiet()
            world.merge("crm", "crm2", "crm")
            leave(world)
            world.round()
            assert world.vendors["marketing"]["marketing2"].liveness == "archived", (how, asleep)
            assert world.until_quiet() == 0 and world.vendors["marketing"]["marketing"].liveness == (
                "archived" if how == "archive" else "live"
            )
            folds_to_the_tables(world)


def test_a_loser_goes_when_its_winner_has_nobody_across(kernel: Kernel) -> None:
    """Nobody may be made there, or it has to be brought back first."""
    state, lost = kernel.plan.SideState, {"email": "b@people.example"}
    for there, policy in (
        ({"crm": "live"}, {"create": {"marketing": lambda _values, _native: False}}),
        ({"crm": "live", "marketing": "archived"}, {}),
    ):
        world = linked(kernel, **policy)
        sides = {side: state(side, world.vendors[side][side].fields, None, liveness) for side, liveness in there.items()}
        losers = {"marketing": (state("marketing2", lost, lost),)}
        contact = kernel.plan.Contact(1, sides, "deleted" if len(sides) == 2 else "active", losers=losers)
        traits = {side: kernel.planner.Traits("record", can_restore=True) for side in SIDES}
        plan = kernel.planner.plan_contact(world.mapping, contact, traits)
        [buried] = [write for write in plan.writes if write.kind == "archive"]
        assert (buried.ref, plan.entries[buried.entries[0]].rule, plan.totals["archives"]) == ("marketing2", "merged", 1)
        [*others] = [write for write in plan.writes if write is not buried]
        assert [plan.entries[write.entries[0]].kind for write in others] == [write.kind for write in others]


def test_who_was_made_across_outside_the_scope_of_that_side_has_not_left_it(kernel: Kernel) -> None:
    """Nor has a record that has lost its base. Where nobody has one, the mapping was edited, and whoever is outside now has left."""
    scope = {"marketing": lambda values, _native: values["stage"] == "customer"}
    for how, bases, state in (
        ("archive", {}, "active"), ("unlink", {}, "active"),
        ("archive", {"marketing": None}, "active"), ("archive", {"marketing": None, "crm": {}}, "active"), ("archive", INSIDE, "active"),
        ("archive", dict.fromkeys(SIDES), "deleted"), ("unlink", dict.fromkeys(SIDES), "unlinked"),
    ):  # fmt: skip
        world = World(kernel, mapping(kernel, ("email", "last", "stage"), scope=scope, on_leave=how, delete_seen_in={}))
        world.add("crm", "crm", email="ann@people.example", last="Kelly", stage="c_lead")
        world.until_quiet()
        assert world.created == 1 and world.contacts[1].state == "active"
        world.contacts[1].shadows.update(bases)
        world.edit("marketing", world.contacts[1].refs["marketing"], last="Byrne")
        world.until_quiet()
        assert world.contacts[1].state == state and world.vendors["crm"]["crm"].liveness == ("archived" if state == "deleted" else "live")
        folds_to_the_tables(world)


def test_what_people_deleted_stays_deleted_where_nobody_who_leaves_is_archived(kernel: Kernel) -> None:
    """Who leaves the scope of the CRM loses a member; no record of the CRM is ever archived for that."""
    world = out_of(kernel, "archive")
    world.set_liveness("crm", "crm", "archived")
    world.until_quiet()
    world.set_liveness("marketing", "marketing", "live")
    assert world.until_quiet() == 0 and world.vendors["crm"]["crm"].liveness == "archived"
    assert [hold.code for hold in world.holds[1]] == ["CannotRestore"]


def test_an_opt_out_that_did_not_arrive_at_a_parting_is_told_again(kernel: Kernel) -> None:
    """Once: what a person takes back later, when both had shown it, is that person's own doing."""
    world = out_of(kernel, "unlink")
    world.edit("crm", "crm", consent="out")
    leave(world, last="Byrne")
    world.round(refused="marketing")
    assert (world.contacts[1].state, shown(world, "marketing", "consent")) == ("unlinked", "sub")
    assert world.until_quiet() == 1 and shown(world, "marketing", "consent") == "unsub"
    assert world.contacts[1].state == "unlinked" and shown(world, "marketing", "last") == "Kelly"
    world.edit("marketing", "marketing", consent="sub")
    assert world.until_quiet() == 0
    folds_to_the_tables(world)


def test_an_opt_out_that_is_merged_into_a_parted_pair_is_told_to_it(kernel: Kernel) -> None:
    """Also where a person has taken the archived record out of the archive, and where the survivor's own had been the same before."""
    for how in ("unlink", "archive"):
        world = out_of(kernel, how)
        for side in SIDES:
            world.add(side, f"{side}2", **world.vendors[side][side].fields | {"email": "b@people.example"})
        leave(world)
        world.until_quiet()
        world.set_liveness("marketing", "marketing", "live")
        world.edit("marketing", "marketing2", consent="unsub")
        world.merge("crm", "crm2", "crm")
        world.until_quiet()
        assert [shown(world, side, "consent") for side in SIDES] == ["out", "unsub"] and shown(world, "marketing", "last") == "Kelly"
        assert world.contacts[1].state == {"unlink": "unlinked", "archive": "deleted"}[how]
        assert world.vendors["marketing"]["marketing2"].liveness == "archived"
        folds_to_the_tables(world)


def test_an_opt_out_of_the_record_whose_place_another_took_is_told_to_that_one(kernel: Kernel) -> None:
    """The base of the one that was merged away went along: both had shown the opt-out."""
    native = {"crm": {"last": "Kelly", "consent": "in"}, "marketing": {"last": "Kelly", "consent": "unsub"}}
    state = kernel.plan.SideState
    sides = {side: state(side, native[side], {"last": "Kelly", "consent": word}) for side, word in (("crm", "out"), ("marketing", "unsub"))}
    for lost, writes in (("out", [("crm", {"consent": "out"})]), ("in", [])):
        losers = {"crm": (state("crm2", {"last": "Kelly", "consent": lost}, None, "merged", 500),)}
        contact = kernel.plan.Contact(1, sides, "unlinked", {"last": "Kelly", "consent": "opted_out"}, losers=losers)
        nobody = {"crm": lambda _values, _native: False}
        traits = {side: kernel.planner.Traits() for side in SIDES}
        plan = kernel.planner.plan_contact(mapping(kernel, ("last", "consent"), crm="full", scope=nobody), contact, traits)
        assert ([(write.side, dict(write.consent)) for write in plan.writes], plan.state) == (writes, "unlinked")
