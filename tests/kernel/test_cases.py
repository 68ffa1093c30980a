"""The cases that must come out right, each by its name, as far as they are decided without a network."""

from typing import Any

from kernel_modules import Kernel
from planner_checks import creates, folds_to_the_tables
from world import SIDES, World, mapping

ANN = {"email": "ann@people.example", "last": "Kelly", "birthday": "1980-02-29", "stage": "lead", "tags": "ta", "first": "Ann"}


def linked(k: Kernel, consent: tuple[Any, Any] = ("in", "sub"), **policy: Any) -> World:
    """One person on both sides, alike, linked and quiet."""
    world = World(k, mapping(k, crm="full", **policy))
    for side, word in zip(SIDES, consent, strict=True):
        native = ANN | {"stage": f"{side[0]}_lead"}
        blank = dict.fromkeys(world.mapping.sides[side].native)
        world.add(side, side, **blank | native | {"consent": word})
    world.until_quiet()
    return world


def shown(world: World, side: str, name: str) -> Any:
    return world.vendors[side][side].fields[name]


def test_A_01_the_same_person_made_twice_is_one(kernel: Kernel) -> None:
    world = World(kernel, mapping(kernel))
    world.add("crm", "crm", email="Ann@people.example ", last="Kelly", phone=None, birthday="1", consent="no")
    world.add("marketing", "marketing", email="ann@people.example", last="KELLY", phone="12", birthday="2", consent="sub")
    world.until_quiet()
    assert len(world.contacts) == len(world.vendors["crm"]) == len(world.vendors["marketing"]) == 1
    assert shown(world, "crm", "phone") == "12" and shown(world, "marketing", "last") == "KELLY"
    assert [hold.field for hold in world.holds[1]] == ["birthday"] and shown(world, "crm", "birthday") == "1"
    assert [entry.kind for entry in world.log] == ["link", "change"] and world.log[0].new["view"]["phone"] == "12"
    folds_to_the_tables(world)


