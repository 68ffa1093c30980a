"""Records that were merged away: the cases that must come out right, by name."""

from typing import Any

from kernel_modules import Kernel
from native import mapping
from pair import linked, shown
from planner_checks import folds_to_the_tables
from world import SIDES


def test_a_merge_unites_opt_outs_and_archives_the_loser(kernel: Kernel) -> None:
    for word, survivor in (("unsub", "unsub"), ("cleaned", "sub"), ("asked", "sub")):
        world = linked(kernel)
        world.add("crm", "crm2", **world.vendors["crm"]["crm"].fields | {"email": "b@people.example", "consent": "none"})
        world.add(
            "marketing", "marketing2", **world.vendors["marketing"]["marketing"].fields | {"email": "b@people.example", "consent": word}
        )
        world.until_quiet()
        world.merge("crm", "crm2", "crm")
        world.round()
        assert shown(world, "marketing", "consent") == survivor
        world.until_quiet()
        assert world.vendors["marketing"]["marketing2"].liveness == "archived" and world.contacts[2].state == "merged"
        assert sum(write.kind == "archive" for write, _ in world.pushed) == 1
        folds_to_the_tables(world)


def _merged_into(kernel: Kernel, state: str, there: tuple[str, ...], lives: tuple[str, ...]) -> Any:
    """The plan of a contact into which somebody who had opted out at 500 was merged, with these records, of which these live."""
    fields = {"crm": {"last": "Kelly", "consent": "in"}, "marketing": {"last": "Kelly", "consent": "sub"}}
    sides = {side: kernel.plan.SideState(side, fields[side], fields[side], "live" if side in lives else "archived", 100) for side in there}
    lost = kernel.plan.SideState("crm2", {"last": "Byrne", "consent": "out"}, None, "merged", 500)
    view = {"last": "Kelly", "consent": "opted_in"} if state != "new" else {}
    contact = kernel.plan.Contact(1, sides, state, view, losers={"crm": (lost,)})
    traits = {side: kernel.planner.Traits("record", can_restore=True) for side in SIDES}
    return kernel.planner.plan_contact(mapping(kernel, ("last", "consent"), crm="full"), contact, traits)


def test_an_opt_out_merged_into_who_is_away_is_agreed_and_told_on_return(kernel: Kernel) -> None:
    for state, lives, kinds in (("active", ("marketing",), ["archive"]), ("deleted", (), []), ("deleted", ("crm",), ["restore"])):
        plan = _merged_into(kernel, state, SIDES, lives)
        assert (plan.view["consent"], plan.agreed_us["consent"]) == ("opted_out", 500)
        assert [write.kind for write in plan.writes] == kinds
        assert all(write.consent == {"consent": "unsub"} for write in plan.writes if write.kind == "restore")
        assert [entry.new for entry in plan.entries if entry.field == "consent"] == ["opted_out"]


def test_an_opt_out_merged_into_who_had_opted_out_counts_from_when_it_was_made(kernel: Kernel) -> None:
    fields = {"crm": {"last": "Kelly", "consent": "out"}, "marketing": {"last": "Kelly", "consent": "unsub"}}
    sides = {side: kernel.plan.SideState(side, fields[side], fields[side], "live", 100) for side in SIDES}
    lost = kernel.plan.SideState("crm2", {"last": "Byrne", "consent": "out"}, None, "merged", 500)
    view = {"last": "Kelly", "consent": "opted_out"}
    for grade, agreed in (("record", {"consent": 500}), ("none", {})):
        contact = kernel.plan.Contact(1, sides, "active", view, losers={"crm": (lost,)})
        traits = {side: kernel.planner.Traits(grade) for side in SIDES}
        plan = kernel.planner.plan_contact(mapping(kernel, ("last", "consent"), crm="full"), contact, traits)
        assert (plan.agreed_us, plan.entries, plan.writes) == (agreed, (), ())


def test_who_opted_out_and_was_merged_away_is_born_opted_out(kernel: Kernel) -> None:
    plan = _merged_into(kernel, "new", ("crm",), ("crm",))
    assert [(write.kind, write.consent) for write in plan.writes] == [("create", {"consent": "unsub"})]
    assert plan.view["consent"] == "opted_out"


def test_a_loser_goes_with_its_winner(kernel: Kernel) -> None:
    for dead in (("crm",), SIDES):
        world = linked(kernel)
        for side in SIDES:
            world.add(side, f"{side}2", **world.vendors[side][side].fields | {"email": "b@people.example"})
        world.until_quiet()
        world.merge("crm", "crm2", "crm")
        for side in dead:
            world.set_liveness(side, side, "archived")
        world.round()
        assert {record.liveness for record in world.vendors["marketing"].values()} == {"archived"}
        folds_to_the_tables(world)


def test_a_loser_goes_also_when_its_winner_parts(kernel: Kernel) -> None:
    """Because of an edit, or because deletes seen there do not travel; and again, when it could not be buried then."""
    policy = {"delete_seen_in": {"crm": "archive", "marketing": "unlink"}}
    for dead, edit in (("crm", {"last": "Byrne"}), ("marketing", {})):
        for refused in ("", "marketing"):
            world = linked(kernel, **policy)
            for side in SIDES:
                world.add(side, f"{side}2", **world.vendors[side][side].fields | {"email": "b@people.example"})
            world.until_quiet()
            world.merge("crm", "crm2", "crm")
            world.set_liveness(dead, dead, "archived")
            world.edit("marketing", "marketing", **edit)
            world.round(refused=refused)
            assert world.contacts[1].state == "unlinked"
            assert world.vendors["marketing"]["marketing2"].liveness == ("live" if refused else "archived")
            world.until_quiet()
            assert world.vendors["marketing"]["marketing2"].liveness == "archived"
            folds_to_the_tables(world)


def test_a_merge_leaves_the_loser_where_deletes_do_not_travel(kernel: Kernel) -> None:
    world = linked(kernel, delete_seen_in={})
    for side in SIDES:
        world.add(side, f"{side}2", **world.vendors[side][side].fields | {"email": "b@people.example"})
    world.until_quiet()
    world.merge("crm", "crm2", "crm")
    assert world.until_quiet() == 0 and world.vendors["marketing"]["marketing2"].liveness == "live"
