"""Deletes and the filter, end to end: carried out once, by policy, never against an unseen edit, and never undone by a lagging read."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import GuardTripped
from tests.e2e.world import World

ADA = "ada@people.example"


def linked(world: World, **marketing: Any) -> str:
    """Ada on both sides, in step, and a mark behind that; returns her CRM id."""
    fields = {"FNAME": "Ada", "LNAME": "Byron", "STAGE": "CUST", **marketing}
    world.pair("ada", {"firstname": "Ada", "lastname": "Byron", "lifecyclestage": "customer"}, fields)
    bystander(world)
    world.settle()
    world.mark()
    return str(world.crm_record(ADA)["id"])


def bystander(world: World) -> None:
    """Somebody else, so that neither side is ever empty."""
    world.pair("bob", {"firstname": "Bob"}, {"FNAME": "Bob"})


def kinds(world: World) -> list[str]:
    """What the log says happened to Ada, apart from fields."""
    return [row.entry.kind for row in world.log(contact_id=1) if row.entry.kind not in ("change", "receipt", "hold", "release")]


def test_D_01_deleted_in_the_crm_is_archived_in_marketing_once(world: World) -> None:
    contact = linked(world)
    world.crm.edit("delete", id=contact)
    world.at_rest("sweep")
    assert world.member(ADA)["state"] == "archived"
    assert [e["field"] for e in world.marketing.effects() if e["actor"] == "api" and e["op"] == "archive"] == ["status"]
    assert world.written("crm") == []
    assert kinds(world) == ["link", "delete", "archive"]


def test_D_01_deleted_for_good_in_the_crm_is_archived_too(world: World) -> None:
    contact = linked(world)
    world.crm.edit("purge", id=contact)
    world.at_rest("sweep")
    assert world.member(ADA)["state"] == "archived"


def test_D_01_an_index_that_still_shows_the_deleted_does_not_bring_them_back(world: World) -> None:
    contact = linked(world)
    world.crm.faults(lag_s=3600)
    world.crm.edit("update", id=contact, fields={"lastname": "King"})
    world.crm.edit("delete", id=contact)
    for kind in ("sync", "sweep", "sync", "sweep"):
        assert world.sync(kind).error is None
    assert world.member(ADA)["state"] == "archived"
    assert [r["state"] for r in world.crm.records() if r["email"] == ADA] == ["archived"]
    assert world.written("crm") == []
    world.later(7200)
    world.at_rest("sweep")
    assert world.member(ADA)["state"] == "archived" and world.written("crm") == []


@pytest.mark.parametrize("how", ["delete", "purge"])
def test_D_01_removed_in_marketing_unlinks_and_the_crm_keeps_its_contact(world: World, how: str) -> None:
    contact = linked(world)
    world.marketing.edit(how, email=ADA)
    world.at_rest("sweep")
    assert world.crm_record(ADA)["id"] == contact
    assert world.written("crm") == world.written("marketing") == []
    assert kinds(world) == ["link", "delete", "unlink"]
    world.crm.edit("update", id=contact, fields={"lastname": "King"})
    world.at_rest("sweep")
    assert world.written("marketing") == []


def test_D_01_deleted_on_both_sides_is_only_noted(world: World) -> None:
    contact = linked(world)
    world.crm.edit("delete", id=contact)
    world.marketing.edit("delete", email=ADA)
    world.at_rest("sweep")
    assert world.written("crm") == world.written("marketing") == []


def test_D_01_an_opt_out_of_a_member_is_not_lost_with_its_archive(world: World) -> None:
    """Unsubscribed and its contact deleted between two polls: the address stays opted out wherever it still counts."""
    contact = linked(world)
    world.marketing.edit("unsubscribe", email=ADA)
    world.crm.edit("delete", id=contact)
    world.at_rest("sweep")
    member = world.member(ADA)
    assert member["state"] == "archived" or member["status"] == "unsubscribed"
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "lifecyclestage": "customer"})
    world.at_rest("sweep")
    assert world.member(ADA)["status"] in ("unsubscribed", "archived")


def test_D_02_deleted_in_the_crm_but_edited_in_marketing_is_kept_and_parted(world: World) -> None:
    contact = linked(world)
    world.crm.edit("delete", id=contact)
    world.marketing.edit("update", email=ADA, fields={"LNAME": "King"})
    world.at_rest("sweep")
    member = world.member(ADA)
    assert (member["state"], member["LNAME"]) == ("live", "King")
    assert world.written("crm") == world.written("marketing") == []
    assert kinds(world) == ["link", "delete", "unlink"]
    [unlink] = [row.entry for row in world.log(contact_id=1) if row.entry.kind == "unlink"]
    assert unlink.rule == "edit_survives"


def test_D_02_edited_in_marketing_and_synced_then_deleted_is_archived(world: World) -> None:
    """An edit that the CRM has taken in is no unseen edit."""
    contact = linked(world)
    world.marketing.edit("update", email=ADA, fields={"LNAME": "King"})
    world.settle()
    world.crm.edit("delete", id=contact)
    world.at_rest("sweep")
    assert world.member(ADA)["state"] == "archived"


def test_D_05_who_leaves_the_filter_sleeps_and_comes_back_with_the_old_base(world: World) -> None:
    contact = linked(world)
    world.crm.edit("update", id=contact, fields={"is_test": "true", "lastname": "King"})
    world.marketing.edit("update", email=ADA, fields={"COUNTRY": "FR"})
    world.at_rest("sweep")
    assert world.written("crm") == world.written("marketing") == []
    assert world.member(ADA)["state"] == "live"
    world.crm.edit("update", id=contact, fields={"is_test": ""})
    world.at_rest()
    assert world.written("crm") == [("country", "France")]
    assert world.written("marketing") == [("LNAME", "King")]
    assert world.changes("last_name")[-1] == ("one_side", "Byron", "King")


def test_D_05_an_opt_out_still_travels_outside_the_filter(world: World) -> None:
    contact = linked(world)
    world.crm.edit("update", id=contact, fields={"is_test": "true"})
    world.marketing.edit("unsubscribe", email=ADA)
    world.at_rest()
    assert world.written("crm") == [("hs_email_optout", "true")]


def test_D_05_by_another_policy_who_leaves_is_archived_and_comes_back(world: World) -> None:
    world.edit_mapping(("on_leave: keep ", "on_leave: archive "))
    contact = linked(world)
    world.crm.edit("update", id=contact, fields={"is_test": "true"})
    world.at_rest()
    assert world.member(ADA)["state"] == "archived"
    world.crm.edit("update", id=contact, fields={"is_test": "", "lastname": "King"})
    world.at_rest()
    member = world.member(ADA)
    assert (member["state"], member["status"], member["LNAME"]) == ("live", "subscribed", "King")


def test_D_05_by_another_policy_who_leaves_is_unlinked(world: World) -> None:
    world.edit_mapping(("on_leave: keep ", "on_leave: unlink "))
    contact = linked(world)
    world.crm.edit("update", id=contact, fields={"is_test": "true"})
    world.at_rest()
    world.marketing.edit("update", email=ADA, fields={"LNAME": "King"})
    world.at_rest()
    assert world.written("crm") == world.written("marketing") == []
    assert kinds(world) == ["link", "unlink"]


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "transactional"])
def test_D_07_undeleted_in_the_crm_revives_the_link_with_the_consent_it_had(world: World, status: str) -> None:
    contact = linked(world, status=status)
    member = world.member(ADA)["contact_id"]
    world.crm.edit("delete", id=contact)
    world.settle("sweep")
    assert world.member(ADA)["state"] == "archived"
    world.crm.edit("restore", id=contact)
    world.at_rest("sweep")
    back = world.member(ADA)
    assert (back["contact_id"], back["state"], back["status"]) == (member, "live", status)
    world.mark()
    world.marketing.edit("update", email=ADA, fields={"COUNTRY": "FR"})
    world.crm.edit("update", id=contact, fields={"lastname": "King"})
    world.at_rest()
    assert world.written("crm") == [("country", "France")] and world.written("marketing") == [("LNAME", "King")]


def test_D_07_undeleted_and_edited_and_opted_out_meanwhile(world: World) -> None:
    contact = linked(world)
    world.crm.edit("delete", id=contact)
    world.settle("sweep")
    world.crm.edit("restore", id=contact)
    world.crm.edit("unsubscribe", id=contact)
    world.crm.edit("update", id=contact, fields={"lastname": "King"})
    world.at_rest("sweep")
    back = world.member(ADA)
    assert (back["state"], back["status"], back["LNAME"]) == ("live", "unsubscribed", "King")
    assert "subscribed" not in [value for name, value in world.written("marketing") if name == "status"]


def test_D_07_made_anew_by_people_after_a_delete_is_a_new_record_and_subscribes_nobody(world: World) -> None:
    """The old contact is gone for good; the same person is entered again: her archived member comes back, but not its consent."""
    contact = linked(world)
    world.crm.edit("purge", id=contact)
    world.settle("sweep")
    world.crm.edit("create", fields={"email": ADA, "firstname": "Augusta", "lifecyclestage": "lead"})
    world.at_rest("sweep")
    back = world.member(ADA)
    assert (back["state"], back["status"], back["FNAME"]) == ("live", "transactional", "Augusta")
    assert len([r for r in world.crm.records() if r["state"] == "live" and r["email"] == ADA]) == 1


def test_D_07_who_comes_back_from_the_archive_has_the_tags_that_were_written_not_the_old_ones(world: World) -> None:
    """The vendor gives an archived member its old tags back, whatever the create says."""
    bystander(world)
    world.marketing.edit("create", email=ADA, fields={"LNAME": "Byron", "tags": ["vip"]})
    world.settle()
    world.marketing.edit("delete", email=ADA)
    world.settle("sweep")
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "marketing_tags": "event;webinar"})
    world.at_rest("sweep")
    assert set(world.member(ADA)["tags"]) == set(world.crm_record(ADA)["marketing_tags"].split(";")) == {"event", "webinar"}
    assert world.crm_record(ADA)["lastname"] == "Byron"


def test_D_07_a_person_who_signs_up_again_after_a_delete_is_created_only_by_policy(world: World) -> None:
    contact = linked(world)
    world.crm.edit("delete", id=contact)
    world.settle("sweep")
    world.mark()
    world.marketing.edit("resubscribe", email=ADA)
    world.at_rest("sweep")
    assert world.member(ADA)["status"] == "subscribed"
    assert world.written("marketing") == []
    assert not [op for op, _ in world.written("crm") if op == "create"]


def test_a_mass_delete_stops_before_the_first_archive(world: World) -> None:
    ids = []
    for n in range(12):
        email = world.pair(f"p{n}", {"firstname": f"P{n}"}, {"FNAME": f"P{n}"})
        ids.append(world.crm_record(email)["id"])
    world.settle()
    for contact in ids[:6]:
        world.crm.edit("delete", id=contact)
    world.mark()
    report = world.sync("sweep")
    assert report.status == "stopped" and isinstance(report.error, GuardTripped)
    assert world.written("marketing") == []
    approved = world.sync(approve=report.run_id)
    assert approved.error is None
    assert sum(1 for name, value in world.written("marketing") if (name, value) == ("status", "archived")) == 6
    world.at_rest("sweep")