def test_A_03_a_changed_address_moves_and_the_link_stays(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", email="new@people.example")
    world.edit("marketing", "marketing", last="Byrne")
    world.until_quiet()
    assert shown(world, "marketing", "email") == "new@people.example" and shown(world, "crm", "last") == "Byrne"
    assert world.contacts[1].refs == {"crm": "crm", "marketing": "marketing"} and len(world.contacts) == 1


def test_A_05_case_and_outer_spaces_are_no_difference(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", email=" ANN@people.example ")
    assert world.until_quiet() == 0 and shown(world, "crm", "email") == " ANN@people.example "


def test_B_01_edits_of_different_fields_both_survive_in_one_small_write_a_side(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", last="Byrne")
    world.edit("marketing", "marketing", phone="12")
    world.round()
    assert sorted((write.side, dict(write.fields)) for write, _ in world.pushed) == [("crm", {"phone": "12"}), ("marketing", {"last": "Byrne"})]
    assert {write.side: dict(write.expect) for write, _ in world.pushed} == {"crm": {"phone": None}, "marketing": {"last": "Kelly"}}


def test_B_02_the_same_edit_on_both_sides_is_no_conflict(kernel: Kernel) -> None:
    world = linked(kernel)
    for side in SIDES:
        world.edit(side, side, last="Byrne")
    assert world.round() == 0 and world.contacts[1].view["last"] == "Byrne"
    assert [(entry.kind, entry.rule, entry.to) for entry in world.log[1:]] == [("change", "agreed", ())]
    assert {side: shadow["last"] for side, shadow in world.contacts[1].shadows.items()} == {"crm": "Byrne", "marketing": "Byrne"}


def test_B_04_cleared_is_not_the_same_as_not_shown(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", last="", first=None)
    world.until_quiet()
    assert shown(world, "marketing", "last") == "" and shown(world, "marketing", "first") == "Ann"
    del world.vendors["marketing"]["marketing"].fields["stage"]
    world.edit("crm", "crm", stage="c_mql")
    assert world.round() == 0 and world.contacts[1].shadows["marketing"]["stage"] == "m_lead"
    world.edit("marketing", "marketing", stage="m_lead")
    world.until_quiet()
    assert shown(world, "marketing", "stage") == "m_mql" and world.log[-1].rule == "furthest"


def test_B_04_a_one_sided_edit_survives_a_partial_read_of_the_other_side(kernel: Kernel) -> None:
    """`newest` would give it to marketing, whose record is the younger one: only the bases know that nobody edited it there."""
    world = linked(kernel)
    world.edit("crm", "crm", last="Byrne")
    del world.vendors["marketing"]["marketing"].fields["last"]
    world.round()
    world.edit("marketing", "marketing", last="Kelly")
    world.until_quiet()
    assert [shown(world, side, "last") for side in SIDES] == ["Byrne", "Byrne"]


def test_B_06_a_shortened_text_does_not_come_back(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", first="Maximiliane")
    world.until_quiet()
    assert shown(world, "marketing", "first") == "Maximili" == world.contacts[1].shadows["marketing"]["first"]
    assert world.until_quiet() == 0 and shown(world, "crm", "first") == "Maximiliane"
    world.edit("marketing", "marketing", first="Max")
    world.until_quiet()
    assert shown(world, "crm", "first") == "Max" and "shortened" in world.log[-1].reason and world.log[-1].old == "Maximiliane"


def test_B_06_an_unanswered_shortening_does_not_come_back_either(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", first="Maximiliane")
    world.round(unanswered=frozenset({"marketing"}))
    world.until_quiet()
    assert shown(world, "crm", "first") == "Maximiliane"


def test_B_08_an_unknown_choice_waits_alone(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("crm", "crm", stage="c_invented", last="Byrne")
    world.until_quiet()
    assert shown(world, "marketing", "last") == "Byrne" and shown(world, "marketing", "stage") == "m_lead"
    assert [(hold.code, hold.field, hold.side) for hold in world.holds[1]] == [("UnknownChoice", "stage", "crm")]
    world.edit("crm", "crm", stage="c_mql")
    world.until_quiet()
    assert shown(world, "marketing", "stage") == "m_mql" and not world.holds[1]


def test_C_01_a_later_edit_of_another_field_is_no_consent(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("marketing", "marketing", consent="unsub")
    world.edit("crm", "crm", last="Byrne", consent="in")
    world.until_quiet()
    assert shown(world, "crm", "consent") == "out" and shown(world, "marketing", "consent") == "unsub"
    assert {write.kind for write, _ in world.pushed if write.consent} == {"consent"}


def test_C_03_a_bounce_is_told_as_a_bounce_and_never_undone(kernel: Kernel) -> None:
    world = linked(kernel)
    world.edit("marketing", "marketing", consent="cleaned")
    world.edit("crm", "crm", consent="in")
    world.until_quiet()
    assert shown(world, "crm", "consent") == "bounced" and shown(world, "marketing", "consent") == "cleaned"


def test_C_05_a_blank_grants_nothing_and_removes_nothing(kernel: Kernel) -> None:
    for consent in ((None, "sub"), (None, "unsub"), ("none", "asked")):
        world = linked(kernel, consent)
        assert shown(world, "marketing", "consent") == consent[1]
        world.edit("crm", "crm", consent=None)
        world.until_quiet()
        assert shown(world, "marketing", "consent") == consent[1]


def test_C_an_opt_out_that_both_sides_shelve_stands(kernel: Kernel) -> None:
    world = linked(kernel, ("out", "unsub"))
    world.edit("crm", "crm", consent="none")
    world.edit("marketing", "marketing", consent="sub")
    world.until_quiet()
    assert shown(world, "crm", "consent") == "out" and shown(world, "marketing", "consent") == "unsub"


def test_C_proof_older_than_the_opt_out_proves_nothing(kernel: Kernel) -> None:
    world = linked(kernel, ("out", "unsub"))
    world.edit("marketing", "marketing", consent="sub")
    world.vendors["marketing"]["marketing"].proof = kernel.records.Proof("form", 5)
    world.until_quiet()
    assert shown(world, "marketing", "consent") == "unsub"
    world.edit("marketing", "marketing", proof=True, consent="sub")
    world.until_quiet()
    assert shown(world, "marketing", "consent") == "sub" and shown(world, "crm", "consent") == "asked"


def test_C_consent_that_flows_one_way_is_judged_too(kernel: Kernel) -> None:
    world = linked(kernel, ("in", "unsub"))
    one = kernel.merge.merge_field
    field = world.mapping.field("consent")
    one_way = type(field)(**{name: getattr(field, name) for name in field.__slots__} | {"direction": "to_marketing"})
    base = {"crm": "opted_out", "marketing": "opted_out"}
    decision = one(one_way, base, {**base, "crm": "opted_in"}, kernel.conflict.Evidence(), {"crm": {}, "marketing": {}})
    assert not decision.writes


def test_F_03_a_clock_that_is_ahead_never_wins_for_ever(kernel: Kernel) -> None:
    minute = 60_000_000
    rule = kernel.mapping.Rule("newest", tie="marketing", skew_us=2 * minute)
    field = type(linked(kernel).mapping.field("last"))("last", "text", {}, lambda v: v, rule)
    native = {side: {"last": side} for side in SIDES}
    traits = {"crm": kernel.planner.Traits(offset_us=7 * minute), "marketing": kernel.planner.Traits()}
    lenses = {side: kernel.lens.at("last", kernel.lens.IDENTITY) for side in SIDES}
    field = type(field)("last", "text", lenses, lambda v: v, rule)
    for crm_us, winner in ((7 * minute, "marketing"), (9 * minute, "marketing"), (9 * minute + 1, "crm"), (5 * minute - 1, "marketing")):
        sides = {side: kernel.plan.SideState(side, native[side], {"last": "base"}, modified_us=us) for side, us in zip(SIDES, (crm_us, 0), strict=True)}
        chosen = mapping(kernel)
        only = type(chosen)(chosen.name, "1", chosen.sides, (field,), (), chosen.policy)
        plan = kernel.planner.plan_contact(only, kernel.plan.Contact(1, sides, "active"), traits)
        assert [entry.side for entry in plan.entries] == [winner], crm_us


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
    assert [(e.kind, e.rule) for e in world.log[-2:]] == [("delete", ""), ("unlink", "edit_survives")] and world.contacts[1].state == "unlinked"


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


def test_a_merge_unites_opt_outs_and_archives_the_loser(kernel: Kernel) -> None:
    for word, survivor in (("unsub", "unsub"), ("cleaned", "sub"), ("asked", "sub")):
        world = linked(kernel)
        world.add("crm", "crm2", **world.vendors["crm"]["crm"].fields | {"email": "b@people.example", "consent": "none"})
        world.add("marketing", "marketing2", **world.vendors["marketing"]["marketing"].fields | {"email": "b@people.example", "consent": word})
        world.until_quiet()
        world.merge("crm", "crm2", "crm")
        world.until_quiet()
        assert shown(world, "marketing", "consent") == survivor
        assert world.vendors["marketing"]["marketing2"].liveness == "archived" and world.contacts[2].state == "merged"
        assert sum(write.kind == "archive" for write, _ in world.pushed) == 1
        folds_to_the_tables(world)


def test_a_create_is_born_with_its_consent(kernel: Kernel) -> None:
    table = [
        ("crm", "in", False, "asked"), ("crm", "in", True, "sub"), ("crm", "out", True, "unsub"), ("crm", "bounced", False, "cleaned"),
        ("marketing", "sub", False, "asked"), ("marketing", "sub", True, "in"), ("marketing", "unsub", False, "out"),
    ]  # fmt: skip
    for source, word, proof, born in table:
        world = creates(kernel, source, word, proof, frozenset())
        (record,) = world.vendors["marketing" if source == "crm" else "crm"].values()
        assert record.fields["consent"] == born, (source, word, proof)
        create = world.pushed[0][0]
        assert create.kind == "create" and "consent" not in create.fields and "birthday" in create.fields


def test_a_create_waits_for_what_it_needs(kernel: Kernel) -> None:
    for blanks, word in ((frozenset({"email"}), "in"), (frozenset(), "invented")):
        world = creates(kernel, "crm", word, False, blanks)
        assert not world.vendors["marketing"] and (not world.contacts or world.holds[1])


def test_a_create_without_a_required_value_waits_whole(kernel: Kernel) -> None:
    base = mapping(kernel, ("email", "stage", "consent"))
    stage = base.field("stage")
    needed = type(stage)(**{name: getattr(stage, name) for name in stage.__slots__} | {"required_in": frozenset({"marketing"})})
    for native, code in ((None, "Required"), ("c_invented", "Required"), ("c_lead", None)):
        chosen = type(base)("contacts", "1", base.sides, (base.field("email"), needed, base.field("consent")), (), base.policy)
        state = kernel.plan.SideState("1", {"email": "ann@people.example", "stage": native, "consent": "no"})
        traits = {side: kernel.planner.Traits() for side in SIDES}
        plan = kernel.planner.plan_contact(chosen, kernel.plan.Contact(1, {"crm": state}), traits)
        assert (code in [hold.code for hold in plan.holds]) == bool(code) and bool(plan.writes) == (code is None), native
        assert plan.entries == () or code is None


def test_an_existing_record_never_loses_what_it_requires(kernel: Kernel) -> None:
    base = mapping(kernel, ("last",))
    last = base.field("last")
    needed = type(last)(**{name: getattr(last, name) for name in last.__slots__} | {"required_in": frozenset({"marketing"})})
    chosen = type(base)("contacts", "1", base.sides, (needed,), (), base.policy)
    sides = {side: kernel.plan.SideState(side, {"last": now}, {"last": "Kelly"}) for side, now in (("crm", ""), ("marketing", "Kelly"))}
    traits = {side: kernel.planner.Traits() for side in SIDES}
    plan = kernel.planner.plan_contact(chosen, kernel.plan.Contact(1, sides, "active"), traits)
    assert [hold.code for hold in plan.holds] == ["Required"] and not plan.writes
    assert plan.shadows["crm"]["last"] == "Kelly", "it is judged again until somebody fills it"


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
        sides = {side: kernel.plan.SideState(side, {"last": now}, {"last": "Kelly"}) for side, now in (("crm", crm), ("marketing", marketing))}
        plan = kernel.planner.plan_contact(chosen, kernel.plan.Contact(1, sides, "active"), traits)
        assert [hold.code for hold in plan.holds] == holds and bool(plan.writes) != bool(holds)
