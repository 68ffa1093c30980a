"""Creates: who is made across, with which consent, and what has to be there first."""

from dataclasses import replace
from typing import Any

from kernel_modules import Kernel
from native import mapping
from pair import linked
from planner_checks import creates
from world import SIDES, World


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


def test_scope_and_policy_limit_who_is_created(kernel: Kernel) -> None:
    def never(_values: Any, _native: Any) -> bool:
        return False

    for policy in ({"scope": {"crm": never}}, {"create": {"marketing": never}}):
        world = World(kernel, mapping(kernel, ("email",), **policy))
        world.add("crm", "crm", email="ann@people.example")
        assert world.until_quiet() == 0 and world.contacts[1].state == "new" and not world.log
        world.add("marketing", "marketing", email="ben@people.example")
        assert world.until_quiet() == 1 and len(world.vendors["crm"]) == 2 and len(world.vendors["marketing"]) == 1


def test_a_create_across_of_a_field_that_comes_back_only(kernel: Kernel) -> None:
    """Blank or filled: it is the other side's to tell, and has no base until that side has told it."""
    for blanks in (frozenset(), frozenset({"company"})):
        world = creates(kernel, "marketing", "unsub", False, blanks)
        (record,) = world.vendors["crm"].values()
        assert record.fields["company"] is None and world.contacts[1].view.get("company") == (None if blanks else "company x")


def test_everybody_is_in_scope_of_a_mapping_that_names_none(kernel: Kernel) -> None:
    always = kernel.mapping.always
    world = linked(kernel, scope=dict.fromkeys(SIDES, always), create=dict.fromkeys(SIDES, always))
    world.add("crm", "crm2", **world.vendors["crm"]["crm"].fields | {"email": "b@people.example"})
    world.until_quiet()
    assert len(world.vendors["marketing"]) == 2


def test_C_silence_at_birth_stays_silence(kernel: Kernel) -> None:
    """Told in the other side's word for it; and not told at all by a mapping that has no such word."""
    chosen = mapping(kernel, ("email", "consent"), crm="full")
    consent = chosen.field("consent")
    wordless = replace(consent, rule=replace(consent.rule, silent=()))
    for field, born in ((consent, {"consent": "none"}), (wordless, {})):
        only = type(chosen)("contacts", "1", chosen.sides, (chosen.field("email"), field), (), chosen.policy)
        sides = {"marketing": kernel.plan.SideState("m", {"email": "ann@people.example", "consent": None})}
        traits = {side: kernel.planner.Traits() for side in SIDES}
        (write,) = kernel.planner.plan_contact(only, kernel.plan.Contact(1, sides), traits).writes
        assert write.kind == "create" and dict(write.consent) == born


def test_C_who_does_not_show_consent_is_not_made_before_they_do(kernel: Kernel) -> None:
    """A permission is missing: that is no silence. Where consent is not told across, nothing waits for it."""
    chosen = mapping(kernel, ("email", "consent"), crm="full")
    consent = chosen.field("consent")
    for field, kinds, codes in ((consent, [], ["NotShown", "Required"]), (replace(consent, direction="to_marketing"), ["create"], [])):
        only = type(chosen)("contacts", "1", chosen.sides, (chosen.field("email"), field), (), chosen.policy)
        sides = {"marketing": kernel.plan.SideState("m", {"email": "ann@people.example"})}
        plan = kernel.planner.plan_contact(only, kernel.plan.Contact(1, sides), {side: kernel.planner.Traits() for side in SIDES})
        assert [write.kind for write in plan.writes] == kinds and [hold.code for hold in plan.holds] == codes


def test_C_05_a_mapping_that_grants_nothing_subscribes_nobody_at_birth(kernel: Kernel) -> None:
    chosen = mapping(kernel, ("email", "consent"), crm="full")
    fields = (chosen.field("email"), replace(chosen.field("consent"), grant=None))
    only = type(chosen)("contacts", "1", chosen.sides, fields, (), chosen.policy)
    seen, proof = {"email": "ann@people.example", "consent": "sub"}, kernel.records.Proof("form", 1)
    sides = {"marketing": kernel.plan.SideState("m", seen, proof=proof)}
    traits = {side: kernel.planner.Traits() for side in SIDES}
    (write,) = kernel.planner.plan_contact(only, kernel.plan.Contact(1, sides), traits).writes
    assert write.kind == "create" and dict(write.consent) == {"consent": "none"}
