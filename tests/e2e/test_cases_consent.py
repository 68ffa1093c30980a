"""Consent, end to end: an opt-out travels at once and stays, a bounce is told as a bounce, and only the person ever subscribes anybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import World

ADA = "ada@people.example"
STATUSES = ("subscribed", "pending", "transactional", "unsubscribed", "cleaned")


def linked(world: World, status: str = "subscribed", **crm: Any) -> None:
    """Ada on both sides, in step, and a mark behind that."""
    world.pair("ada", {"firstname": "Ada", "lifecyclestage": "customer", **crm}, {"FNAME": "Ada", "STAGE": "CUST", "status": status})
    world.settle()
    world.mark()


def never_subscribed(world: World) -> None:
    """No write of ours, in all of this world's time, has made anybody subscribed or taken an opt-out back."""
    for effect in world.marketing.effects():
        if effect["actor"] == "api":
            now = effect["after"].get("status") if effect["field"] == "*" and effect["after"] else effect["after"]
            assert effect["field"] not in ("*", "status") or now != "subscribed", effect
    for effect in world.crm.effects():
        if effect["actor"] == "api" and effect["field"] == "hs_email_optout":
            assert effect["after"] == "true", effect


def test_C_01_an_opt_out_stands_against_a_later_edit_of_something_else(world: World) -> None:
    linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.later(3600)
    world.crm.edit("update", email=ADA, fields={"lastname": "Byron"})
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    assert world.written("crm") == [("hs_email_optout", "true")]
    assert world.written("marketing") == [("LNAME", "Byron")]
    never_subscribed(world)


def test_C_01_an_opt_out_of_the_crm_reaches_marketing_first(world: World) -> None:
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    world.crm.edit("update", email=ADA, fields={"lastname": "Byron"})
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    ours = [(e["n"], e["field"]) for e in world.marketing.effects() if e["actor"] == "api" and e["field"] in ("status", "LNAME")]
    assert [name for _, name in sorted(ours)] == ["status", "LNAME"]
    assert world.written("crm") == []


def test_C_02_both_opted_out_between_polls_is_no_write(world: World) -> None:
    linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.crm.edit("unsubscribe", email=ADA)
    world.at_rest()
    assert world.written("crm") == world.written("marketing") == []


@pytest.mark.parametrize("crm", [{}, {"lifecyclestage": "lead"}, {"email_status": "ok"}], ids=["untouched", "edited", "called ok"])
def test_C_03_a_bounce_is_told_as_a_bounce(world: World, crm: dict[str, str]) -> None:
    linked(world)
    world.marketing.edit("clean", email=ADA)
    world.later(3600)
    if crm:
        world.crm.edit("update", email=ADA, fields=crm)
    world.at_rest()
    assert world.member(ADA)["status"] == "cleaned"
    contact = world.crm_record(ADA)
    assert contact["email_status"] == "bounced" and contact.get("hs_email_optout") in (None, "", "false")
    assert "status" not in dict(world.written("marketing"))
    never_subscribed(world)


def test_C_03_an_opt_out_taken_back_in_the_crm_does_not_revive_a_bounced_address(world: World) -> None:
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    world.marketing.edit("clean", email=ADA)
    world.sync()
    world.crm.edit("resubscribe", email=ADA)
    world.at_rest()
    assert world.member(ADA)["status"] in ("cleaned", "unsubscribed")
    never_subscribed(world)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("crm", ["blank", "false"])
def test_C_05_a_side_without_a_word_grants_nothing_and_removes_nothing(world: World, status: str, crm: str) -> None:
    email = world.pair("ada", {"firstname": "Ada", "lifecyclestage": "customer"}, {"FNAME": "Ada", "status": status})
    if crm == "false":
        world.crm.edit("unsubscribe", email=email)
        world.crm.edit("resubscribe", email=email)
    world.at_rest()
    assert world.member(ADA)["status"] == status
    assert (world.crm_record(ADA).get("hs_email_optout") == "true") is (status == "unsubscribed")
    never_subscribed(world)


def test_C_05_a_consent_field_mapped_later_changes_nobody_but_by_the_most_restrictive_word(world: World) -> None:
    """First synced with a channel that says nothing for anyone, then with the real one."""
    world.edit_mapping(("crm: {true: opted_out, false: unknown}", "crm: {true: unknown, false: unknown}"))
    for name, status in (("ada", "subscribed"), ("bob", "unsubscribed"), ("eve", "pending")):
        world.pair(name, {"firstname": name}, {"FNAME": name, "status": status})
    world.settle()
    world.edit_mapping(("crm: {true: unknown, false: unknown}", "crm: {true: opted_out, false: unknown}"))
    world.at_rest()
    got = {name: world.member(f"{name}@people.example")["status"] for name in ("ada", "bob", "eve")}
    assert got == {"ada": "subscribed", "bob": "unsubscribed", "eve": "pending"}
    never_subscribed(world)


