"""Who leaves the filter, together with an edit, an opt-out or a merge: nothing is lost with them, and nobody is left behind."""

from __future__ import annotations

import pytest

from tests.e2e.people import ADA, BOB, linked_pair
from tests.e2e.world import World

LEAVES = ("keep", "archive", "unlink")


def by(world: World, leave: str) -> None:
    """The shipped mapping, but for what happens to whoever leaves; Ada is linked, and so is somebody who stays."""
    world.edit_mapping(("on_leave: keep ", f"on_leave: {leave} "))
    linked_pair(world, "eve")
    linked_pair(world, "ada")
    world.mark()


def leave(world: World, **also: str) -> str:
    contact = str(world.crm_record(ADA)["id"])
    world.crm.edit("update", id=contact, fields={"is_test": "true", **also})
    return contact


def test_leaving_the_scope_buries_no_edit(world: World) -> None:
    by(world, "archive")
    world.marketing.edit("update", email=ADA, fields={"LNAME": "King"})
    contact = leave(world)
    world.at_rest("sweep")
    assert (world.member(ADA)["state"], world.member(ADA)["LNAME"]) == ("live", "King")
    assert world.written("crm") == world.written("marketing") == []
    [unlink] = [row.entry for row in world.log() if row.entry.kind == "unlink"]
    assert (unlink.rule, unlink.side) == ("edit_survives", "marketing")
    world.crm.edit("update", id=contact, fields={"is_test": ""})
    world.at_rest()
    assert world.written("crm") == [("lastname", "King")] and world.written("marketing") == []


@pytest.mark.parametrize("how", LEAVES)
def test_leaving_the_scope_with_a_merge_leaves_nobody_behind(world: World, how: str) -> None:
    by(world, how)
    linked_pair(world, "bob")
    world.crm.edit("merge", winner=world.crm_record(ADA)["id"], loser=world.crm_record(BOB)["id"])
    leave(world)
    world.at_rest("sweep")
    assert world.member(BOB)["state"] == "archived"
    assert world.member(ADA)["state"] == ("archived" if how == "archive" else "live")
    assert [(row.entry.ref, row.result) for row in world.log() if row.entry.rule == "merged"] == [
        (world.member(BOB)["contact_id"], "applied")
    ]


@pytest.mark.parametrize("how", LEAVES)
def test_who_is_merged_into_somebody_out_of_scope_goes_too(world: World, how: str) -> None:
    by(world, how)
    linked_pair(world, "bob")
    leave(world)
    world.settle()
    world.crm.edit("merge", winner=world.crm_record(ADA)["id"], loser=world.crm_record(BOB)["id"])
    leave(world)
    world.at_rest("sweep")
    assert world.member(BOB)["state"] == "archived"


@pytest.mark.parametrize("how", LEAVES)
def test_who_opts_out_in_marketing_and_leaves_is_opted_out_in_both(world: World, how: str) -> None:
    by(world, how)
    world.marketing.edit("unsubscribe", email=ADA)
    leave(world, lastname="Byron")
    world.at_rest("sweep")
    assert world.written("crm") == [("hs_email_optout", "true")] and world.written("marketing") == []
    assert (world.member(ADA)["state"], world.member(ADA)["status"]) == ("live", "unsubscribed")


@pytest.mark.parametrize("how", LEAVES)
def test_who_opts_out_in_the_crm_and_leaves_is_mailed_no_more(world: World, how: str) -> None:
    """Also where the opt-out is why they leave."""
    by(world, how)
    world.crm.edit("unsubscribe", id=leave(world, lastname="Byron"))
    world.at_rest("sweep")
    assert world.written("marketing") == [("status", "archived" if how == "archive" else "unsubscribed")]
    world.crm.edit("update", email=ADA, fields={"is_test": ""})
    world.at_rest("sweep")
    back = world.member(ADA)
    assert (back["state"], back["status"], back["LNAME"]) == ("live", "unsubscribed", "Byron")


def test_who_was_made_outside_the_other_sides_scope_has_not_left_it(world: World) -> None:
    """A lead that is made in marketing, whose scope is customers alone: nothing of it is ever archived."""
    world.edit_mapping(("on_leave: keep ", "on_leave: archive "), ("scope:\n", "scope:\n  marketing: {field: stage, in: [customer]}\n"))
    linked_pair(world, "eve")
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "lifecyclestage": "lead"})
    world.settle()
    assert world.member(ADA)["state"] == "live"
    world.marketing.edit("update", email=ADA, fields={"LNAME": "King"})
    world.at_rest("sweep")
    assert (world.crm_record(ADA)["state"], world.member(ADA)["state"]) == ("live", "live")


def test_who_is_outside_a_narrowed_scope_leaves_it(world: World) -> None:
    by(world, "archive")
    linked_pair(world, "bob")
    world.edit_mapping(("{field: is_test, is_not: true}", "{field: is_test, is_not: true}, {field: first_name, is_not: Bob}"))
    world.at_rest("sweep")
    assert [world.member(email)["state"] for email in (ADA, BOB)] == ["live", "archived"]
