"""A merge that a write runs into before any poll shows the survivor: the link moves, and the edit reaches the survivor."""

from __future__ import annotations

from tests.e2e.world import World


def test_the_survivor_is_fetched_by_its_id(world: World) -> None:
    for name in ("anna", "bert"):
        world.crm.edit("create", fields={"email": f"{name}@people.example", "firstname": name.title(), "lifecyclestage": "customer"})
    world.settle()
    winner, loser = world.crm_record("anna@people.example"), world.crm_record("bert@people.example")

    world.crm.faults(lag_s=3600)  # the index is an hour behind: polls will not show what comes now
    survivor = world.crm.edit("merge", winner=winner["id"], loser=loser["id"])
    world.marketing.edit("update", email="anna@people.example", fields={"FNAME": "Annabel"})
    assert world.sync().error is None
    assert world.sync().error is None
    assert world.crm_record("anna@people.example")["id"] == survivor
    assert world.crm_record("anna@people.example")["firstname"] == "Annabel"

    world.crm.faults(lag_s=0)
    world.settle()
    world.settle("sweep")
    live = [m["email_address"] for m in world.marketing.records() if m["state"] == "live"]
    assert live == ["anna@people.example"]
    world.verified()
