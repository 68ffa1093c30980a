"""A plan for an edited mapping is a rehearsal: it disturbs neither the twins nor the sync that runs with the old one."""

from __future__ import annotations

from tests.e2e.world import World

EDIT = ("direction: to_marketing, transform: {marketing: {text: {max: 80}}}", "transform: {marketing: {text: {max: 80}}}")


def loaded(world: World) -> World:
    for number in range(8):
        world.crm.edit(
            "create", fields={"email": f"person{number}@people.example", "company": "Engines", "lifecyclestage": "lead", "firstname": "Pat"}
        )
    world.settle()
    return world


def test_a_plan_under_a_new_mapping_takes_no_base_away(world: World) -> None:
    loaded(world)
    before, original = (world.crm.records(), world.marketing.records()), world.mapping
    entries = len(world.log())
    member = world.member("person3@people.example")
    world.marketing.edit("update", id=member["id"], fields={"FNAME": "Patricia"})
    edited = world.marketing.records()

    world.edit_mapping(EDIT)
    planned = world.sync("plan")
    assert planned.status == "planned" and planned.observed["crm"].full
    assert (world.crm.records(), world.marketing.records()) == (before[0], edited)

    world.mapping = original
    assert len(world.log()) == entries
    report = world.sync()
    assert not report.observed["crm"].full and not report.observed["marketing"].full
    assert report.totals["updates"] == 1 and world.crm_record("person3@people.example")["firstname"] == "Patricia"
    [change] = [row.entry for row in world.log()[entries:] if row.entry.kind == "change"]
    assert change.rule == "one_side", "the base was still there to tell who changed"
    with world.context() as context:
        assert context.store.sync_names() == ["contacts"]
    world.verified()


def test_a_stopped_plan_can_be_approved_after_the_next_scheduled_run(world: World) -> None:
    loaded(world)
    world.edit_mapping(("overwrites: 20%", "overwrites: 0"))
    world.sync()
    world.crm.edit("update", email="person1@people.example", fields={"firstname": "Robin"})
    first = world.sync()
    second = world.sync()
    assert (first.status, second.status) == ("stopped", "stopped")
    approved = world.sync(approve=first.run_id)
    assert approved.error is None and approved.pushed.applied == 1
    assert world.member("person1@people.example")["FNAME"] == "Robin"
    gone = world.sync(approve=second.run_id)
    assert gone.exit_code == 2 and "no plan waiting" in str(gone.error)
    world.settle()
    world.verified()
