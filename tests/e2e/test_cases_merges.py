"""Merges in the CRM, end to end: the survivor keeps the link and every opt-out, and the loser's member goes."""

from __future__ import annotations

from tests.e2e.people import ADA, BOB, linked_pair, live
from tests.e2e.world import World


def merged(world: World, winner: str = ADA, loser: str = BOB) -> str:
    ids = {contact["email"]: contact["id"] for contact in live(world, "crm")}
    return str(world.crm.edit("merge", winner=ids[winner], loser=ids[loser]))


def test_a_merge_moves_the_link_and_archives_the_losers_member(world: World) -> None:
    linked_pair(world, "ada")
    linked_pair(world, "bob")
    survivor = merged(world)
    world.at_rest()
    assert [(member["email_address"], member["FNAME"]) for member in live(world, "marketing")] == [(ADA, "Ada")]
    assert world.member(BOB)["state"] == "archived"
    assert world.crm_record(ADA)["id"] == survivor and len(live(world, "crm")) == 1
    world.mark()
    world.marketing.edit("update", email=ADA, fields={"LNAME": "Byron"})
    world.at_rest()
    assert world.written("crm") == [("lastname", "Byron")]
    assert world.crm_record(ADA)["id"] == survivor
    assert world.holds() == []


def test_a_merge_unites_opt_outs(world: World) -> None:
    linked_pair(world, "ada")
    linked_pair(world, "bob")
    world.marketing.edit("unsubscribe", email=BOB)
    merged(world)
    world.at_rest()
    assert world.member(ADA)["status"] == "unsubscribed"
    assert world.crm_record(ADA)["hs_email_optout"] == "true"
    [entry] = [row for row in world.log(field="consent") if row.entry.to == ("crm", "marketing")]
    assert entry.result == "applied"


def test_a_chain_of_merges_ends_in_the_last_survivor(world: World) -> None:
    for name in ("ada", "bob", "eve"):
        linked_pair(world, name)
    merged(world)
    survivor = merged(world, "eve@people.example", ADA)
    world.at_rest()
    assert [member["email_address"] for member in live(world, "marketing")] == ["eve@people.example"]
    assert [contact["id"] for contact in live(world, "crm")] == [survivor]
    assert world.written("crm") == [] and world.holds() == []


def test_a_member_at_the_second_address_of_a_contact_waits_and_is_not_sent_every_run(world: World) -> None:
    """The CRM keeps a merged contact's address beside the first one: whoever signs up with it cannot be created there, and waits."""
    linked_pair(world, "ada")
    world.crm.edit("create", fields={"email": BOB, "firstname": "Bob", "is_test": "true"})
    merged(world)
    world.settle()
    world.marketing.edit("create", email=BOB, fields={"FNAME": "Bob", "STAGE": "CUST"})
    world.mark()
    world.at_rest()
    assert world.holds() == [("", "AlreadyExists")]
    assert world.written("crm") == [] and world.member(BOB)["FNAME"] == "Bob"
    world.crm.reset_calls()
    world.sync()
    assert not [call for call in world.crm.calls()["calls"] if "upsert" in call or "create" in call]
    world.marketing.edit("change_email", email=BOB, to="robert@people.example")
    world.at_rest()
    assert world.crm_record("robert@people.example")["firstname"] == "Bob" and world.holds() == []


def test_a_merge_with_an_unlinked_contact_keeps_the_link(world: World) -> None:
    linked_pair(world, "ada")
    world.crm.edit("create", fields={"email": "test@people.example", "lastname": "Byron", "is_test": "true"})
    world.settle()
    world.crm.edit("update", email="test@people.example", fields={"is_test": "false"})
    merged(world, "test@people.example", ADA)
    world.at_rest()
    [member] = live(world, "marketing")
    assert (member["email_address"], member["FNAME"], member["LNAME"]) == ("test@people.example", "Ada", "Byron")
    assert not [op for op, _ in world.written("marketing") if op in ("create", "archive")]
