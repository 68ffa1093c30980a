"""Deletes, returns and filters: the cases that must come out right, by name."""

from typing import Any

from kernel_modules import Kernel
from native import mapping
from pair import linked, shown
from planner_checks import folds_to_the_tables
from world import SIDES


def test_D_01_a_delete_follows_the_policy_once(kernel: Kernel) -> None:
    for policy, liveness, state in (("archive", "archived", "deleted"), ("unlink", "live", "unlinked"), ("keep", "live", "unlinked")):
        world = linked(kernel, delete_seen_in={"crm": policy, "marketing": "unlink"})
        world.set_liveness("crm", "crm", "archived")
        world.until_quiet()
        assert world.vendors["marketing"]["marketing"].liveness == liveness and world.contacts[1].state == state
        assert world.until_quiet() == 0 and len(world.vendors["crm"]) == 1, "a tombstone is not a reason to create"
        folds_to_the_tables(world)


def test_D_01_a_failed_archive_never_brings_the_deleted_one_back(kernel: Kernel) -> None:
    world = linked(kernel)
    world.set_liveness("crm", "crm", "archived")
    world.commit(1, world.plan(1))
    world.edit("marketing", "marketing", last="Byrne")
    world.until_quiet()
    assert world.vendors["crm"]["crm"].liveness == "archived"


def test_D_02_an_edit_outlives_a_delete(kernel: Kernel) -> None:
    world = linked(kernel)
    world.set_liveness("crm", "crm", "gone")
    world.edit("marketing", "marketing", last="Byrne")
    world.until_quiet()
    assert world.vendors["marketing"]["marketing"].liveness == "live" and shown(world, "marketing", "last") == "Byrne"
    assert [(e.kind, e.rule) for e in world.log[-2:]] == [("delete", ""), ("unlink", "edit_survives")] and world.contacts[
        1
    ].state == "unlinked"


def test_D_02_our_own_write_that_got_no_answer_is_no_edit(kernel: Kernel) -> None:
    """The dead record shows it too. What only the living one shows is an edit, whoever made it."""
    for also, liveness in ({}, "archived"), ({"first": "Anna"}, "live"):
        world = linked(kernel)
        world.edit("crm", "crm", last="Byrne")
        world.round(unanswered=frozenset({"marketing"}))
        world.edit("marketing", "marketing", **also)
        world.set_liveness("crm", "crm", "archived")
        world.until_quiet()
        assert shown(world, "marketing", "last") == "Byrne" and world.vendors["marketing"]["marketing"].liveness == liveness


def test_D_05_out_of_scope_is_not_deleted(kernel: Kernel) -> None:
    scope = {"crm": lambda values, _native: values["birthday"] != "out"}
    world = linked(kernel, scope=scope)
    world.edit("crm", "crm", birthday="out", last="Byrne")
    assert world.until_quiet() == 0 and world.contacts[1].state == "active"
    world.edit("marketing", "marketing", phone="12", consent="unsub")
    world.until_quiet()
    assert shown(world, "crm", "consent") == "out" and shown(world, "crm", "phone") is None
    world.edit("crm", "crm", birthday="1980-02-29")
    world.until_quiet()
    assert shown(world, "marketing", "last") == "Byrne" and shown(world, "crm", "phone") == "12"


def test_D_05_by_policy_it_parts_or_is_archived(kernel: Kernel) -> None:
    scope = {"crm": lambda values, _native: values["birthday"] != "out"}
    for leave, state, liveness in (("unlink", "unlinked", "live"), ("archive", "deleted", "archived")):
        world = linked(kernel, scope=scope, on_leave=leave)
        world.edit("crm", "crm", birthday="out", last="Byrne")
        world.until_quiet()
        assert world.contacts[1].state == state and world.vendors["marketing"]["marketing"].liveness == liveness
        assert shown(world, "marketing", "last") == "Kelly"
        world.edit("crm", "crm", birthday="1980-02-29")
        world.until_quiet()
        assert world.contacts[1].state == "active" and shown(world, "marketing", "last") == "Byrne"
        folds_to_the_tables(world)


