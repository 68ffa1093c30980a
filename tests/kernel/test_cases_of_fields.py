"""Identity, merge and time: the cases that must come out right, by name, as far as they are decided without a network."""

from kernel_modules import Kernel
from native import mapping
from pair import linked, shown
from planner_checks import folds_to_the_tables
from world import SIDES, World


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
    assert sorted((write.side, dict(write.fields)) for write, _ in world.pushed) == [
        ("crm", {"phone": "12"}),
        ("marketing", {"last": "Byrne"}),
    ]
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


def test_the_side_that_may_step_back_is_said_to_only_when_it_does(kernel: Kernel) -> None:
    world = linked(kernel)
    reasons = {"c_mql": "the CRM is further along; this field only moves forward", "c_lead": "the CRM may move this field back"}
    for stage, reason in reasons.items():
        world.edit("crm", "crm", stage=stage)
        world.until_quiet()
        said = next(entry for entry in reversed(world.log) if entry.field == "stage")
        assert (said.rule, said.side, said.reason) == ("furthest", "crm", reason)
        assert shown(world, "marketing", "stage") == stage.replace("c_", "m_")


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


def test_F_03_a_clock_that_is_ahead_never_wins_for_ever(kernel: Kernel) -> None:
    minute = 60_000_000
    rule = kernel.mapping.Rule("newest", tie="marketing", skew_us=2 * minute)
    field = type(linked(kernel).mapping.field("last"))("last", "text", {}, lambda v: v, rule)
    native = {side: {"last": side} for side in SIDES}
    traits = {"crm": kernel.planner.Traits(offset_us=7 * minute), "marketing": kernel.planner.Traits()}
    lenses = {side: kernel.lens.at("last", kernel.lens.IDENTITY) for side in SIDES}
    field = type(field)("last", "text", lenses, lambda v: v, rule)
    for crm_us, winner in ((7 * minute, "marketing"), (9 * minute, "marketing"), (9 * minute + 1, "crm"), (5 * minute - 1, "marketing")):
        sides = {
            side: kernel.plan.SideState(side, native[side], {"last": "base"}, modified_us=us)
            for side, us in zip(SIDES, (crm_us, 0), strict=True)
        }
        chosen = mapping(kernel)
        only = type(chosen)(chosen.name, "1", chosen.sides, (field,), (), chosen.policy)
        plan = kernel.planner.plan_contact(only, kernel.plan.Contact(1, sides, "active"), traits)
        assert [entry.side for entry in plan.entries] == [winner], crm_us


def test_F_one_known_time_is_no_order(kernel: Kernel) -> None:
    field = linked(kernel).mapping.field("last")
    base, now = dict.fromkeys(SIDES, "base"), {"crm": "c", "marketing": "m"}
    native = {side: {"last": value} for side, value in now.items()}
    for at_us in ({"crm": 5, "marketing": None}, {"crm": None, "marketing": 5}, {}):
        decision = kernel.merge.merge_field(field, base, now, kernel.conflict.Evidence(at_us), native)
        assert (decision.winner, decision.evidence) == ("marketing", "none")