def test_a_crm_opt_out_taken_back_by_sales_resubscribes_nobody(world: World) -> None:
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    world.settle()
    world.later(3600)
    world.crm.edit("resubscribe", email=ADA)
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    assert world.crm_record(ADA)["hs_email_optout"] == "true"
    never_subscribed(world)


def test_an_unsubscribe_that_is_undone_by_an_import_without_proof_does_not_grant(world: World) -> None:
    """Somebody sets the member to subscribed by hand: no opt-in time moves, so both sides end opted out."""
    linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.settle()
    world.later(3600)
    world.marketing.edit("update", email=ADA, fields={"status": "subscribed"})
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    assert world.crm_record(ADA)["hs_email_optout"] == "true"
    never_subscribed(world)


def test_a_person_who_signs_up_again_is_left_subscribed_and_the_crm_keeps_its_word(world: World) -> None:
    """Marketing keeps the proof of it. The CRM's own opt-out can be lifted by the person alone: that is held, and nothing is written."""
    linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.settle()
    world.mark()
    world.later(3600)
    world.marketing.edit("resubscribe", email=ADA)
    world.at_rest()
    assert world.member(ADA)["status"] == "subscribed"
    assert world.crm_record(ADA)["hs_email_optout"] == "true"
    assert world.written("crm") == world.written("marketing") == []
    assert [field for field, _ in world.holds()] == ["consent"]
    never_subscribed(world)


def test_a_grant_is_outlived_by_the_next_opt_out(world: World) -> None:
    linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.settle()
    world.later(3600)
    world.marketing.edit("resubscribe", email=ADA)
    world.settle()
    world.later(3600)
    world.marketing.edit("unsubscribe", email=ADA)
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    assert world.crm_record(ADA)["hs_email_optout"] == "true"


@pytest.mark.parametrize("crm", [{}, {"hs_email_optout": "true"}], ids=["silent", "opted out"])
def test_a_member_made_from_the_crm_is_subscribed_to_nothing(world: World, crm: dict[str, str]) -> None:
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "lifecyclestage": "customer"})
    if crm:
        world.crm.edit("unsubscribe", email=ADA)
    world.at_rest()
    members = [member["status"] for member in world.marketing.records()]
    assert members == ([] if crm else ["transactional"])
    never_subscribed(world)


def test_a_contact_made_from_an_opted_out_member_is_born_opted_out(world: World) -> None:
    world.marketing.edit("create", email=ADA, fields={"FNAME": "Ada", "STAGE": "CUST"})
    world.marketing.edit("unsubscribe", email=ADA)
    world.at_rest()
    assert world.crm_record(ADA)["hs_email_optout"] == "true"
    assert world.written("marketing") == []


def test_a_pending_member_that_confirms_is_not_undone(world: World) -> None:
    linked(world, "pending")
    world.later(3600)
    world.marketing.edit("resubscribe", email=ADA)
    world.at_rest()
    assert world.member(ADA)["status"] == "subscribed"
    assert world.crm_record(ADA).get("hs_email_optout") in (None, "", "false")
    assert world.written("marketing") == []


def test_an_opt_out_that_could_not_be_written_is_not_forgotten_when_its_neighbour_could(world: World) -> None:
    """Status tells of consent and of bounces: that the CRM took the one says nothing of the opt-out that marketing did not take."""
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    world.settle()
    world.marketing.edit("clean", email=ADA)
    world.settle()
    world.later(3600)
    world.marketing.edit("update", email=ADA, fields={"status": "subscribed"})
    world.marketing.faults(on="PATCH /3.0/lists", kind="500_before", times=20)
    world.sync()
    assert world.member(ADA)["status"] == "subscribed" and world.crm_record(ADA)["email_status"] == "ok"
    world.marketing.faults(clear=True)
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    never_subscribed(world)


def test_a_consent_that_waits_is_not_let_go_because_its_neighbour_was_written(world: World) -> None:
    """She signs up again while the CRM calls her address bounced: the address is called good again, the opt-out there still waits."""
    linked(world)
    world.crm.edit("unsubscribe", email=ADA)
    world.settle()
    world.crm.edit("clean", email=ADA)
    world.later(3600)
    world.marketing.edit("resubscribe", email=ADA)
    world.at_rest()
    assert world.crm_record(ADA)["email_status"] == "ok" and world.crm_record(ADA)["hs_email_optout"] == "true"
    assert world.holds() == [("consent", "Unresolved")]
    never_subscribed(world)
