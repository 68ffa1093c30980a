"""A record that waits before it has a partner, end to end: its hold ends with it, or with the contact that it finds."""

from __future__ import annotations

import pytest

from tests.e2e.people import ADA, BOB
from tests.e2e.world import World


@pytest.mark.parametrize("end", ["deleted", "merged away", "joined"])
def test_a_record_that_waits_alone_waits_no_more_when_it_dies_or_finds_a_contact(world: World, end: str) -> None:
    world.edit_mapping(
        ("last_name:  {crm: lastname,", "last_name:  {required_in: marketing, crm: lastname,"),
        ("seen_in_crm: archive", "seen_in_crm: unlink"),
    )
    world.pair(
        "ada", {"firstname": "Ada", "lastname": "Byron", "lifecyclestage": "customer"}, {"FNAME": "Ada", "LNAME": "Byron", "STAGE": "CUST"}
    )
    world.settle()
    world.crm.edit("create", fields={"email": BOB, "firstname": "Bob"})
    assert world.sync().exit_code == 1 and world.holds() == [("", "Required")]
    match end:
        case "deleted":
            world.crm.edit("delete", email=BOB)
        case "merged away":
            world.crm.edit("merge", winner=world.crm_record(ADA)["id"], loser=world.crm_record(BOB)["id"])
        case "joined":
            world.crm.edit("purge", email=ADA)
            world.sync("sweep")
            world.crm.edit("update", email=BOB, fields={"email": ADA})
    world.at_rest("sweep")
    assert (world.holds(), world.sync().exit_code) == ([], 0)
    assert [row.entry.rule for row in world.log() if row.entry.kind == "release"] == ["Required"]
