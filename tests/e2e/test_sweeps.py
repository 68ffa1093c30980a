"""A sweep looks at bytes first: what has not changed is not decoded, and what has changed in nothing that we map is looked at once."""

from __future__ import annotations

from flows.observe import NO_BYTES
from syncline.records import SIDES
from tests.e2e.world import World

ADA = "ada@people.example"


def halves(world: World) -> set[bool]:
    """Whether the bytes of the records are known."""
    refs = {"crm": [r["id"] for r in world.crm.records()], "marketing": [r["contact_id"] for r in world.marketing.records()]}
    with world.context() as context:
        known = [context.sync.digests(side, refs[side]) for side in SIDES]
    return {not digest.startswith(NO_BYTES) for side in known for digest, _ in side.values()}


def test_only_the_first_sweep_after_a_write_looks_at_the_record_and_none_stages_it(world: World) -> None:
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada"})
    world.settle()
    assert False in halves(world), "the echo of a create came by no listing"
    for _ in range(2):
        report = world.sync("sweep")
        assert {side: seen.staged for side, seen in report.observed.items()} == {"crm": 0, "marketing": 0}
        assert halves(world) == {True}


def test_a_change_that_nobody_maps_stages_nothing_and_one_that_is_mapped_does(world: World) -> None:
    world.pair("ada", {"firstname": "Ada"}, {"FNAME": "Ada"})
    world.settle()
    world.sync("sweep")
    world.crm.edit("update", email=ADA, fields={"last_contacted_at": "1700000000000"})
    assert world.sync("sweep").observed["crm"].staged == 0
    world.crm.edit("update", email=ADA, fields={"firstname": "Ada Maria"})
    world.later(60)  # or the listing's last look at what changed meanwhile shows her once more
    assert world.sync("sweep").observed["crm"].staged == 1
    assert world.member(ADA)["FNAME"] == "Ada Maria"
