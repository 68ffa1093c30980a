"""Consent: the cases that must come out right, by name, as far as they are decided without a network."""

from dataclasses import replace

from kernel_modules import Kernel
from native import mapping
from pair import linked, shown
from world import SIDES, World


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


def test_C_05_a_word_without_proof_subscribes_nobody(kernel: Kernel) -> None:
    """Whether it stood there when they met or is new: a silent side stays silent, and who agreed with proof is told."""
    world = linked(kernel, ("in", None))
    assert shown(world, "marketing", "consent") is None
    for word in ("none", "in"):
        world.edit("crm", "crm", consent=word)
        world.until_quiet()
        assert shown(world, "marketing", "consent") is None
    world = linked(kernel, ("none", None))
    world.edit("marketing", "marketing", consent="sub")
    world.until_quiet()
    assert shown(world, "crm", "consent") == "none"
    world.edit("marketing", "marketing", consent=None)
    world.until_quiet()
    world.edit("marketing", "marketing", consent="sub", proof=True)
    world.until_quiet()
    assert shown(world, "crm", "consent") == "in"


def test_C_05_a_mapping_that_grants_nothing_takes_no_proof(kernel: Kernel) -> None:
    world = linked(kernel, ("none", None))
    plain = tuple(replace(field, grant=None) for field in world.mapping.fields)
    world.mapping = replace(world.mapping, fields=plain)
    world.edit("marketing", "marketing", consent="sub", proof=True)
    world.until_quiet()
    assert shown(world, "crm", "consent") == "none"


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
    world.commit(1, world.plan(1))  # the pushes of this round are lost; the next one must come to the same end
    world.until_quiet()
    assert shown(world, "marketing", "consent") == "sub" and shown(world, "crm", "consent") == "asked"


def test_C_an_opt_out_after_the_proof_leaves_it_spent(kernel: Kernel) -> None:
    for told in (True, False):
        world = linked(kernel, ("out", "unsub"))
        world.edit("marketing", "marketing", proof=True, consent="sub")
        if told:
            world.until_quiet()
        world.edit("marketing", "marketing", consent="unsub")
        world.until_quiet()
        world.edit("marketing", "marketing", consent="asked")
        world.until_quiet()
        assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == ("out", "unsub"), told


def test_C_the_time_of_a_proof_is_told_by_our_clock(kernel: Kernel) -> None:
    world = linked(kernel)
    contact, field = world.contact(1), world.mapping.field("consent")
    for offset_us, known_us in ((0, 100), (40, 60), (-40, 140)):
        sides = {side: replace(state, proof=kernel.records.Proof("form", 100)) for side, state in contact.sides.items()}
        traits = {"crm": kernel.planner.Traits(), "marketing": kernel.planner.Traits(offset_us=offset_us)}
        evidence = kernel.draft.evidence_for(field, replace(contact, sides=sides), traits)
        assert [evidence.proof[side].at_us for side in SIDES] == [100, known_us]


def test_C_an_opt_out_that_neither_side_had_shown_stands_though_less_is_said_by_now(kernel: Kernel) -> None:
    for word, proof, end in (("cleaned", False, ("out", "unsub")), ("sub", False, ("out", "unsub")), ("sub", True, ("asked", "sub"))):
        world = linked(kernel, ("none", "asked"))
        world.edit("marketing", "marketing", consent="unsub")
        world.commit(1, world.plan(1))  # the push of this round is lost
        world.edit("marketing", "marketing", proof=proof, consent=word)
        world.until_quiet()
        assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == end


def test_C_an_opt_out_taken_back_before_the_other_side_heard_of_it_stands(kernel: Kernel) -> None:
    for proof, end in ((False, ("out", "unsub")), (True, ("in", "sub"))):
        world = linked(kernel)
        world.edit("crm", "crm", consent="out")
        world.commit(1, world.plan(1))  # the push of this round is lost
        world.edit("crm", "crm", consent="in")
        world.edit("marketing", "marketing", proof=proof, consent="sub")
        world.until_quiet()
        assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == end


def test_C_an_opt_out_that_a_link_found_stands_though_it_is_taken_back_before_it_was_told(kernel: Kernel) -> None:
    world = World(kernel, mapping(kernel, crm="full"))
    for side, word in zip(SIDES, ("out", "sub"), strict=True):
        blank = dict.fromkeys(world.mapping.sides[side].native)
        world.add(side, side, **blank | {"email": "ann@people.example", "consent": word})
    world._match()
    world.commit(1, world.plan(1))  # the push of this round is lost
    world.edit("crm", "crm", consent="in")
    world.until_quiet()
    assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == ("out", "unsub")