def test_D_07_an_undelete_revives_the_same_pair_with_the_consent_it_had(kernel: Kernel) -> None:
    world = linked(kernel, ("out", "unsub"))
    world.set_liveness("crm", "crm", "archived")
    world.until_quiet()
    world.edit("crm", "crm", last="Byrne", consent="in")
    world.set_liveness("crm", "crm", "live")
    world.until_quiet()
    marketing = world.vendors["marketing"]["marketing"]
    assert marketing.liveness == "live" and marketing.fields["last"] == "Byrne" and marketing.fields["consent"] == "unsub"
    assert shown(world, "crm", "consent") == "out" and len(world.contacts) == 1
    folds_to_the_tables(world)


def test_D_07_an_opt_out_made_meanwhile_comes_along(kernel: Kernel) -> None:
    world = linked(kernel)
    world.set_liveness("crm", "crm", "archived")
    world.until_quiet()
    world.edit("crm", "crm", consent="out")
    world.set_liveness("crm", "crm", "live")
    world.round()
    assert [dict(write.consent) for write, _ in world.pushed if write.kind == "restore"] == [{"consent": "unsub"}]


def test_D_07_an_opt_out_made_just_before_it_went_comes_back_too(kernel: Kernel) -> None:
    world = linked(kernel, delete_seen_in={"crm": "archive", "marketing": "archive"})
    world.edit("marketing", "marketing", consent="unsub")
    world.set_liveness("marketing", "marketing", "archived")
    world.until_quiet()
    world.set_liveness("crm", "crm", "live")
    world.round()
    assert [dict(write.consent) for write, _ in world.pushed if write.kind == "restore"] == [{"consent": "unsub"}]
    world.until_quiet()
    assert shown(world, "crm", "consent") == "out"


def test_what_restricts(kernel: Kernel) -> None:
    several, one = ("in", "asked", "out"), ("out",)
    strict = kernel.deaths._restriction
    assert [strict(several, value) for value in (None, *several)] == [-1, -1, 1, 2]
    assert (strict(one, "out"), strict(one, "in")) == (0, -1)


def test_D_07_what_cannot_be_restored_waits(kernel: Kernel) -> None:
    world = linked(kernel)
    world.can_restore = False
    world.set_liveness("crm", "crm", "archived")
    world.until_quiet()
    world.set_liveness("crm", "crm", "live")
    assert world.until_quiet() == 0 and [hold.code for hold in world.holds[1]] == ["CannotRestore"]
    assert world.contacts[1].state == "deleted"


def test_both_come_back_by_hand_and_agree_anew(kernel: Kernel) -> None:
    """What both sides changed alike meanwhile is in the log, so that it folds."""
    world = linked(kernel)
    world.can_restore = False
    for side in SIDES:
        world.set_liveness(side, side, "archived")
    world.until_quiet()
    for side in SIDES:
        world.edit(side, side, last="Byrne")
        world.set_liveness(side, side, "live")
    world.until_quiet()
    assert world.contacts[1].view["last"] == "Byrne" and "revive" in [entry.kind for entry in world.log]
    folds_to_the_tables(world)


def test_who_comes_back_to_a_parted_contact_that_has_lost_its_other_record_waits_with_a_word(kernel: Kernel) -> None:
    world = linked(kernel)
    world.contacts[1].state = "unlinked"
    del world.contacts[1].refs["crm"]
    assert [(hold.code, hold.side) for hold in world.plan(1).holds] == [("CannotRestore", "crm")]
    assert (world.plan(1).state, world.plan(1).writes) == ("unlinked", ())


def test_D_01_silence_that_no_answer_has_shown_is_no_edit(kernel: Kernel) -> None:
    """A record that was just made says nothing of consent, and has no base for that. If it says something, that is an edit."""
    for word, kinds in (("none", ["archive"]), ("out", [])):
        world = linked(kernel, delete_seen_in={"marketing": "archive"})
        world.edit("crm", "crm", consent=word)
        del world.contacts[1].shadows["crm"]["consent"]
        world.set_liveness("marketing", "marketing", "gone")
        assert [write.kind for write in world.plan(1).writes] == kinds, word