def test_C_what_both_sides_had_shown_and_took_back_is_gone(kernel: Kernel) -> None:
    world = linked(kernel, ("out", "unsub"))
    world.edit("crm", "crm", consent="in")
    world.edit("marketing", "marketing", consent="sub")
    world.until_quiet()
    assert (shown(world, "crm", "consent"), shown(world, "marketing", "consent")) == ("in", "sub")


def test_C_what_both_took_back_before_the_newest_opt_out_was_made_stands(kernel: Kernel) -> None:
    """As a merge brings one, while both records had been changed by hand and no index had shown that yet."""
    fields = {"crm": {"last": "Kelly", "consent": "in"}, "marketing": {"last": "Kelly", "consent": "sub"}}
    told = {"crm": {"last": "Kelly", "consent": "out"}, "marketing": {"last": "Kelly", "consent": "unsub"}}
    traits = {side: kernel.planner.Traits("record") for side in SIDES}
    changed = {"crm": 400, "marketing": 600}
    for agreed_us, written in ((500, ["out", "unsub"]), (300, [])):
        sides = {side: kernel.plan.SideState(side, fields[side], told[side], "live", changed[side]) for side in SIDES}
        contact = kernel.plan.Contact(1, sides, "active", {"last": "Kelly", "consent": "opted_out"}, {"consent": agreed_us})
        plan = kernel.planner.plan_contact(mapping(kernel, ("last", "consent"), crm="full"), contact, traits)
        assert [write.consent["consent"] for write in plan.writes] == written


def test_C_consent_that_flows_one_way_is_judged_too(kernel: Kernel) -> None:
    world = linked(kernel, ("in", "unsub"))
    one = kernel.merge.merge_field
    field = world.mapping.field("consent")
    one_way = type(field)(**{name: getattr(field, name) for name in field.__slots__} | {"direction": "to_marketing"})
    base = {"crm": "opted_out", "marketing": "opted_out"}
    decision = one(one_way, base, {**base, "crm": "opted_in"}, kernel.conflict.Evidence(), {"crm": {}, "marketing": {}})
    assert not decision.writes


def test_C_without_a_time_to_beat_nothing_is_proved(kernel: Kernel) -> None:
    field = linked(kernel).mapping.field("consent")
    base, native = dict.fromkeys(SIDES, "opted_out"), {"crm": {"consent": "out"}, "marketing": {"consent": "sub"}}
    for agreed_us, widened in ((None, False), (99, True), (100, False)):
        evidence = kernel.conflict.Evidence(proof={"marketing": kernel.records.Proof("form", 100)}, agreed_us=agreed_us)
        decision = kernel.merge.merge_field(field, base, {**base, "marketing": "opted_in"}, evidence, native)
        assert decision.writes == ({"crm": "pending"} if widened else {"marketing": "opted_out"})
    nameless = kernel.conflict.Evidence(proof={"marketing": kernel.records.Proof("", 100)}, agreed_us=1)
    assert kernel.merge.merge_field(field, base, {**base, "marketing": "opted_in"}, nameless, native).writes == {"marketing": "opted_out"}


def test_C_two_silences_move_nothing(kernel: Kernel) -> None:
    field = linked(kernel).mapping.field("consent")
    for base in (kernel.records.MISSING, "opted_in"):
        for crm, marketing in (("unknown", None), (None, "unknown"), ("unknown", "")):
            now = {"crm": crm, "marketing": marketing}
            assert (
                kernel.merge.merge_field(field, dict.fromkeys(SIDES, base), now, kernel.conflict.Evidence(), {"crm": {}, "marketing": {}})
                is None
            )


def test_C_who_fell_silent_before_an_archive_is_not_subscribed_by_its_return(kernel: Kernel) -> None:
    chosen = mapping(kernel, ("email", "consent"), crm="full", delete_seen_in={"crm": "archive", "marketing": "archive"})
    ann, state = {"email": "ann@people.example"}, kernel.plan.SideState
    for last, returns in (("none", "none"), ("in", "in"), ("out", "out")):
        dead = state("c", ann | {"consent": last}, ann | {"consent": "in"}, "archived")
        contact = kernel.plan.Contact(
            1, {"crm": dead, "marketing": state("m", ann | {"consent": "sub"}, ann | {"consent": "sub"})}, "deleted"
        )
        traits = {side: kernel.planner.Traits(can_restore=True) for side in SIDES}
        (write,) = kernel.planner.plan_contact(chosen, contact, traits).writes
        assert (write.kind, dict(write.consent)) == ("restore", {"consent": returns})