def test_totals_are_what_the_guard_weighs(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", last="", phone="1", birthday="1999-01-01", tags="ta;tb", consent="out")
    assert dict(world.plan(1).totals) == {"updates": 2, "blanks": 1, "overwrites": 1, "unsubscribes": 1}


def test_a_lens_that_refuses_holds_its_field_and_never_the_run(kernel: Kernel) -> None:
    """Also where the kernel only asks what a side would show."""
    refuse = kernel.errors.Rejected("no")

    def put(_value: Any) -> Any:
        raise refuse

    step = kernel.lens.Step(get=lambda value: value, put=put, lossy=True)
    base = mapping(kernel, ("last",))
    last = base.field("last")
    lenses = {"crm": last.lenses["crm"], "marketing": kernel.lens.at("last", step)}
    field = type(last)(**{name: getattr(last, name) for name in last.__slots__} | {"lenses": lenses})
    chosen = type(base)("contacts", "1", base.sides, (field,), (), base.policy)
    traits = {side: kernel.planner.Traits() for side in SIDES}
    for crm, marketing, holds in (("Byrne", "Kelly", ["Rejected"]), ("Kelly", "Byrne", [])):
        sides = {
            side: kernel.plan.SideState(side, {"last": now}, {"last": "Kelly"}) for side, now in (("crm", crm), ("marketing", marketing))
        }
        plan = kernel.planner.plan_contact(chosen, kernel.plan.Contact(1, sides, "active"), traits)
        assert [hold.code for hold in plan.holds] == holds and bool(plan.writes) != bool(holds)


def test_deletes_are_counted(kernel: Kernel) -> None:
    world = linked(kernel)
    world.set_liveness("crm", "crm", "archived")
    assert dict(world.plan(1).totals) == {"archives": 1}


def test_a_restored_side_keeps_its_base_even_if_the_bin_shows_nothing(kernel: Kernel) -> None:
    world = linked(kernel)
    world.set_liveness("crm", "crm", "archived")
    world.until_quiet()
    kept = dict(world.contacts[1].shadows["marketing"] or {})
    world.vendors["marketing"]["marketing"].fields.clear()
    world.set_liveness("crm", "crm", "live")
    plan = world.plan(1)
    assert plan.writes[0].kind == "restore" and plan.shadows["marketing"] == kept and kept["last"] == "Kelly"


def test_of_two_native_names_only_the_changed_one_is_written(kernel: Kernel) -> None:
    lens = kernel.lens.Lens(
        ("a", "b"), lambda native: f"{native['a']} {native['b']}", lambda value, _: dict(zip("ab", value.split(), strict=True))
    )
    base = mapping(kernel, ("last",))
    field = kernel.mapping.Field("whole", "text", {"crm": lens, "marketing": lens}, lambda v: v, kernel.mapping.Rule("newest"))
    chosen = type(base)("contacts", "1", base.sides, (field,), (), base.policy)
    old = {"a": "Ann", "b": "Kelly"}
    sides = {"crm": kernel.plan.SideState("c", {**old, "b": "Byrne"}, old), "marketing": kernel.plan.SideState("m", old, old)}
    plan = kernel.planner.plan_contact(chosen, kernel.plan.Contact(1, sides, "active"), {side: kernel.planner.Traits() for side in SIDES})
    assert [dict(write.fields) for write in plan.writes] == [{"b": "Byrne"}]
    [write] = plan.writes
    assert (plan.shadows["marketing"], write.confirms, write.shown) == (old, ("a", "b"), {"a": "Ann", "b": "Byrne"})


def test_D_02_without_a_base_an_edit_is_what_differs_from_what_was_agreed(kernel: Kernel) -> None:
    """After a change of mapping, or under another ref. A blank has nothing to lose."""
    for edit, kinds in (({}, ["archive"]), ({"last": "Byrne"}, []), ({"last": None}, ["archive"])):
        world = linked(kernel)
        world.contacts[1].shadows["marketing"] = None
        world.edit("marketing", "marketing", **edit)
        world.set_liveness("crm", "crm", "gone")
        assert [write.kind for write in world.plan(1).writes] == kinds
